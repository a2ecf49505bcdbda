#include "common/db.h"

#include "common/db_job.h"
#include "common/log.h"
#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MOST_MS = 5000,
    RETRY_FIRST_MS = 100,
    RETRY_MOST_MS = 1000,
};

enum state { STATE_WAITING, STATE_CONNECTING, STATE_PREPARING, STATE_UP };

struct db {
    struct loop *loop;
    struct db_options options;
    PGconn *conn;
    struct loop_io *io;
    bool wants_write;
    enum state state;
    bool is_away;
    bool is_closing;
    int64_t retry_ms;
    struct loop_timer *timer;  /* next attempt, or the end of one that takes too long */
    struct loop_timer *orphan_timer;
    struct db_job *first, **last;        /* sent, not yet answered */
    struct db_job *orphans, **last_orphan; /* came while there was no connection */
    int busy;
};

static void start_connecting(struct db *db);
static void on_socket(void *ctx, unsigned events);

/* Errors ------------------------------------------------------------------------------------------------------------- */

static enum db_trouble trouble_of(const char *state, const char *severity)
{
    static const char *conflicts[] = {"40001", "40P01", "23505", "55P03", "57014", "LL001"};
    static const char *down_classes[] = {"53", "57", "58", "XX", "25", "F0", "0A", "26", "3F", "42"};

    if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 || strncmp(state, "08", 2) == 0)
        return DB_GONE;
    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++)
        if (strcmp(state, conflicts[i]) == 0)
            return DB_CONFLICT;
    for (size_t i = 0; i < sizeof down_classes / sizeof *down_classes; i++)
        if (strncmp(state, down_classes[i], 2) == 0)
            return DB_DOWN;
    return DB_REFUSED;
}

static void read_error(struct db_error *error, const PGresult *result, int statement)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", state != NULL ? state : "08006");
    snprintf(error->text, sizeof error->text, "%s", text != NULL ? text : "connection lost");
    error->statement = statement;
    error->trouble = trouble_of(error->sqlstate, severity != NULL ? severity : "FATAL");
    if (error->trouble == DB_DOWN)
        log_event(LOG_ERROR, "database.unable", "sqlstate=%s why=%s", error->sqlstate, LOG_Q(error->text));
}

static void finish(struct db_job *job)
{
    job->fn(job->ctx, (struct db_rows *const *)job->results, &job->error);
    db_job_free(&job);
}

static void fail(struct db_job *job, const char *why)
{
    if (job->error.trouble == DB_OK || job->error.trouble == DB_CONFLICT) {
        job->error.trouble = DB_GONE;
        snprintf(job->error.sqlstate, sizeof job->error.sqlstate, "08006");
        snprintf(job->error.text, sizeof job->error.text, "%s", why);
    }
    finish(job);
}

/* The connection ----------------------------------------------------------------------------------------------------- */

static void watch(struct db *db, unsigned events)
{
    loop_unwatch(&db->io); /* libpq may have changed the descriptor */
    db->io = loop_watch(db->loop, PQsocket(db->conn), events, on_socket, db);
    db->wants_write = events & LOOP_WRITE;
}

static void flush(struct db *db)
{
    bool wants_write = PQflush(db->conn) == 1;

    if (wants_write != db->wants_write) {
        loop_set_events(db->io, LOOP_READ | (wants_write ? LOOP_WRITE : 0u));
        db->wants_write = wants_write;
    }
}

/* The connection is gone, or did not come up: everybody who waits is told, and it is tried again. */
static void lose(struct db *db, const char *why)
{
    struct db_job *job, *jobs = db->first;
    bool was_up = db->state == STATE_UP, was_away = db->is_away;
    char text[200];

    snprintf(text, sizeof text, "%.*s", (int)strcspn(why, "\n"), why);
    loop_unwatch(&db->io);
    if (db->conn != NULL)
        PQfinish(db->conn);
    db->conn = NULL;
    db->state = STATE_WAITING;
    db->first = NULL;
    db->last = &db->first;
    db->busy = 0;
    if (was_up) {
        log_event(db->is_closing ? LOG_DEBUG : LOG_WARN, "database.lost", "why=%s", LOG_Q(text));
        db->retry_ms = 0;
    } else {
        if (!db->is_away)
            log_event(LOG_WARN, "database.away", "why=%s", LOG_Q(text));
        db->is_away = true;
    }
    if (!db->is_closing)
        loop_timer_set(db->timer, db->retry_ms, 0);
    db->retry_ms = db->retry_ms == 0 ? RETRY_FIRST_MS : db->retry_ms * 2 < RETRY_MOST_MS ? db->retry_ms * 2 : RETRY_MOST_MS;
    if ((was_up || db->is_away != was_away) && db->options.on_state != NULL)
        db->options.on_state(db->options.ctx, false);
    while ((job = jobs) != NULL) {
        jobs = job->next;
        fail(job, text);
    }
}

