/*
 * offer.h - which contracts a lead may be sold to, when its supplier has said so: those of its ping, or those of one buyer.
 *
 * Pure. Both work on a ranked list (rank.h) and keep it so: whoever is passed over comes behind the others.
 */
#ifndef LEADLINE_ROUTER_OFFER_H
#define LEADLINE_ROUTER_OFFER_H

#include "proto/ping_token.h"
#include "router/rank.h"

/* Only the contracts that were offered, at the offered prices and in that order. eligible: as rank_candidates() gave it; changed. */
void offer_lock(const struct ping_token *ping, struct candidate *list, size_t *eligible);

/* Only contracts of this buyer. */
void offer_only(struct span buyer_id, struct candidate *list, size_t *eligible);

#endif
