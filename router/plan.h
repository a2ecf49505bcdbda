/*
 * plan.h - what a lead needs to be decided: its campaign, its candidates, its keys.
 *
 * Pure. The plan borrows lead, catalog and keys, and lives in the arena; it is made anew for every try, because the catalog may change.
 *
 * A lead that names a ping (flo_ping_id) may be sold to that ping's contracts only, at its prices. What is wrong with the ping without
 * looking at the time or the database is found here (decide.h, ping_fault): unreadable or altered, of another supplier or campaign, a
 * test's for a lead that is none, fields that are not as they were, a flo_buyer_id that was not offered.
 */
#ifndef LEADLINE_ROUTER_PLAN_H
#define LEADLINE_ROUTER_PLAN_H

#include "router/decide.h"
#include "router/quote.h"

/*
 * keys    of ping ids
 * quotes  what buyers have bid; NULL: they are to be asked yet (offer.h)
 */
void plan_make(struct arena *arena, const struct catalog *catalog, const struct ping_keys *keys, const struct lead *lead, const struct quotes *quotes,
               struct plan *plan);

/*
 * What the lead says, as a ping and its post are compared (ping_token.h): the normal forms of the campaign's fields, e-mails wholly in lower
 * case, and the others as they were sent.
 */
void plan_said(struct arena *arena, const struct campaign *campaign, const struct lead *lead, struct field_list *said);

/* Might buyers be asked for bids on this lead or ping, before it is decided? */
bool plan_needs_bids(const struct catalog *catalog, const struct lead *lead);

#endif
