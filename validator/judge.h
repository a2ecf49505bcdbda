/*
 * judge.h - what a validator makes of one lead, without the database: its fields, then the campaign's inbound filter.
 *
 * Pure: what a validator does with a lead, and what `leadctl explain` shows.
 */
#ifndef LEADLINE_VALIDATOR_JUDGE_H
#define LEADLINE_VALIDATOR_JUDGE_H

#include "proto/frame.h"
#include "validator/rules.h"

/*
 * Judges the lead.
 *
 * supplier  whose key it came with; NULL when that one is no more: FORBIDDEN
 * now_us    microseconds since 1970 UTC, for the schedules of inbound filters
 * Returns how many patterns were given up.
 */
size_t judge_lead(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, int64_t now_us,
                  const struct lead *lead, struct verdict *verdict);

/* Writes the verdict into the lead, for the router: the normal forms take the place of the fields as sent. */
void judge_tell(const struct catalog *catalog, const struct verdict *verdict, struct lead *lead);

#endif
