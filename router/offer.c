#include "router/offer.h"

#include <inttypes.h>
#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

/* Puts those that are passed over now behind the others, whose order stays. */
static void part(struct candidate *list, size_t *eligible)
{
    size_t kept = 0;

    for (size_t i = 0; i < *eligible; i++) {
        struct candidate candidate = list[i];

        if (candidate.pass != PASS_NONE)
            continue;
        for (size_t j = i; j > kept; j--)
            list[j] = list[j - 1];
        list[kept++] = candidate;
    }
    *eligible = kept;
}

static size_t place_of(const struct ping_token *ping, const struct contract *contract)
{
    for (size_t i = 0; i < ping->offer_count; i++)
        if (span_equal(ping->offers[i].contract_id, contract->id) && ping->offers[i].buyer == ping_token_hash(contract->buyer->id))
            return i + 1; /* the contract may be another buyer's by now */
    return 0;
}

void offer_lock(const struct ping_token *ping, struct candidate *list, size_t *eligible)
{
    for (size_t i = 0; i < *eligible; i++) {
        list[i].place = place_of(ping, list[i].contract);
        if (list[i].place == 0) {
            list[i].pass = PASS_NOT_OFFERED;
            continue;
        }
        list[i].is_fixed = true;
        list[i].price_cents = ping->offers[list[i].place - 1].price_cents;
        list[i].exclusive_cents = ping->offers[list[i].place - 1].exclusive_cents;
    }
    part(list, eligible);
    if (*eligible > 0)
        qsort(list, *eligible, sizeof *list, by_place);
}

void offer_only(struct span buyer_id, struct candidate *list, size_t *eligible)
{
    for (size_t i = 0; i < *eligible; i++)
        if (!span_equal(list[i].contract->buyer->id, buyer_id))
            list[i].pass = PASS_OTHER_BUYER;
    part(list, eligible);
}

static void take_quote(struct arena *arena, const struct quote *quote, struct candidate *candidate)
{
    enum bid_outcome outcome = quote != NULL ? quote->outcome : BID_OUTCOME_SKIPPED;

    if (outcome == BID_OUTCOME_BID) {
        candidate->price_cents = quote->price_cents;
        candidate->sells_by_bid = candidate->is_fixed = true;
        candidate->bid = arena_printf(arena, "bid in %" PRId64 " ms", quote->took_ms);
        return;
    }
    candidate->pass = PASS_NO_BID;
    if (outcome == BID_OUTCOME_SKIPPED)
        candidate->detail = span_of(bid_outcome_word(outcome));
    else
        candidate->detail = arena_printf(arena, "%s in %" PRId64 " ms", bid_outcome_word(outcome), quote->took_ms);
}

void offer_bids(struct arena *arena, const struct campaign *campaign, const struct quotes *quotes, struct candidate *list, size_t *eligible)
{
    bool has_bidders = false;

    for (size_t i = 0; i < *eligible; i++) {
        if (!quote_is_needed(campaign, list[i].contract->buyer))
            continue;
        has_bidders = true;
        if (quotes != NULL) {
            take_quote(arena, quotes_find(quotes, list[i].contract->buyer->id), &list[i]);
            continue;
        }
        list[i].sells_by_bid = list[i].is_fixed = true;
        list[i].price_cents = 1; /* the least that it may bid: who has no room for that is not asked */
    }
    if (!has_bidders)
        return;
    part(list, eligible);
    rank_order(campaign, list, *eligible);
}
