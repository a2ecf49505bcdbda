#include "common/db_wait.h"

#include "common/must.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

struct db_wait {
    PGconn *conn;
    char state[6];
};

/* struct db_answer is never defined: it is libpq's PGresult under our name. */
static const PGresult *raw(const struct db_answer *answer)
{
    return (const PGresult *)answer;
}

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

/* libpq's messages end with a newline, and may have several lines: the first is the sentence. */
static int tell(struct error *err, const char *message)
{
    struct span line = {message, strcspn(message, "\n")};

    return error_set(err, "%.*s", SPAN_FMT(line));
}

struct db_wait *db_wait_open(const char *dsn, struct error *err)
{
    static const char *const keys[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *values[] = {dsn != NULL ? dsn : "", "leadctl", "UTF8", NULL};
    struct db_wait *db = must_zalloc(sizeof *db);

    setenv("PGCONNECT_TIMEOUT", "5", 0);
    db->conn = PQconnectdbParams(keys, values, 1);
    must(db->conn != NULL);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        tell(err, PQerrorMessage(db->conn));
        db_wait_close(&db);
        return NULL;
    }
    PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
    if (db_wait_do(db, "SET TIME ZONE 'UTC'; SET datestyle = 'ISO'; SET client_min_messages = warning", DB_NO_PARAMS, err) < 0)
        db_wait_close(&db);
    return db;
}

void db_wait_close(struct db_wait **db)
{
    if (*db == NULL)
        return;
    PQfinish((*db)->conn);
    free(*db);
    *db = NULL;
}

/* The server's sentence, and its state for db_wait_state(). */
static void tell_result(struct db_wait *db, const PGresult *result, struct error *err)
{
    const char *message = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    if (state != NULL)
        memcpy(db->state, state, strnlen(state, sizeof db->state - 1) + 1);
    tell(err, message != NULL ? message : PQerrorMessage(db->conn));
}

struct db_answer *db_wait_ask(struct db_wait *db, const char *sql, const char *const *params, int count, struct error *err)
{
    PGresult *result;

    db->state[0] = '\0';
    result = count > 0 ? PQexecParams(db->conn, sql, count, NULL, params, NULL, NULL, 0) : PQexec(db->conn, sql);
    if (result != NULL && (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK))
        return (struct db_answer *)result;
    tell_result(db, result, err);
    PQclear(result);
    return NULL;
}

void db_answer_free(struct db_answer **answer)
{
    PQclear((PGresult *)*answer);
    *answer = NULL;
}

int64_t db_wait_do(struct db_wait *db, const char *sql, const char *const *params, int count, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, sql, params, count, err);
    int64_t rows;

    if (answer == NULL)
        return -1;
    rows = strtoll(PQcmdTuples((PGresult *)answer), NULL, 10);
    db_answer_free(&answer);
    return rows;
}

int64_t db_wait_copy(struct db_wait *db, const char *sql, struct span data, struct error *err)
{
    enum { PIECE_BYTES = 1 << 20 };
    PGresult *result;
    int64_t rows = -1;

    db->state[0] = '\0';
    result = PQexec(db->conn, sql);
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        tell_result(db, result, err);
        PQclear(result);
        return -1;
    }
    PQclear(result);
    for (size_t at = 0; at < data.len; at += PIECE_BYTES) {
        size_t left = data.len - at;

        if (PQputCopyData(db->conn, data.ptr + at, (int)(left < PIECE_BYTES ? left : PIECE_BYTES)) != 1)
            break; /* the result says why */
    }
    PQputCopyEnd(db->conn, NULL);
    tell(err, PQerrorMessage(db->conn)); /* unless a result says more */
    while ((result = PQgetResult(db->conn)) != NULL) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            rows = strtoll(PQcmdTuples(result), NULL, 10);
        else
            tell_result(db, result, err);
        PQclear(result);
        if (PQstatus(db->conn) == CONNECTION_BAD)
            break;
    }
    return rows;
}

const char *db_wait_state(const struct db_wait *db)
{
    return db->state;
}

int db_answer_rows(const struct db_answer *answer)
{
    return PQntuples(raw(answer));
}

int db_answer_columns(const struct db_answer *answer)
{
    return PQnfields(raw(answer));
}

const char *db_answer_title(const struct db_answer *answer, int column)
{
    return PQfname(raw(answer), column);
}

struct span db_answer_text(const struct db_answer *answer, int row, int column)
{
    if (PQgetisnull(raw(answer), row, column))
        return (struct span){NULL, 0};
    return (struct span){PQgetvalue(raw(answer), row, column), (size_t)PQgetlength(raw(answer), row, column)};
}

int64_t db_answer_int(const struct db_answer *answer, int row, int column)
{
    return strtoll(PQgetvalue(raw(answer), row, column), NULL, 10);
}

bool db_answer_bool(const struct db_answer *answer, int row, int column)
{
    return PQgetvalue(raw(answer), row, column)[0] == 't';
}