static int send_statement(struct db *db, struct db_job *job, const struct db_sent *statement)
{
    const char *values[DB_PARAMS_MOST];
    int lengths[DB_PARAMS_MOST], formats[DB_PARAMS_MOST];

    for (int i = 0; i < statement->param_count; i++) {
        values[i] = statement->params[i].len >= 0 ? job->data->data + statement->params[i].at : NULL;
        lengths[i] = statement->params[i].len;
        formats[i] = statement->params[i].format;
    }
    if (statement->name != NULL)
        return PQsendQueryPrepared(db->conn, statement->name, statement->param_count, values, lengths, formats, 1);
    return PQsendQueryParams(db->conn, statement->sql, statement->param_count, NULL, values, lengths, formats, 1);
}

/* Puts a job behind those under way. */
static void enqueue(struct db *db, struct db_job *job)
{
    *db->last = job;
    db->last = &job->next;
    db->busy++;
}

void db_send(struct db *db, struct db_job **job, db_done_fn *fn, void *ctx)
{
    struct db_job *sent = *job;

    *job = NULL;
    sent->fn = fn;
    sent->ctx = ctx;
    if (db->state != STATE_UP) {
        *db->last_orphan = sent;
        db->last_orphan = &sent->next;
        loop_timer_set(db->orphan_timer, 0, 0);
        return;
    }
    enqueue(db, sent);
    for (int i = 0; i < sent->count; i++)
        if (!send_statement(db, sent, &sent->statements[i])) {
            db_reset(db);
            return;
        }
    if (!PQpipelineSync(db->conn)) {
        db_reset(db);
        return;
    }
    flush(db);
}

static void on_rolled_back(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx, (void)rows, (void)error; /* a rollback that does not arrive finds the connection gone, and the transaction with it */
}

void db_roll_back(struct db *db)
{
    struct db_job *job = db_job_new();

    db_sql(job, "ROLLBACK");
    db_send(db, &job, on_rolled_back, NULL);
}

static void on_orphans(void *ctx)
{
    struct db *db = ctx;
    struct db_job *job, *jobs = db->orphans;

    db->orphans = NULL;
    db->last_orphan = &db->orphans;
    while ((job = jobs) != NULL) {
        jobs = job->next;
        fail(job, "no connection");
    }
}

