/*
 * bids.h - asks buyers for live bids: takes questions from routers, posts them, tells the router that asked what came of it.
 *
 * Each question is answered exactly once, by its deadline: also when the buyer is not known here, when it is not asked (too
 * little time, too many questions open, poor answers lately), when the process ends. No database has to do with it, and
 * the connections are other ones than those of deliveries: neither waits for the other.
 */
#ifndef LEADLINE_DISPATCHER_BIDS_H
#define LEADLINE_DISPATCHER_BIDS_H

#include "dispatcher/lanes.h"
#include "proto/stage.h"

struct bids;

/* connections: questions open at once, over all buyers. A buyer whose lane is paused is not asked. Bids go to the stage's routers. */
struct bids *bids_new(struct stage *stage, struct lanes *lanes, size_t connections);
void bids_free(struct bids **bids); /* what is open is answered FAILED */

/* Takes a frame of questions; refuses it whole when it is damaged. */
void bids_on_frame(struct bids *bids, struct frame *frame, struct arena *arena);

/* The catalog changed. */
void bids_on_catalog(struct bids *bids);

size_t bids_open(const struct bids *bids);

#endif
