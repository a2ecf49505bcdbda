/*
 * judge.h - the whole verdict on one lead, as the router gets it: fields, then the inbound filter.
 *
 * Pure: what a validator does with a lead, and what `leadctl explain` shows.
 */
#ifndef LEADLINE_VALIDATOR_JUDGE_H
#define LEADLINE_VALIDATOR_JUDGE_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/frame.h"

/*
 * Judges the lead and writes the verdict into it, with its normal forms in place of the fields as sent.
 *
 * supplier  whose key it came with; NULL when that one is no more: FORBIDDEN
 * now_us    microseconds since 1970 UTC, for the schedules of inbound filters
 * Returns how many patterns were given up.
 */
size_t judge_lead(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, int64_t now_us, struct lead *lead);

#endif
