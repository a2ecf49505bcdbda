/*
 * auction.h - a lead or ping for which buyers were asked what they would pay, until their bids are in.
 *
 * All are asked at once, each by the dispatcher that it belongs to. A buyer's time is min(its ping.timeout_ms, time left - 50 ms); below
 * 50 ms it is not asked. The auction ends when every question is answered, or 50 ms before the supplier's deadline: who has not answered
 * then is LATE. Questions to a dispatcher that is gone end at once, FAILED.
 *
 * What waits here has no row and holds no lock; a router that dies in the middle leaves nothing behind.
 */
#ifndef LEADLINE_ROUTER_AUCTION_H
#define LEADLINE_ROUTER_AUCTION_H

#include "proto/stage.h"
#include "router/inbox.h"
#include "router/quote.h"

#include <stdbool.h>

enum {
    AUCTION_RESERVE_MS = 50, /* of the supplier's time, for what comes after the bids */
    AUCTION_LEAST_MS = 50,   /* who has less is not asked */
    AUCTIONS_MOST = 20000,   /* at once */
};

struct auctions;

/* The bids are in: entry->quotes is set. Takes the entry. */
typedef void auction_done_fn(void *ctx, struct entry **entry);

struct auctions *auctions_new(struct stage *stage, auction_done_fn *done, void *ctx);
void auctions_free(struct auctions **all, struct inbox *inbox); /* what waits is forgotten there */

/*
 * Asks these buyers for bids on the entry, which is taken over. fn is called when all is known: at once, if nobody can be asked.
 *
 * campaign, buyers  of the catalog, borrowed for the call
 */
void auction_begin(struct auctions *all, struct entry **entry, const struct campaign *campaign, const struct buyer *const *buyers, size_t count);

/* An answer came; one that nobody waits for is dropped. Returns false when it is damaged. */
bool auction_bid(struct auctions *all, const struct bid *bid);

/* A dispatcher is gone. */
void auction_lost(struct auctions *all, struct neighbour *dispatcher);

size_t auctions_open(const struct auctions *all);

#endif
