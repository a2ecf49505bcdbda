/*
 * inbound.h - does the campaign's inbound filter let the lead in? Behind rules.h, in the order of SPEC.md, 3.
 *
 * Pure. Schedules and "days ago" are judged by the installation's time zone.
 */
#ifndef LEADLINE_VALIDATOR_INBOUND_H
#define LEADLINE_VALIDATOR_INBOUND_H

#include "proto/moment.h"
#include "validator/rules.h"

/*
 * Judges a lead that rules_judge() has found good: otherwise nothing happens. A lead that fails gets FILTERED, with an error for each
 * rule that failed, in the order of the document (of an `any` all its rules): field, operator and message, code "filtered".
 *
 * Returns how many patterns were given up.
 */
size_t inbound_judge(struct arena *arena, const struct moment *now, struct verdict *verdict);

#endif
