#include "dispatcher/bidder.h"

#include "common/must.h"

#include <stdlib.h>

struct bidder *bidder_new(struct span buyer_id, int64_t now_ms)
{
    struct bidder *bidder = must_zalloc(sizeof *bidder);

    bidder->buyer_id = (struct span){must_copy(buyer_id.ptr, buyer_id.len), buyer_id.len};
    bidder->asked_at_ms = bidder->filled_at_ms = now_ms;
    bidder->tokens = 1;
    return bidder;
}

void bidder_free(struct bidder **bidder)
{
    if (*bidder != NULL) {
        must((*bidder)->open == 0);
        free((char *)(uintptr_t)(*bidder)->buyer_id.ptr);
        free(*bidder);
        *bidder = NULL;
    }
}

bool bidder_is_poor(const struct bidder *bidder)
{
    return bidder->answers >= BIDDER_LEAST && (unsigned)__builtin_popcountll(bidder->faults) * 100 > bidder->answers * BIDDER_PERCENT;
}

/* Fills the bucket up to now. */
static bool has_token(struct bidder *bidder, int64_t per_second, int64_t now_ms)
{
    double most = (double)per_second * BIDDER_BURST_MS / 1000;

    if (most < 1)
        most = 1;
    if (now_ms > bidder->filled_at_ms)
        bidder->tokens += (double)(now_ms - bidder->filled_at_ms) * (double)per_second / 1000;
    if (bidder->tokens > most)
        bidder->tokens = most;
    bidder->filled_at_ms = now_ms;
    return bidder->tokens >= 1;
}

enum bidder_turn bidder_turn(struct bidder *bidder, const struct bidder_limits *limits, size_t free_connections, int64_t now_ms)
{
    if (bidder_is_poor(bidder) && ++bidder->passed_over < BIDDER_EVERY && now_ms - bidder->asked_at_ms < BIDDER_PROBE_MS)
        return BIDDER_POOR;
    if ((int64_t)bidder->open >= limits->concurrent || bidder->open >= free_connections)
        return BIDDER_FULL;
    if (limits->per_second > 0 && !has_token(bidder, limits->per_second, now_ms))
        return BIDDER_FAST;
    return BIDDER_ASK;
}

void bidder_asked(struct bidder *bidder, const struct bidder_limits *limits, int64_t now_ms)
{
    bidder->open++;
    bidder->passed_over = 0;
    bidder->asked_at_ms = now_ms;
    if (limits->per_second > 0)
        bidder->tokens -= 1;
}

void bidder_answered(struct bidder *bidder, enum bid_outcome outcome, bool had_fair_time)
{
    bool is_fault = false;

    must(bidder->open > 0);
    bidder->open--;
    switch (outcome) {
    case BID_OUTCOME_BID:
    case BID_OUTCOME_NO_BID:
        break;
    case BID_OUTCOME_LATE:
        if (!had_fair_time)
            return;
        is_fault = true;
        break;
    case BID_OUTCOME_WRONG:
    case BID_OUTCOME_FAILED:
        is_fault = true;
        break;
    case BID_OUTCOME_SKIPPED:
    case BID_OUTCOMES:
        return;
    }
    bidder->faults = (bidder->faults << 1 | is_fault) & ((UINT64_C(1) << BIDDER_WINDOW) - 1);
    if (bidder->answers < BIDDER_WINDOW)
        bidder->answers++;
}

void bidder_forget(struct bidder *bidder)
{
    bidder->faults = 0;
    bidder->answers = 0;
    bidder->passed_over = 0;
}
