/*
 * lanes.h - all lanes of this dispatcher, and every delivery that it has in hand.
 *
 * A delivery is in hand from lanes_take() to lanes_forget(); meanwhile its id is known and is not taken twice, though a
 * frame and a sweep may both bring it.
 */
#ifndef LEADLINE_DISPATCHER_LANES_H
#define LEADLINE_DISPATCHER_LANES_H

#include "dispatcher/lane.h"
#include "proto/catalog.h"

struct lanes;

enum taken {
    TAKEN_WAITS,   /* it waits in its lane */
    TAKEN_KNOWN,   /* it is in hand already */
    TAKEN_NO_ROOM, /* it must be given back */
};

/*
 * No lanes yet.
 *
 * lane_most   deliveries that one lane holds at most
 * bytes_most  that all that wait hold at most; a lane gets no more of them than are then still free
 */
struct lanes *lanes_new(size_t lane_most, size_t bytes_most);
void lanes_free(struct lanes **lanes); /* and all deliveries that wait or are known to lanes only */

/* The lane of a buyer, made when there is none; borrowed while the buyer is in the catalog or something is in the lane. */
struct lane *lanes_of(struct lanes *lanes, struct span buyer_id, int64_t now_ms);

/* The limits that the catalog gives a buyer. */
struct lane_limits lanes_limits(const struct buyer *buyer);

/* How long an attempt may take. */
int64_t lanes_timeout_ms(const struct buyer *buyer);

/* How many deliveries may be taken for the lane now? */
size_t lanes_room(const struct lanes *lanes, const struct lane *lane, const struct lane_limits *limits);

/* Has what a frame brings to wait in the database (lane_is_behind())? */
bool lanes_is_behind(const struct lanes *lanes, const struct lane *lane, const struct lane_limits *limits);

/*
 * Takes a delivery in hand.
 *
 * delivery  one on whose answer a sale depends goes before those on which none does, and finds room when they have filled theirs
 * lane  NULL: it is not to be tried from here
 * format  its buyer's: the webhook is made now
 * due   set, and borrowed; after TAKEN_NO_ROOM it is in hand, too, and in no list
 */
enum taken lanes_take(struct lanes *lanes, const struct delivery *delivery, int64_t lease_until_ms, struct lane *lane,
                      const struct lane_limits *limits, const struct format *format, struct due **due);

/* Its row is written or given back: the delivery is freed. It is in no list. */
void lanes_forget(struct lanes *lanes, struct due **due);

/* The next lane, in turn, in which something waits; NULL when there is none. Called lanes_turns() times it has shown each. */
struct lane *lanes_turn(struct lanes *lanes);
size_t lanes_turns(const struct lanes *lanes);

/* The lane has no turn any more, until it is unparked. */
void lanes_park(struct lane *lane);
void lanes_unpark(struct lanes *lanes, struct lane *lane);

/* The first that waits in the lane, taken out. */
struct due *lanes_shift(struct lanes *lanes, struct lane *lane);

/* One that waits and on whose answer a sale depends, taken out of its lane. */
void lanes_remove(struct lanes *lanes, struct due *due);

/* Frees empty lanes whose buyer the catalog no longer has. */
void lanes_prune(struct lanes *lanes, const struct catalog *catalog);

/* Every lane, in no order: *at begins with 0. NULL behind the last. No lane may come or go meanwhile. */
struct lane *lanes_each(const struct lanes *lanes, size_t *at);

size_t lanes_waiting(const struct lanes *lanes); /* deliveries */
size_t lanes_in_hand(const struct lanes *lanes);

#endif
