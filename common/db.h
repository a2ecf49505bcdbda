/*
 * db.h - one connection to PostgreSQL that never blocks the loop and comes back by itself.
 *
 * Work is sent as jobs: a few statements that go out together in pipeline mode, closed by one sync, so one
 * round trip. Jobs are answered in order. A job that is not ended by its own COMMIT leaves its transaction
 * open for the next job; a job without BEGIN is one implicit transaction.
 *
 * Every callback comes exactly once: with the results, or with why there are none (the first error, or the
 * lost connection). After an error inside an explicit transaction the caller sends a job with ROLLBACK.
 *
 * The connection tries again by itself (at once, then every 100 ms growing to 1 s) until db_close().
 */
#ifndef LEADLINE_COMMON_DB_H
#define LEADLINE_COMMON_DB_H

#include "common/buf.h"
#include "common/error.h"
#include "common/loop.h"
#include "common/span.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_job;
struct db_rows; /* the result of one statement */

/* A statement known by its place in a table; it is prepared at every connect. */
struct db_statement {
    const char *name; /* unique in its table */
    const char *sql;  /* $1 … with casts, so that types are known; results come in binary */
};

enum db_trouble {
    DB_OK = 0,
    DB_GONE,     /* the connection was lost: nothing is known about a commit that was under way */
    DB_CONFLICT, /* rolled back because of somebody else (40001, 40P01, 23505, 55P03, 57014, LL001): decide again */
    DB_DOWN,     /* PostgreSQL cannot do it now (classes 25, 53, 57, 58, F0, XX), or may not (0A, 26, 3F, 42: its schema or rights
                    are not ours): nobody's lead is to blame */
    DB_REFUSED,  /* the data or the statement is to blame (every other class) */
};

struct db_error {
    enum db_trouble trouble;
    int statement;     /* which statement of the job, from 0 */
    char sqlstate[6];
    char text[256];    /* the server's primary message; it may quote data: never log it (db.c does, of DB_GONE and DB_DOWN) */
};

/*
 * rows[i] belongs to the job's i-th statement (NULL from the failed one on); borrowed for the call.
 * error is never NULL; its trouble is DB_OK when all went well. The connection is not closed inside.
 */
typedef void db_done_fn(void *ctx, struct db_rows *const *rows, const struct db_error *error);
typedef void db_state_fn(void *ctx, bool is_up);
typedef void db_notify_fn(void *ctx, const char *channel);

struct db_options {
    const char *dsn;                       /* libpq's connection string; NULL or "": PG* environment */
    const char *application;               /* application_name */
    const char *settings;                  /* SET … of the session, one text of statements separated by ';', or NULL */
    const struct db_statement *statements; /* prepared at every connect; ends with a NULL name; may be NULL */
    db_state_fn *on_state;                 /* called when it comes up, goes down, and turns out to be away; may be NULL */
    db_notify_fn *on_notify;               /* a NOTIFY of a channel that settings LISTEN to; may be NULL */
    void *ctx;
};

/* Begins to connect. Returns the connection, owned by the caller. Cannot fail; see on_state. Options and their texts are copied; the statements are borrowed. */
struct db *db_open(struct loop *loop, const struct db_options *options);
void db_close(struct db **db); /* jobs under way are called back with DB_GONE */

bool db_is_up(const struct db *db);

/* Tried and failed since it last was up: "known to be away". */
bool db_is_away(const struct db *db);

/* Jobs sent and not yet answered. */
int db_busy(const struct db *db);

/* Closes the connection and begins anew; jobs under way are called back with DB_GONE. */
void db_reset(struct db *db);

/* A new empty job, owned by the caller until db_send(). */
struct db_job *db_job_new(void);
void db_job_free(struct db_job **job);

/* Adds a statement: of the prepared table by its name, or any SQL text. Parameters follow by db_add_*. */
void db_prepared(struct db_job *job, const char *name);
void db_sql(struct db_job *job, const char *sql);

/* Add the next parameter of the latest statement. Values are copied. */
void db_add_null(struct db_job *job);
void db_add_text(struct db_job *job, struct span text); /* ptr NULL: null */
void db_add_bytes(struct db_job *job, struct span bytes);
void db_add_uuid(struct db_job *job, const struct uuid *id); /* NULL: null */
void db_add_int(struct db_job *job, int64_t value);          /* int8 */
void db_add_bool(struct db_job *job, bool value);

/* Sends and takes *job. When the connection is not up, fn is called back at the end of this turn with DB_GONE. */
void db_send(struct db *db, struct db_job **job, db_done_fn *fn, void *ctx);

/* Ends the transaction that a job has left open, without a trace. */
void db_roll_back(struct db *db);

/*
 * Arrays, in PostgreSQL's binary form: begin one with its type and count, then add exactly that many elements with
 * db_item_*, in place of one db_add_*. Element types are the enum's; jsonb elements are texts.
 */
enum db_type { DB_BOOL = 16, DB_BYTEA = 17, DB_INT8 = 20, DB_INT4 = 23, DB_TEXT = 25, DB_TIMESTAMPTZ = 1184, DB_UUID = 2950, DB_JSONB = 3802 };
void db_array(struct db_job *job, enum db_type type, size_t count);
void db_item_null(struct db_job *job);
void db_item_text(struct db_job *job, struct span text); /* DB_TEXT, DB_BYTEA, DB_JSONB; ptr NULL: null */
void db_item_uuid(struct db_job *job, const struct uuid *id);
void db_item_int(struct db_job *job, int64_t value); /* DB_INT8, DB_INT4 */
void db_item_bool(struct db_job *job, bool value);
void db_item_time(struct db_job *job, int64_t at_us); /* microseconds since 1970 UTC */

/* Reading results. Columns are of the types that the SQL gives; cast there (::text, ::int8, ::float8 is not read). */
int db_count(const struct db_rows *rows);    /* rows of a SELECT or RETURNING */
int64_t db_affected(const struct db_rows *rows);
bool db_is_null(const struct db_rows *rows, int row, int column);
struct span db_text(const struct db_rows *rows, int row, int column);  /* text, bytea, enum; json(b) must be cast to text. {NULL, 0} for null */
int64_t db_int(const struct db_rows *rows, int row, int column);       /* int2, int4, int8; 0 for null */
bool db_bool(const struct db_rows *rows, int row, int column);
struct uuid db_uuid(const struct db_rows *rows, int row, int column);  /* nil for null */
int64_t db_time_us(const struct db_rows *rows, int row, int column);   /* timestamptz, microseconds since 1970 UTC; 0 for null */

enum { DB_JOB_STATEMENTS = 64 }; /* of one job, at most */

#endif
