/*
 * registry.h - who else is there: table stage_instance (DESIGN.md, 2).
 *
 * Every process keeps its own row there, beats every 5 s and reads all rows every second (at once, when somebody
 * comes or goes and says so on channel leadline_stage). With the database away the last neighbours stay.
 */
#ifndef LEADLINE_PROTO_REGISTRY_H
#define LEADLINE_PROTO_REGISTRY_H

#include "common/db.h"
#include "proto/neighbour.h"

#include <stdbool.h>
#include <stdint.h>

struct registry;

/* What this process says about itself; texts are borrowed for as long as the registry lives. */
struct registry_self {
    const char *stage, *name, *endpoint, *admin;
    double per_second;
    int64_t queue_depth;
    bool is_stopping;
    int64_t catalog_version; /* that it decides by */
};

/* One other process. */
struct registry_row {
    struct span stage;
    struct neighbour_row instance;
};

/* The rows, borrowed for the call; and the version of the configuration in the database. */
typedef void registry_fn(void *ctx, const struct registry_row *rows, size_t count, int64_t catalog_version);

/* db must LISTEN to leadline_stage in its settings and call registry_read() when it is told. */
struct registry *registry_new(struct db *db, registry_fn *fn, void *ctx);
void registry_free(struct registry **registry);

/* Reads all rows, unless that is under way; fn is called when they are there. */
void registry_read(struct registry *registry);

/* Writes the own row; says so to all when is_news. */
void registry_beat(struct registry *registry, const struct registry_self *self, bool is_news);

/* Writes only the catalog's version into the own row: somebody may wait for it. */
void registry_tell_catalog(struct registry *registry, const struct registry_self *self);

/* Takes the own row out; done(ctx) is called when that is written or cannot be. */
void registry_leave(struct registry *registry, const struct registry_self *self, void (*done)(void *ctx), void *ctx);

#endif
