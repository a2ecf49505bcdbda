/*
 * store.h - all SQL of the dispatcher: taking due deliveries, writing what came of them, giving them back.
 *
 * Two connections: one writes results and waits for the disk, the other takes and gives back leases and need not. Every
 * callback comes exactly once. The guard is the row: a result is written only while the delivery is OPEN and still at
 * the attempt for which it was taken.
 */
#ifndef LEADLINE_DISPATCHER_STORE_H
#define LEADLINE_DISPATCHER_STORE_H

#include "common/db.h"
#include "dispatcher/due.h"
#include "proto/stage.h"

struct store;

/* Told how many rows were touched, or why none were. */
typedef void store_done_fn(void *ctx, enum db_trouble trouble, int64_t rows);

/* Begins to connect. Owned by the caller. */
struct store *store_open(struct stage *stage);
void store_close(struct store **store); /* what is under way is called back with DB_GONE */

bool store_is_up(const struct store *store);   /* both connections */
bool store_is_away(const struct store *store); /* one is known to be gone */

/* A yes to a post on whose answer a sale depended was written, but as LATE. */
typedef void store_late_fn(void *ctx, const struct uuid *delivery_id);

/*
 * Writes results: each delivery's new state and its attempt, in one transaction that is flushed before fn is called. What was
 * CANCELLED meanwhile stays so, with its attempt.
 *
 * dues     borrowed for the call; sorted here by lead and id, so that two batches never lock rows crosswise; none twice
 * on_late  called before fn for each that was late, whether we knew that or its router had ended it before
 */
void store_record(struct store *store, struct due **dues, size_t count, store_late_fn *on_late, store_done_fn *fn, void *ctx);

/*
 * Ends the leases of these deliveries now, where they are still this process's; sorts dues likewise. What was never tried
 * is due since its sale again, so that it keeps its place before what was sold later.
 */
void store_give_back(struct store *store, struct due **dues, size_t count, store_done_fn *fn, void *ctx);

/* Ends all leases that this process's name has on deliveries of these buyers, in the same way: they are from before its start. */
void store_take_over(struct store *store, const struct span *buyer_ids, size_t count, store_done_fn *fn, void *ctx);

/* How many due deliveries of one buyer are wanted. */
struct wanted {
    struct span buyer_id;
    size_t count;
    int64_t lease_ms;
};

/*
 * A delivery that was taken; borrowed for the call. sold_at_ms and fields are as in a router's frame (of an event: when it came about, and none), lease_until_ms is not set.
 * attempts_before: see struct due.
 */
typedef void store_taken_fn(void *ctx, const struct delivery *delivery, int attempts_before);

/* Takes what is due, the longest due first: on_taken for each, then fn with their number. */
void store_take(struct store *store, const struct wanted *wanted, size_t count, store_taken_fn *on_taken,
                store_done_fn *fn, void *ctx);

/* These buyers' endpoints answered 410: switches them off. fn is told the version of the configuration that says so, as rows. */
void store_endpoints_gone(struct store *store, const struct span *buyer_ids, size_t count, store_done_fn *fn, void *ctx);

/* Tells which endpoints this process pauses, or no longer does. For people: nobody decides by it. */
void store_endpoints_paused(struct store *store, const struct span *buyer_ids, const bool *are_paused, size_t count,
                            store_done_fn *fn, void *ctx);

/* Takes back what this process's name has told so: it is from before its start. */
void store_forget_pauses(struct store *store, store_done_fn *fn, void *ctx);

#endif
