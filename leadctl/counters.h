/*
 * counters.h - the counters that the configuration asks for (DESIGN.md, 4).
 *
 * One row for each contract, buyer, campaign, source and supplier that has caps, and for each contract that takes turns, by
 * natural key. A row that comes alive, or gets another time zone, is filled from what was sold; a row that nobody asks for any more rests. None is ever deleted.
 */
#ifndef LEADLINE_LEADCTL_COUNTERS_H
#define LEADLINE_LEADCTL_COUNTERS_H

#include "common/db_wait.h"

/* SQL: lists what the new document (configuration_store.c's temporary tables) asks for; before the fence. */
extern const char COUNTERS_WANTED[];

/* Makes the table match; behind the fence. Returns 0, or -1 with *err. */
int counters_settle(struct db_wait *db, struct error *err);

#endif
