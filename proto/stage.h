/*
 * stage.h - what all four daemons do alike: parameters, log, loop, registry, neighbours, catalog, admin pages, systemd.
 *
 * A daemon's main.c is a table (struct stage_spec) and a call of stage_main(). In order:
 *   parameters → signals blocked → loop → admin server → control connection to PostgreSQL → own endpoint bound →
 *   catalog read → spec.start() → registered, neighbours found → ready (systemd, /readyz)
 * and in reverse at the end. TERM: is_stopping goes into the registry, writers leave within a second; when spec.is_idle()
 * holds and two seconds have passed since then (at most 25 s), the process ends. A second TERM ends it at once.
 * HUP: parameters are read again (kept when wrong) and spec.on_params() is called.
 */
#ifndef LEADLINE_PROTO_STAGE_H
#define LEADLINE_PROTO_STAGE_H

#include "common/db.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/params.h"
#include "proto/catalog.h"
#include "proto/frame.h"
#include "proto/neighbour.h"

#include <stdbool.h>

struct stage; /* the running process */

enum stage_kind { STAGE_GATEWAY, STAGE_VALIDATOR, STAGE_ROUTER, STAGE_DISPATCHER, STAGE_COUNT };

const char *stage_word(enum stage_kind kind);

struct stage_spec {
    enum stage_kind kind;
    const char *purpose;         /* first line of --help */
    const struct param *params;  /* the daemon's own, ends with a NULL name */
    unsigned writes_to;          /* 1u << STAGE_… of each stage that it writes to */
    unsigned catalog_parts;      /* catalog.h */

    /* Do its parameters hold what start() and on_params() will take? For -n and HUP. Returns 0, or -1 with *err. May be NULL. */
    int (*check)(const struct params *params, struct error *err);

    /* Makes the daemon's parts; the first catalog is there. Returns 0, or -1 with *err: the process ends with 1. */
    int (*start)(struct stage *stage, struct error *err);

    /* A frame came; it and its arena live until frame_arena is freed: *arena may be taken over (set it to NULL). */
    void (*on_frame)(struct stage *stage, struct frame *frame, struct arena **arena);

    /* A newer catalog is there; old is freed after the call. May be NULL. */
    void (*on_catalog)(struct stage *stage, const struct catalog *old);

    /* A neighbour came or went. May be NULL. */
    void (*on_neighbour)(struct stage *stage, enum stage_kind kind, struct neighbour *neighbour, bool is_up);

    void (*on_params)(struct stage *stage); /* HUP. May be NULL */
    void (*sweep)(struct stage *stage);     /* every second. May be NULL */

    /* TERM came: take no more. May be NULL. */
    void (*stop_taking)(struct stage *stage);
    bool (*is_idle)(struct stage *stage); /* nothing in hand? May be NULL: always */

    /* NULL: can it work? else why not, for /readyz ("the database is away"); asked often. May be NULL. */
    const char *(*why_not_ready)(struct stage *stage);

    /* What it does now, for the registry: leads (deliveries) since the start, and waiting now. */
    void (*load)(struct stage *stage, int64_t *done, int64_t *waiting);

    /* Runs the process after start(), until loop_is_stopped(); NULL: loop_run(). The gateway runs h2o's loop. */
    void (*run)(struct stage *stage);
    void (*stop)(struct stage *stage); /* undoes start() */
};

/* Runs a daemon. Returns the exit status of the process. */
int stage_main(int argc, char **argv, const struct stage_spec *spec);

/* The parts, borrowed. */
struct loop *stage_loop(struct stage *stage);
const struct params *stage_params(struct stage *stage);
const char *stage_name(const struct stage *stage); /* of this instance, "router-1" */
const struct catalog *stage_catalog(const struct stage *stage);
struct neighbours *stage_neighbours(struct stage *stage, enum stage_kind kind);
struct db *stage_db(struct stage *stage); /* the control connection; jobs of a few milliseconds are welcome */
bool stage_is_stopping(const struct stage *stage);

/* The daemon's own state. */
void stage_set_self(struct stage *stage, void *self);
void *stage_self(const struct stage *stage);

/* Opens a further connection like the control connection (same DSN), with its own statements. Owned by the caller. */
struct db *stage_open_db(struct stage *stage, const char *settings, const struct db_statement *statements,
                         db_state_fn *on_state, void *ctx);

/* Somebody has seen a newer version than ours: read the catalog now. Does nothing when that is under way. */
void stage_refresh_catalog(struct stage *stage);

/* A frame that turned out to be damaged, or of a kind that this stage does not read: logged, counted; the caller drops it. */
void stage_refuse_frame(struct stage *stage, const struct frame *frame, const char *why);

/* Stops or goes on taking frames (bounded memory). */
void stage_pause(struct stage *stage, bool is_paused);

/* The names of all fresh, not stopping instances of this process's own stage, itself included; borrowed until the next turn. */
const struct span *stage_peers(struct stage *stage, size_t *count);

/* Ends the process soon, with exit status 1: something is so wrong that a new start is the cure. */
void stage_fail(struct stage *stage, const char *why);

#endif
