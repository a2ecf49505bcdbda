/*
 * sweep.h - takes due deliveries from the database: what no frame brought, what is tried again, what others left.
 *
 * Every second all buyers of this dispatcher are looked at, in slices; a lane that drains a backlog is looked at again
 * as soon as half of what it may hold is gone. Only one statement is on its way at a time.
 */
#ifndef LEADLINE_DISPATCHER_SWEEP_H
#define LEADLINE_DISPATCHER_SWEEP_H

#include "dispatcher/give_back.h"
#include "dispatcher/lanes.h"
#include "dispatcher/store.h"
#include "proto/stage.h"

struct sweep;

/* lease_slack_ms: a lease is this much longer than the buyer's time limit; so long a delivery may wait in its lane. */
struct sweep *sweep_new(struct stage *stage, struct store *store, struct lanes *lanes, struct give_back *back, int64_t lease_slack_ms);
void sweep_free(struct sweep **sweep); /* after store_close() */

/* A second has passed: all buyers are due. */
void sweep_tick(struct sweep *sweep);

/* Deliveries of this lane were left in the database: it is looked at soon. */
void sweep_wants(struct sweep *sweep, struct lane *lane);

/* Asks for what is wanted, when nothing is on its way. Called at the end of every turn. */
void sweep_run(struct sweep *sweep);

/* Takes nothing any more. */
void sweep_stop(struct sweep *sweep);
bool sweep_is_busy(const struct sweep *sweep);

#endif
