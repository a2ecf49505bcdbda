/*
 * lane.h - one buyer's lane: what waits for it here, and how much of that may begin now.
 *
 * No socket, no SQL, no clock: the time is an argument (monotonic milliseconds). Limits are the buyer's at the moment of
 * the call, so a new configuration holds at once.
 */
#ifndef LEADLINE_DISPATCHER_LANE_H
#define LEADLINE_DISPATCHER_LANE_H

#include "common/span.h"
#include "dispatcher/breaker.h"
#include "dispatcher/due.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LANE_CONCURRENT = 64,    /* requests at once, when the buyer has no limit of its own */
    LANE_AHEAD_MS = 5000,    /* holds no more than can begin within this time */
    LANE_BURST_MS = 20,      /* of a rate limit, that may come at once: timers are not finer than a few milliseconds */
};

struct lane_limits {
    int64_t concurrent; /* requests at once; 0: LANE_CONCURRENT */
    int64_t per_second; /* requests begun; 0: no limit */
};

struct lane {
    struct span buyer_id;    /* owned */
    struct due_list waiting; /* in front those on whose answer a sale depends: somebody waits for them */
    size_t asking;           /* so many of them */
    struct due *last_asking;
    size_t bytes;            /* of what waits */
    size_t in_flight;        /* attempts under way */
    double tokens;           /* of the rate limit */
    int64_t filled_at_ms;    /* when tokens was right */
    int64_t average_ms;      /* what an attempt takes, lately; 0: not known yet */
    bool is_in_ring;         /* of lanes in which something waits (lanes.c) */
    struct lane *next;       /* in that ring */
    bool is_parked;          /* out of that ring until an attempt ends: it has all the requests that it may have */
    bool is_hungry;          /* the database may hold more that is due: it is in sweep.c's list */
    struct lane *next_hungry;
    bool is_behind;          /* the database holds older ones that are due */
    size_t asked, got;       /* of a sweep that is on its way; asked 0: none */
    struct breaker breaker;
    bool is_gone;            /* its endpoint answered 410, which our catalog does not say yet */
    int64_t gone_version;    /* the catalog that says so; 0: it is not written yet */
    bool is_told_paused;     /* the database was told that the breaker pauses it */
};

/* An empty lane, owned by the caller; it must be empty again when it is freed. */
struct lane *lane_new(struct span buyer_id, int64_t now_ms);
void lane_free(struct lane **lane);

void lane_add(struct lane *lane, struct due *due);

/* Does nothing begin in this lane now, by its breaker or because its endpoint is gone? What waits in it is given back then. */
bool lane_is_paused(const struct lane *lane, int64_t now_ms);

/*
 * How many more deliveries may this lane hold?
 *
 * most  as many as any lane may hold
 * The slower a buyer answers, the less is held for it: what waits here keeps its lease from other dispatchers. When the
 * breaker is not closed, there is room for the probe.
 */
size_t lane_room(const struct lane *lane, const struct lane_limits *limits, size_t most);

/*
 * Do older deliveries wait in the database for the buyer's own pace? Then what a frame brings has to wait there, too: it would take
 * the room of the older ones again and again, for as long as more is sold than the buyer takes.
 */
bool lane_is_behind(const struct lane *lane, const struct lane_limits *limits, size_t most);

/* May one more of those on whose answer a sale depends wait here? They have the same room, whatever else waits. */
bool lane_takes_ask(const struct lane *lane, const struct lane_limits *limits, size_t most);

/* How long will the next of them wait for its turn, as far as one can tell? */
int64_t lane_wait_ms(const struct lane *lane, const struct lane_limits *limits);

/*
 * May the first that waits begin?
 *
 * free_connections  that no lane uses now. A lane gets no more than are then still free: many lanes whose buyers hang take
 *                   equal parts and always leave one for the next
 * wait_ms           set when only the rate limit is in the way: until then; else 0
 */
bool lane_may_begin(struct lane *lane, const struct lane_limits *limits, size_t free_connections, int64_t now_ms, int64_t *wait_ms);

/* Takes the first that waits (there is one), without beginning it. */
struct due *lane_shift(struct lane *lane);

/* Takes one out on whose answer a sale depends. */
void lane_remove(struct lane *lane, struct due *due);

/* Has it as many requests as its buyer takes? */
bool lane_is_full(const struct lane *lane, const struct lane_limits *limits);

/* An attempt began, and ended. */
void lane_begun(struct lane *lane, const struct lane_limits *limits);
void lane_ended(struct lane *lane, int64_t took_ms);

#endif
