/*
 * offer.h - which contracts a lead may be sold to, and for how much, when that is not the campaign's rules alone: those of its ping, those
 * of the one buyer that its supplier wants, those whose buyers have bid.
 *
 * Pure. All work on a ranked list (rank.h) and keep it so: whoever is passed over comes behind the others.
 */
#ifndef LEADLINE_ROUTER_OFFER_H
#define LEADLINE_ROUTER_OFFER_H

#include "proto/ping_token.h"
#include "router/quote.h"
#include "router/rank.h"

/* Only the contracts that were offered, at the offered prices and in that order. eligible: as rank_candidates() gave it; changed. */
void offer_lock(const struct ping_token *ping, struct candidate *list, size_t *eligible);

/* Only contracts of this buyer. */
void offer_only(struct span buyer_id, struct candidate *list, size_t *eligible);

/*
 * Buyers that sell by bids only: at what they have bid, or not at all; the list is put in order again.
 *
 * quotes  what they answered; NULL: they are to be asked yet, and are eligible at any price (sells_by_bid tells them)
 */
void offer_bids(struct arena *arena, const struct campaign *campaign, const struct quotes *quotes, struct candidate *list, size_t *eligible);

#endif
