/*
 * quote.h - what buyers have answered when they were asked for a live bid on a lead or ping.
 *
 * Who was not asked (no time, no dispatcher) has a quote, too: SKIPPED.
 */
#ifndef LEADLINE_ROUTER_QUOTE_H
#define LEADLINE_ROUTER_QUOTE_H

#include "common/span.h"
#include "proto/bid_outcome.h"
#include "proto/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quote {
    struct span buyer_id;
    enum bid_outcome outcome;
    int64_t price_cents; /* of BID, above 0 */
    int64_t took_ms;
};

struct quotes {
    struct quote *items;
    size_t count;
};

/* The buyer's, or NULL. */
const struct quote *quotes_find(const struct quotes *quotes, struct span buyer_id);

/* Does this buyer sell by its bids only, on this campaign (SPEC.md, 6)? */
bool quote_is_needed(const struct campaign *campaign, const struct buyer *buyer);

#endif
