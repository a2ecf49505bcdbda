/*
 * db_wait.h - PostgreSQL for a program that has nothing else to do meanwhile: every call waits for its answer.
 *
 * For leadctl; daemons use db.h. Values go and come as text; cast in the SQL. The session's time zone is UTC, its
 * encoding UTF-8.
 */
#ifndef LEADLINE_COMMON_DB_WAIT_H
#define LEADLINE_COMMON_DB_WAIT_H

#include "common/error.h"
#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

struct db_wait;   /* a connection */
struct db_answer; /* the result of one statement */

/* Connects; gives up after 5 s unless the connection string or PGCONNECT_TIMEOUT says otherwise. NULL or "": PG* environment.
 * Returns the connection, owned by the caller, or NULL with *err. */
struct db_wait *db_wait_open(const char *dsn, struct error *err);
void db_wait_close(struct db_wait **db);

/*
 * Runs one statement with its parameters ($1 …; NULL is null). Without parameters, several statements may stand in sql.
 * Returns the (last) answer, owned by the caller, or NULL with the server's sentence in *err.
 */
struct db_answer *db_wait_ask(struct db_wait *db, const char *sql, const char *const *params, int count, struct error *err);
void db_answer_free(struct db_answer **answer);

/* The same when nobody wants to see rows. Returns how many rows were touched, or -1 with *err. */
int64_t db_wait_do(struct db_wait *db, const char *sql, const char *const *params, int count, struct error *err);

/* COPY … FROM STDIN with all its data. Returns how many rows were copied, or -1 with *err. */
int64_t db_wait_copy(struct db_wait *db, const char *sql, struct span data, struct error *err);

/* Parameters in place: db_wait_do(db, sql, DB_PARAMS(id, text), &err), and none. */
#define DB_PARAMS(...) (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define DB_NO_PARAMS NULL, 0

/* SQLSTATE of the latest error, "" when there was none or it did not come from the server. Borrowed. */
const char *db_wait_state(const struct db_wait *db);

int db_answer_rows(const struct db_answer *answer);
int db_answer_columns(const struct db_answer *answer);
const char *db_answer_title(const struct db_answer *answer, int column);

/* What stands there, borrowed from the answer, with a zero behind its end; {NULL, 0} for null. */
struct span db_answer_text(const struct db_answer *answer, int row, int column);
int64_t db_answer_int(const struct db_answer *answer, int row, int column); /* 0 for null */
bool db_answer_bool(const struct db_answer *answer, int row, int column);   /* false for null */

#endif
