/*
 * duplicate.h - earlier leads equal to this one: by its campaign's rules, and by its buyers'.
 *
 * Pure. Keys are made before anything is locked and read; judging looks them up in the facts; whoever counts puts its own keys there,
 * for the leads behind it in the batch and for the database. Under one key the newest lead stands: whichever rule asks, no other
 * blocks longer. So contracts with different windows share a key, and each looks back as far as its own window reaches.
 */
#ifndef LEADLINE_ROUTER_DUPLICATE_H
#define LEADLINE_ROUTER_DUPLICATE_H

#include "router/decide.h"

/*
 * Makes the keys that the plan's lead may be judged by or counted under: those of its campaign's rules, and of all rules of its eligible
 * candidates' buyers, whose candidates are pointed at them. A test lead has none of the latter; one that was refused before has
 * only those of a campaign that compares with all leads.
 */
void duplicate_make_keys(struct arena *arena, const uint8_t secret[32], struct plan *plan);

/* The earlier lead that one of the campaign's rules finds, and *matched says which: "phone: 30 days, lead 0193…"; NULL when there is none. */
const struct holder *duplicate_of_campaign(struct arena *arena, const struct facts *facts, const struct plan *plan, struct span *matched);

/* May this contract buy by its own rules? If not, the candidate's detail says which: "email, phone: 30 days". */
bool duplicate_judge_contract(struct arena *arena, const struct facts *facts, const struct uuid *lead_id, struct candidate *candidate);

/* Does the lead count for its campaign's rules, by what was decided? */
bool duplicate_counts(const struct decision *decision);

/* Remembers a lead that counts for its campaign; one that was sold to the candidate, for that buyer. */
void duplicate_hold_lead(struct arena *arena, struct facts *facts, const struct plan *plan);
void duplicate_hold_sale(struct arena *arena, struct facts *facts, const struct plan *plan, const struct candidate *candidate);

#endif
