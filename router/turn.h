/*
 * turn.h - whose turn it is to buy: ROUND_ROBIN and WEIGHTED by credits (SPEC.md, 6; DESIGN.md, 3).
 *
 * Pure. Each lead owes its eligible contracts as many sales as it makes, and each gets its share:
 *
 *     share = sells * weight / sum of the eligible weights, but at most 1
 *
 * with sells = min(max_sells, buyers that are eligible), because no buyer gets a lead twice: the contracts of one buyer share
 * its part by their weights. Where a buyer's part would be over 1 it is 1, and the others share what is left over by their
 * weights; otherwise it would be owed more and more that no lead can ever give. Whoever is owed most sells and pays 1. With
 * one sale a lead this is the rule of SPEC.md, 6, word for word.
 *
 * So every lead adds as much as it takes, credits stay near zero, and who comes back after a while neither catches up nor
 * waits: who was not eligible stood still. Credits are integers of 1 / TURN_UNIT of a lead. The unit is a multiple of all
 * numbers up to 36, so the usual weights divide evenly; where they do not, what the division leaves over goes, a unit each,
 * to the first by buyer and id: the sum that a lead adds is exact, and a share is off by one lead after 10^14 leads.
 *
 * With one sale a lead nobody is ever a whole lead ahead while the eligible stay the same, from credits of nothing; nor behind with
 * three contracts or fewer, and usual weights of more. Among many contracts of very unlike weights the rule itself lets one fall
 * behind by a little more (by 1.4 leads where they are 10, 10, 1, 10, 100, 1, 1, 100, 1, 100), until it is owed most.
 */
#ifndef LEADLINE_ROUTER_TURN_H
#define LEADLINE_ROUTER_TURN_H

#include "common/arena.h"
#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

#define TURN_UNIT INT64_C(144403552893600)

/* An eligible contract. */
struct turn {
    struct span contract_id, buyer_id;
    int64_t weight; /* from 1 to 1,000,000; the same for all in ROUND_ROBIN */
    int64_t credit; /* before this lead; never changed here */
    int64_t owed;   /* with this lead's share; set by turn_owe() */
    size_t place;   /* the caller's */
};

/*
 * Gives each its share of a lead, and sorts: whoever is owed most comes first; ties: id.
 *
 * sells  how many sales the lead makes at most
 * Who buys then pays TURN_UNIT of what it is owed; the rest is its credit from then on.
 * Returns how many sales it owes: sells, or the number of buyers when they are fewer.
 */
int64_t turn_owe(struct arena *arena, struct turn *turns, size_t count, int64_t sells);

#endif