static char *copy_of(const char *text)
{
    return must_copy(text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* Session settings and prepared statements, as the first job of a connection. */
static void set_up_done(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct db *db = ctx;

    (void)rows;
    if (error->trouble != DB_OK && db->conn != NULL) {
        log_event(LOG_ERROR, "database.unfit", "sqlstate=%s why=%s", error->sqlstate, LOG_Q(error->text));
        lose(db, error->text);
    }
}

static void set_up(struct db *db)
{
    struct db_job *job = must_zalloc(sizeof *job);
    const struct db_statement *prepared = db->options.statements;
    char *settings = copy_of(db->options.settings);
    char *rest = settings, *one;
    int ok = PQsetnonblocking(db->conn, 1) == 0 && PQenterPipelineMode(db->conn);

    job->data = buf_new(64);
    job->fn = set_up_done;
    job->ctx = db;
    while ((one = strsep(&rest, ";")) != NULL)
        if (one[strspn(one, " \n")] != '\0') {
            ok = ok && PQsendQueryParams(db->conn, one, 0, NULL, NULL, NULL, NULL, 1);
            job->count++;
        }
    for (; prepared != NULL && prepared->name != NULL; prepared++) {
        ok = ok && PQsendPrepare(db->conn, prepared->name, prepared->sql, 0, NULL);
        job->count++;
    }
    must(job->count <= DB_JOB_STATEMENTS);
    ok = ok && PQpipelineSync(db->conn);
    free(settings);
    enqueue(db, job);
    db->state = STATE_PREPARING;
    if (ok)
        flush(db);
    else
        lose(db, PQerrorMessage(db->conn));
}

static void on_connecting(struct db *db)
{
    switch (PQconnectPoll(db->conn)) {
    case PGRES_POLLING_READING:
        watch(db, LOOP_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch(db, LOOP_WRITE);
        break;
    case PGRES_POLLING_OK:
        watch(db, LOOP_READ);
        set_up(db);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        lose(db, PQerrorMessage(db->conn));
        break;
    }
}

static void start_connecting(struct db *db)
{
    const char *keys[] = {"dbname", "application_name", "client_encoding", "keepalives_idle", "keepalives_interval",
                          "keepalives_count", "tcp_user_timeout", NULL};
    const char *values[] = {db->options.dsn, db->options.application, "UTF8", "5", "2", "3", "5000", NULL};

    db->conn = PQconnectStartParams(keys, values, 1);
    must(db->conn != NULL);
    db->state = STATE_CONNECTING;
    if (PQstatus(db->conn) == CONNECTION_BAD) {
        lose(db, PQerrorMessage(db->conn));
        return;
    }
    loop_timer_set(db->timer, CONNECT_MOST_MS, 0);
    watch(db, LOOP_WRITE);
}

static void on_timer(void *ctx)
{
    struct db *db = ctx;

    if (db->state == STATE_WAITING)
        start_connecting(db);
    else if (db->state != STATE_UP)
        lose(db, "connecting takes too long");
}

/* One result of the job in front. Returns true when the job has been answered whole. */
static bool take_result(struct db_job *job, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        return true;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        must(job->answered < job->count);
        job->results[job->answered++] = result;
        return false;
    default:
        if (job->error.trouble == DB_OK && PQresultStatus(result) != PGRES_PIPELINE_ABORTED)
            read_error(&job->error, result, job->answered);
        job->answered++;
        PQclear(result);
        return false;
    }
}

static void came_up(struct db *db)
{
    db->state = STATE_UP;
    db->is_away = false;
    db->retry_ms = 0;
    loop_timer_stop(db->timer);
    log_event(LOG_INFO, "database.up", "backend=%d", PQbackendPID(db->conn));
    if (db->options.on_state != NULL)
        db->options.on_state(db->options.ctx, true);
}

static void on_results(struct db *db)
{
    PGnotify *notify;

    if (!PQconsumeInput(db->conn)) {
        lose(db, PQerrorMessage(db->conn));
        return;
    }
    while (db->first != NULL && !PQisBusy(db->conn)) {
        struct db_job *job = db->first;
        PGresult *result = PQgetResult(db->conn);

        if (result == NULL) { /* between two statements */
            if (PQstatus(db->conn) == CONNECTION_BAD) {
                lose(db, PQerrorMessage(db->conn));
                return;
            }
            continue;
        }
        if (!take_result(job, result))
            continue;
        db->first = job->next;
        if (db->first == NULL)
            db->last = &db->first;
        db->busy--;
        if (db->state == STATE_PREPARING && job->error.trouble == DB_OK)
            came_up(db);
        finish(job);
        if (db->conn == NULL || db->state == STATE_CONNECTING)
            return; /* the callback has reset it */
    }
    while (db->options.on_notify != NULL && (notify = PQnotifies(db->conn)) != NULL) {
        db->options.on_notify(db->options.ctx, notify->relname);
        PQfreemem(notify);
    }
    if (PQstatus(db->conn) == CONNECTION_BAD)
        lose(db, PQerrorMessage(db->conn));
}

static void on_socket(void *ctx, unsigned events)
{
    struct db *db = ctx;

    if (db->state == STATE_CONNECTING) {
        on_connecting(db);
        return;
    }
    if (events & LOOP_WRITE)
        flush(db);
    if (events & LOOP_READ)
        on_results(db);
}

struct db *db_open(struct loop *loop, const struct db_options *options)
{
    struct db *db = must_zalloc(sizeof *db);

    db->loop = loop;
    db->options = *options;
    db->options.dsn = copy_of(options->dsn);
    db->options.application = copy_of(options->application);
    db->options.settings = copy_of(options->settings);
    db->last = &db->first;
    db->last_orphan = &db->orphans;
    db->timer = loop_timer_new(loop, on_timer, db);
    db->orphan_timer = loop_timer_new(loop, on_orphans, db);
    loop_timer_set(db->timer, 0, 0);
    return db;
}

void db_reset(struct db *db)
{
    if (db->conn != NULL)
        lose(db, "reset");
}

void db_close(struct db **db)
{
    if (*db == NULL)
        return;
    (*db)->is_closing = true;
    if ((*db)->conn != NULL) {
        (*db)->options.on_state = NULL;
        lose(*db, "closed");
    }
    on_orphans(*db);
    loop_timer_free(&(*db)->timer);
    loop_timer_free(&(*db)->orphan_timer);
    free((char *)(uintptr_t)(*db)->options.dsn);
    free((char *)(uintptr_t)(*db)->options.application);
    free((char *)(uintptr_t)(*db)->options.settings);
    free(*db);
    *db = NULL;
}

bool db_is_up(const struct db *db)
{
    return db->state == STATE_UP;
}

bool db_is_away(const struct db *db)
{
    return db->is_away;
}

int db_busy(const struct db *db)
{
    return db->busy;
}
