/*
 * sell.h - the parts of selling one lead: who is asked in which order, who has room, whose turn it was. Used by decide.c, which sells
 * at once, and by confirm.c, which asks the buyers one after another.
 *
 * Pure, and under the locks of the batch: see decide.h.
 */
#ifndef LEADLINE_ROUTER_SELL_H
#define LEADLINE_ROUTER_SELL_H

#include "router/decide.h"
#include "router/turn.h"

/* The candidates that have room, when the campaign takes turns. */
struct turns {
    struct turn *list; /* its places are those of the plan's candidates */
    size_t count;
    int64_t owes; /* so many sales, unless money stands in the way */
};

/* The first cap of this owner that is too full for so much more (see caps_full()), or NULL. */
const struct cap *sell_full_cap(const struct facts *facts, const struct cap_owner *owner, int64_t leads, int64_t cents);

/* Counts one lead of that amount for this owner, if it has a counter. */
void sell_take(const struct facts *facts, const struct cap_owner *owner, int64_t cents);

/*
 * Puts the plan's eligible candidates into the order in which they are asked at the facts' time.
 *
 * turns  set for campaigns that take turns, to those who have room
 * Returns how many, from the first one on, may be asked; each is still to be judged.
 */
size_t sell_order(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns);

/* May this one buy, too, besides decision->sales? Sets what the trail tells of it. */
enum pass sell_judge(struct arena *arena, const struct facts *facts, const struct decision *decision, struct candidate *candidate);

/* The turn of the plan's candidate at that place. */
struct turn sell_turn(const struct facts *facts, const struct plan *plan, size_t place);

/* Has this contract bought the lead? */
bool sell_has_bought(const struct decision *decision, struct span contract_id);

/* decision->sales are made: what the lead owed to these turns is credit now, and who of them bought has paid. */
void sell_pay_turns(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns);

/* The lead's ping is used up (by a test lead, too): its first buyer stands in what a second lead is told. */
void sell_use_ping(struct arena *arena, struct facts *facts, const struct decision *decision, struct span buyer_id);

/* Nobody takes it: because its supplier's money is spent (REJECTED), or because there is no buyer. */
void sell_to_nobody(struct decision *decision);

#endif
