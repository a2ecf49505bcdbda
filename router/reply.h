/*
 * reply.h - what a decision is written as: the supplier's answer, and the JSON of the lead's row and trail.
 *
 * Pure. Answers are compact JSON with keys in the order of SPEC.md, 2.
 */
#ifndef LEADLINE_ROUTER_REPLY_H
#define LEADLINE_ROUTER_REPLY_H

#include "router/decide.h"

/*
 * Fills answer_status and answer_body of a decision of any action, and for ACTION_RECORD and ACTION_STEP also reasons and trail, for ACTION_RECORD fields. ACTION_WAIT is left as it is.
 * Texts live in the arena, or are borrowed from what was recorded. An ACTION_FOLLOW's first one must be filled already.
 * An empty body means that the gateway writes it (UNAVAILABLE, INTERNAL).
 */
void reply_fill(struct arena *arena, struct decision *decision);

/* The word of the step under which the trail is kept: "validation", "ping", "duplicates", "sale", "confirm". */
const char *reply_step(const struct decision *decision);

#endif
