/*
 * rank.h - which contracts may buy a lead, and in which order they are asked.
 *
 * Pure: looks at the contract, its buyer and the lead's fields only. Caps, which need locked counters, are decide.c's.
 *
 * Before anything is locked rank_candidates() leaves out whom no time of day could make eligible, so that their counters need no
 * lock; when the clock is read rank_at() judges the rest: schedules, and filters and prices that depend on the time.
 */
#ifndef LEADLINE_ROUTER_RANK_H
#define LEADLINE_ROUTER_RANK_H

#include "common/arena.h"
#include "proto/catalog.h"

/* Why a contract was passed over; its word stands in the trail. */
enum pass {
    PASS_NONE,
    PASS_CONTRACT_PAUSED,
    PASS_BUYER_PAUSED,
    PASS_ENDPOINT_OFF, /* its endpoint answered 410, or the operator switched it off */
    PASS_STATE,
    PASS_ZIP,
    PASS_FILTER,
    PASS_SCHEDULE,
    PASS_SUPPRESSED,   /* the lead is on a suppression list of the contract or its buyer */
    PASS_DUPLICATE,    /* sold to this buyer before, by one of the contract's duplicate rules */
    PASS_CONTRACT_CAP,
    PASS_BUYER_CAP,
    PASS_SOURCE_CAP,   /* what the lead would cost does not fit */
    PASS_SUPPLIER_CAP,
    PASS_CAMPAIGN_CAP, /* the same, or it has sold its leads */
    PASS_OTHER_BUYER,  /* the supplier asked for one buyer only */
    PASS_NOT_OFFERED,  /* it was not in the lead's ping */
    PASS_NO_BID,       /* it sells by live bids only, and made none */
    PASS_EXCLUSIVE, /* another one pays more than all together for being alone */
    PASS_SAME_BUYER, /* another contract of the buyer has bought this lead */
    PASS_SOLD_OUT,   /* max_sells was reached before */
    PASS_NO_ENDPOINT, /* its answer is needed, and there is nowhere to ask */
    PASS_NO_TIME,     /* its answer is needed, and could not come in time */
    PASS_ASKED,      /* not passed over: its buyer is being asked (confirm.h) */
    PASS_LATER,      /* not passed over: it is asked when those before it refuse */
};

const char *pass_word(enum pass pass);

/* Would it buy, if a cap had room? */
bool pass_is_full(enum pass pass);
struct sold_keys; /* router/decide.h */

struct candidate {
    const struct contract *contract;
    const struct sold_keys *sold_keys; /* of its buyer's duplicate rules; NULL: it has none, or the lead is a test */
    int64_t price_cents;
    int64_t exclusive_cents; /* its price when nobody else gets the lead; 0: none */
    size_t place;    /* of its offer in the lead's ping, from 1: price and order are as offered; 0: it has none */
    bool sells_by_bid; /* by its buyer's live bid, and not yet asked or answered with BID */
    bool is_fixed;   /* the price is an offer's or a bid's: rules do not change it */
    enum pass pass; /* PASS_NONE: eligible as far as is known */
    const struct cap *full; /* of PASS_…_CAP: which */
    struct span detail;     /* of PASS_FILTER which rules ("age >=, state IN"), of PASS_SCHEDULE the buyer's local time, of PASS_DUPLICATE the
                               rule, of PASS_SUPPRESSED the list, of PASS_NO_BID what became of the question ("LATE in 300 ms"); else absent */
    struct span bid;        /* of a live bid: "bid in 12 ms"; else absent */
    size_t gave_up;         /* patterns of its filters whose search was given up */
};

/*
 * All contracts of the campaign: first the eligible in selling order, then those passed over, by id.
 *
 * fields  the lead's normal forms
 * count   set to the number of all; *eligible to that of the eligible
 * Returns the list, in the arena.
 */
struct candidate *rank_candidates(struct arena *arena, const struct campaign *campaign, const struct field_list *fields,
                                  size_t *count, size_t *eligible);

/* Puts the list's first `eligible` in selling order, after prices have changed. */
void rank_order(const struct campaign *campaign, struct candidate *list, size_t eligible);

/*
 * Judges what depends on the time, and puts the list in order again: whoever is passed over now comes behind the others, in
 * selling order.
 *
 * now_us    microseconds since 1970 UTC; each buyer's time zone makes it local
 * list      of rank_candidates(), for the same campaign and fields; its first `eligible` are looked at
 */
void rank_at(struct arena *arena, const struct campaign *campaign, const struct field_list *fields, int64_t now_us,
             struct candidate *list, size_t eligible);

#endif
