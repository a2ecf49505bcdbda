/*
 * bidder.h - one buyer that makes live bids: how many questions it has open, and how well it answered lately.
 *
 * No socket, no clock: the time is an argument (monotonic milliseconds). Limits are the buyer's at the moment of the call.
 *
 * When more than BIDDER_PERCENT of its last BIDDER_WINDOW answers (BIDDER_LEAST at least) were late, wrong or none at all, the
 * buyer is *poor*: it is asked every BIDDER_EVERY-th question only, and whenever it has not been asked for BIDDER_PROBE_MS,
 * until it has answered better. So a dead buyer costs little where there is much traffic, and where there is little it is
 * soon asked again.
 */
#ifndef LEADLINE_DISPATCHER_BIDDER_H
#define LEADLINE_DISPATCHER_BIDDER_H

#include "common/span.h"
#include "proto/bid_outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BIDDER_WINDOW = 50,
    BIDDER_LEAST = 10,
    BIDDER_PERCENT = 15,
    BIDDER_EVERY = 10,
    BIDDER_PROBE_MS = 10 * 1000,
    BIDDER_FAIR_MS = 100, /* who got less, and less than its own time limit, is not blamed for being late */
    BIDDER_BURST_MS = 100, /* of a rate limit, that may come at once */
};

struct bidder_limits {
    int64_t concurrent; /* questions open at once, above 0 */
    int64_t per_second; /* 0: no limit */
};

struct bidder {
    struct span buyer_id; /* owned */
    size_t open;          /* questions */
    uint64_t faults;      /* the latest answers, a bit each, the last one lowest */
    unsigned answers;     /* of them, at most BIDDER_WINDOW */
    unsigned passed_over; /* questions not asked since the last that was, for being poor */
    int64_t asked_at_ms;  /* the last that was */
    double tokens;        /* of the rate limit */
    int64_t filled_at_ms;
    uint64_t url_hash;    /* of the endpoint that all this is about */
};

/* Knows nothing bad of the buyer; owned by the caller. It must have no question open when it is freed. */
struct bidder *bidder_new(struct span buyer_id, int64_t now_ms);
void bidder_free(struct bidder **bidder);

/* May it be asked now? Else why not. */
enum bidder_turn {
    BIDDER_ASK,
    BIDDER_POOR, /* it was late or wrong too often */
    BIDDER_FULL, /* too many questions are open, its own or all together */
    BIDDER_FAST, /* too many a second */
};

/*
 * Is the next question asked? Called once for each.
 *
 * free_connections  that no question uses now. A buyer gets no more than are then still free: many buyers that hang take
 *                   equal parts and always leave one for the next
 */
enum bidder_turn bidder_turn(struct bidder *bidder, const struct bidder_limits *limits, size_t free_connections, int64_t now_ms);

/* It is asked. */
void bidder_asked(struct bidder *bidder, const struct bidder_limits *limits, int64_t now_ms);

/*
 * It has answered, or not.
 *
 * had_fair_time  false: being LATE is not its fault
 */
void bidder_answered(struct bidder *bidder, enum bid_outcome outcome, bool had_fair_time);

bool bidder_is_poor(const struct bidder *bidder);

/* Its endpoint is another from now on: nothing bad is known of that. */
void bidder_forget(struct bidder *bidder);

#endif
