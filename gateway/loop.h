/*
 * loop.h - h2o's loop around ours: the gateway waits in h2o's, and what common/loop.h has to do is done in between.
 *
 * After every round of h2o's loop ours has one turn, so what the round's requests gathered for the neighbours leaves at once.
 */
#ifndef LEADLINE_GATEWAY_LOOP_H
#define LEADLINE_GATEWAY_LOOP_H

#include "common/loop.h"

struct outer_loop;
struct st_h2o_evloop_t;

/* Owned by the caller. */
struct outer_loop *outer_loop_new(struct loop *inner);
void outer_loop_free(struct outer_loop **outer);

/* h2o's own, borrowed. */
struct st_h2o_evloop_t *outer_loop_h2o(struct outer_loop *outer);

/* Rounds until loop_stop() of the inner one. */
void outer_loop_run(struct outer_loop *outer);

/* One round of h2o's that does not wait: lets it free what was closed. */
void outer_loop_settle(struct outer_loop *outer);

#endif
