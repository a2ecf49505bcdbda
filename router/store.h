/*
 * store.h - the router's SQL: what is read under locks, and what is written (DESIGN.md, 3).
 *
 * A batch is two round trips: store_read() begins the transaction, takes fence and locks and reads; store_write() writes and
 * commits. In between the transaction is open, and db_roll_back() ends it otherwise.
 */
#ifndef LEADLINE_ROUTER_STORE_H
#define LEADLINE_ROUTER_STORE_H

#include "common/db.h"
#include "router/decide.h"
#include "router/wanted.h"

/* For db_open(): the session's settings, and the statements that are prepared. */
extern const char store_settings[];
extern const struct db_statement store_statements[];
extern const struct db_statement store_look_statements[]; /* of store_look() */

/* Begins the transaction, locks and reads. done gets rows for store_facts(). */
void store_read(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx);

/*
 * Reads the same without fence and locks, as one snapshot of a READ ONLY transaction, which is over when done is called: for who
 * only wants to know, and never slows a router. The counters may be others a moment later.
 */
void store_look(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx);

/*
 * The same without locks and without a transaction: counters, the clock and duplicate keys, and what is recorded already, for pings and for leads before buyers are asked. A job for a connection with
 * store_peeks; store_peeked() makes facts of its rows, and returns false when a counter is not there.
 */
extern const struct db_statement store_peeks[];
void store_peek(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx);
bool store_peeked(struct arena *arena, struct db_rows *const *rows, const struct wanted *wanted, struct facts *facts);

enum { NO_VERSION = -1 };

/*
 * Makes facts of the rows of either, in the arena; maps are freed by facts_close(). Returns the catalog's version in the database;
 * NO_VERSION when a counter is not there: nothing may be sold past a cap that cannot be counted.
 */
int64_t store_facts(struct arena *arena, struct db_rows *const *rows, const struct wanted *wanted, struct facts *facts);
void facts_close(struct facts *facts);

/* Writes all decisions that record something, keys and counters, and commits. Returns false when there is nothing to write. */
bool store_write(struct db *db, struct arena *arena, const struct decision *decisions, size_t count, const struct facts *facts,
                 db_done_fn *done, void *ctx);

#endif
