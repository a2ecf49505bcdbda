/*
 * store.h - what the validator asks the database: who is on suppression lists. It writes nothing.
 */
#ifndef LEADLINE_VALIDATOR_STORE_H
#define LEADLINE_VALIDATOR_STORE_H

#include "proto/stage.h"
#include "validator/suppressed.h"

/* What such a connection is opened with: the session's settings, and the statements that are prepared. */
extern const char look_up_settings[];
extern const struct db_statement look_up_statements[];

/* A connection for look-ups, owned by the caller (db_close). */
struct db *store_open(struct stage *stage, db_state_fn *on_state, void *ctx);

/* One query for all these keys; its rows are for store_hits(). What is committed when it begins is seen: nothing is cached. */
void store_look_up(struct db *db, const struct sought *sought, db_done_fn *fn, void *ctx);
void store_hits(struct db_rows *const *rows, struct hits *hits);

#endif
