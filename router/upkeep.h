/*
 * upkeep.h - what the record needs now and then: partitions of the coming months, and old keys taken out.
 */
#ifndef LEADLINE_ROUTER_UPKEEP_H
#define LEADLINE_ROUTER_UPKEEP_H

#include "common/db.h"

#include <stdbool.h>

enum { CLEANED_AT_ONCE = 2000 }; /* keys of each table */

/* A new key for ping ids when the newest is a day old; the third last is taken away. */
void upkeep_ping_keys(struct db *db);

/* Upkeep, now and then, on another connection: partitions of the coming months; a small batch of keys whose time is over. */
void upkeep_partitions(struct db *db);
void upkeep_keys(struct db *db, db_done_fn *done, void *ctx);

/* In the done of upkeep_keys(): is nothing left that could be cleaned now? */
bool upkeep_is_clean(struct db_rows *const *rows, const struct db_error *error);
#endif
