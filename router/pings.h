/*
 * pings.h - the suppliers' pings that this router has in hand (SPEC.md, 8): gathered, judged by what one query without locks has read
 * for all of them, and answered. They write nothing, take no part in the batches and wait for none.
 *
 *   waiting ──all at hand──▶ [ counters, keys ] ──▶ decide_ping() ──▶ ping_reply() ──▶ answer
 *      ▲                                               └──▶ auction.c: who could buy and sells by bids is asked ──┐
 *      └───────────────────────────────────────── with the bids ──────────────────────────────────────────────────┘
 *
 * Where no cap, turn or duplicate rule is looked at there is no query. Leads for which buyers have to be asked (HIGHEST_BID, and
 * ping and post in one call) go the same way, and then to the batches with their bids.
 */
#ifndef LEADLINE_ROUTER_PINGS_H
#define LEADLINE_ROUTER_PINGS_H

#include "proto/stage.h"
#include "router/inbox.h"
#include "router/keyring.h"

struct pings;

/* Tells a gateway what a lead or ping came to; body is empty where the gateway writes it. */
typedef void ping_answer_fn(void *ctx, const struct lead *lead, int status, struct span body);

/* A lead has its bids, if there are any: entry->quotes is set. Takes the entry, which is of inbox. */
typedef void ping_lead_fn(void *ctx, struct inbox *inbox, struct entry **entry);

/* Opens the connection of the pings. Borrows stage and keyring. */
struct pings *pings_new(struct stage *stage, struct keyring *keyring, ping_answer_fn *answer, ping_lead_fn *on_lead, void *ctx);
void pings_free(struct pings **pings);

/* Takes a ping (or lead) that lives in the hold. One whose id is in hand already is ignored. */
void pings_add(struct pings *pings, const struct lead *lead, struct hold *hold, int64_t expires_ms);

/* Takes a lead that came to the batches before it was known that buyers have to be asked. */
void pings_take(struct pings *pings, struct inbox *inbox, struct entry **entry);

/* Bids came, in a frame. Returns false when it is damaged. */
bool pings_bid(struct pings *pings, const struct bid *bid);

/* A dispatcher is gone: it answers no question any more. */
void pings_lost(struct pings *pings, struct neighbour *dispatcher);

/* Something waits, or could go on. */
void pings_kick(struct pings *pings);

/* The catalog was swapped: what was planned with the old one must not be looked at any more. */
void pings_catalog_changed(struct pings *pings);

size_t pings_waiting(const struct pings *pings); /* not answered */
size_t pings_bytes(const struct pings *pings);   /* in hand */

#endif
