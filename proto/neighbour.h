/*
 * neighbour.h - the instances of one stage that this process writes to.
 *
 * The registry introduces them (registry.h); alive means a connection. What one turn of the loop gathers for one
 * neighbour goes out as one frame at the end of the turn. When a neighbour's high-water mark is reached the frames wait
 * here, up to OUTBOX_BYTES; beyond that it takes nothing.
 */
#ifndef LEADLINE_PROTO_NEIGHBOUR_H
#define LEADLINE_PROTO_NEIGHBOUR_H

#include "common/loop.h"
#include "common/span.h"
#include "proto/frame.h"

#include <stdbool.h>

struct neighbour;  /* one instance */
struct neighbours; /* all of one stage */

enum { OUTBOX_BYTES = 4 << 20 };

/* Told when an instance comes up, and when it is gone: what was on its way to it may be lost. */
typedef void neighbour_state_fn(void *ctx, struct neighbour *neighbour, bool is_up);

/*
 * No instances yet.
 *
 * stage     "validator"; borrowed for ever
 * sender    this process's name, written into frames; borrowed for ever
 */
struct neighbours *neighbours_new(struct loop *loop, const char *stage, const char *sender, neighbour_state_fn *on_state, void *ctx);
void neighbours_free(struct neighbours **all); /* gives the last frames one second to leave */

/* One row of the registry. */
struct neighbour_row {
    struct span name;
    struct span endpoint;
    bool is_stopping; /* gets nothing new, is kept until it is gone */
    bool is_fresh;    /* beat within the last 15 s */
};

/* The registry was read: connects to new ones, forgets those that are neither there any more nor connected. */
void neighbours_update(struct neighbours *all, const struct neighbour_row *rows, size_t count);

/* The next in turn of those that are up, not stopping and not full; NULL when there is none. */
struct neighbour *neighbours_by_turn(struct neighbours *all);

/* The one of highest rank for this key (rendezvous hash) of those that are up and not stopping, full or not; NULL when there is none. */
struct neighbour *neighbours_by_key(struct neighbours *all, struct span key);

/* The one of that name if it is up (also when stopping), or NULL. */
struct neighbour *neighbours_by_name(struct neighbours *all, struct span name);

/* How many are up and not stopping. */
size_t neighbours_up(const struct neighbours *all);

/*
 * Would this process own the key, were it one of the stage with that name? (A dispatcher asks it of its own stage: is this
 * buyer mine?) names are those of all fresh instances.
 */
bool rendezvous_is_mine(struct span key, struct span me, const struct span *names, size_t count);

/* Bytes that wait for room at those that are up. */
size_t neighbours_waiting(const struct neighbours *all);

struct span neighbour_name(const struct neighbour *neighbour); /* borrowed while it lives */

/* Gathers one encoded item (frame_put_*) for it. Returns 0, or -1 when it is not up or full. */
int neighbour_add(struct neighbour *neighbour, enum frame_kind kind, struct span item);

#endif
