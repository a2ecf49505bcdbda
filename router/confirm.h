/*
 * confirm.h - leads whose sale depends on the buyer's answer (SPEC.md, 6: `confirm`).
 *
 * Pure, as decide.h, and in the same batches. Buyers are asked one after another:
 *
 *   new lead      DISTRIBUTING; the best candidate's place is taken in every cap, the duplicate keys are held (confirm_begin)
 *   each step     the open try is settled by what the dispatcher recorded, or by its time being over; an acceptance keeps its place,
 *                 anything else gives place and money back; then the next candidate is asked with the time that is left (confirm_step)
 *   last step     ACCEPTED with the sales that were accepted, or UNMATCHED; the supplier is answered
 *
 * The rows tell it all (tables distributing, reservation, delivery), so any router can go on with a lead when the one that has it is gone:
 * a step is taken by whoever the row names, or by anybody when the time of the open try has been over for ADOPT_AFTER_MS.
 *
 *   killed before a commit    the step was not taken; it is taken by the next who looks
 *   dispatcher killed         between the buyer's yes and its record: nobody knows of the yes, the try ends as not answered in time
 *
 * Turns move with the last step only, among those who have bought and those who had room then and were not asked.
 */
#ifndef LEADLINE_ROUTER_CONFIRM_H
#define LEADLINE_ROUTER_CONFIRM_H

#include "router/decide.h"

enum {
    ANSWER_GRACE_MS = 250, /* a verdict may be so long on its way into the database after the buyer's time is over */
    ADOPT_AFTER_MS = 1000,
    ASK_LEAST_MS = 50,     /* with less time left nobody is asked */
    DEADLINE_MS = 5000,    /* for a campaign that names none */
    REPLY_MS = 100,        /* of the supplier's time are kept for recording and answering */
};

/* Begins to ask for a lead that would be sold: sets the decision's state, and its first try. */
void confirm_begin(struct arena *arena, struct facts *facts, struct decision *decision);

/* The lead is recorded as DISTRIBUTING: goes on with it, or says until when that has to wait. */
void confirm_step(struct arena *arena, struct facts *facts, struct decision *decision);

/* Was this contract's buyer asked before? before: NULL: nobody was. */
bool confirm_was_asked(const struct distributing *before, struct span contract_id);

/* Do we know yet what becomes of the leads that hold this one's keys? If not, it has to wait. */
bool confirm_must_wait(const struct facts *facts, const struct plan *plan);

#endif
