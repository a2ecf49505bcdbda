/*
 * settle.h - what a buyer's refusal of a sale already made means (SPEC.md, 3, 7): the buyer does not pay, and the place goes back.
 *
 * The dispatcher writes the verdict and a row of table unsettled in one statement; whichever router sees the row first settles it, in
 * one transaction under the fence of the batches:
 *
 *     take      rows of unsettled that nobody else has in hand, with their sales
 *     lock      the counters of their contracts and buyers, by id, as a batch does
 *     write     sale SOLD → REJECTED; one lead and its price out of those windows in which it was counted and which still run, and out of
 *               the total; a step in the trail; the row is gone
 *
 * A kill before the commit leaves the row, after it nothing is left to do; the sale's state is the guard against doing it twice. What
 * counts leads sold (campaign, source, supplier) stays, as do the supplier's cost, the duplicate keys and the turns.
 */
#ifndef LEADLINE_ROUTER_SETTLE_H
#define LEADLINE_ROUTER_SETTLE_H

#include "proto/stage.h"

#include <stdbool.h>

struct settle;

/* Opens a connection of its own. Borrows the stage. */
struct settle *settle_new(struct stage *stage);
void settle_free(struct settle **settle);

/* A second has passed: looks whether something is to be settled, and goes on until nothing is. */
void settle_tick(struct settle *settle);

/* Is nothing under way? */
bool settle_is_idle(const struct settle *settle);

#endif
