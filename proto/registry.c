#include "proto/registry.h"

#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char READ_ALL[] =
    "SELECT stage, name, endpoint, is_stopping, beat_at > now() - interval '15 seconds'"
    " FROM stage_instance ORDER BY stage, name";

static const char READ_VERSION[] = "SELECT catalog_version FROM installation";

static const char BEAT[] =
    "INSERT INTO stage_instance AS s (stage, name, endpoint, admin, version, host, pid, per_second, queue_depth, is_stopping, catalog_version)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7::int8, $8::text::float8, $9::int8, $10::bool, $11::int8)"
    " ON CONFLICT (stage, name) DO UPDATE SET endpoint = excluded.endpoint, admin = excluded.admin, version = excluded.version,"
    " host = excluded.host, pid = excluded.pid, per_second = excluded.per_second, queue_depth = excluded.queue_depth,"
    " is_stopping = excluded.is_stopping, catalog_version = excluded.catalog_version, beat_at = now(),"
    " started_at = CASE WHEN s.pid = excluded.pid AND s.host = excluded.host THEN s.started_at ELSE now() END";

/* Whoever died without a word is forgotten after a while. */
static const char FORGET[] = "DELETE FROM stage_instance WHERE beat_at < now() - interval '10 minutes'";

/* Only the own row: a successor of the same name may have taken it over. */
static const char LEAVE[] = "DELETE FROM stage_instance WHERE stage = $1 AND name = $2 AND pid = $3::int8 AND host = $4";

static const char TELL_CATALOG[] =
    "UPDATE stage_instance SET catalog_version = $5::int8 WHERE stage = $1 AND name = $2 AND pid = $3::int8 AND host = $4";

static const char TELL[] = "NOTIFY leadline_stage";

struct registry {
    struct db *db;
    registry_fn *fn;
    void *ctx;
    bool is_reading;
    bool read_again;
    char host[65];
};

struct registry *registry_new(struct db *db, registry_fn *fn, void *ctx)
{
    struct registry *registry = must_zalloc(sizeof *registry);

    registry->db = db;
    registry->fn = fn;
    registry->ctx = ctx;
    gethostname(registry->host, sizeof registry->host - 1);
    return registry;
}

void registry_free(struct registry **registry)
{
    free(*registry);
    *registry = NULL;
}

static void on_rows(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct registry *registry = ctx;
    struct registry_row *list;
    int count;

    registry->is_reading = false;
    if (error->trouble == DB_OK && db_count(rows[1]) == 1) {
        count = db_count(rows[0]);
        list = must_zalloc((size_t)count * sizeof *list);
        for (int i = 0; i < count; i++)
            list[i] = (struct registry_row){db_text(rows[0], i, 0),
                                            {db_text(rows[0], i, 1), db_text(rows[0], i, 2), db_bool(rows[0], i, 3), db_bool(rows[0], i, 4)}};
        registry->fn(registry->ctx, list, (size_t)count, db_int(rows[1], 0, 0));
        free(list);
    }
    if (registry->read_again) {
        registry->read_again = false;
        registry_read(registry);
    }
}

void registry_read(struct registry *registry)
{
    struct db_job *job;

    if (registry->is_reading) {
        registry->read_again = true;
        return;
    }
    if (!db_is_up(registry->db))
        return;
    registry->is_reading = true;
    job = db_job_new();
    db_sql(job, READ_ALL);
    db_sql(job, READ_VERSION);
    db_send(registry->db, &job, on_rows, registry);
}

static void ignore(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx, (void)rows, (void)error; /* the next beat writes it anew */
}

void registry_beat(struct registry *registry, const struct registry_self *self, bool is_news)
{
    struct db_job *job;
    char rate[32];

    if (!db_is_up(registry->db))
        return;
    job = db_job_new();
    snprintf(rate, sizeof rate, "%.1f", self->per_second);
    db_sql(job, BEAT);
    db_add_text(job, span_of(self->stage));
    db_add_text(job, span_of(self->name));
    db_add_text(job, span_of(self->endpoint));
    db_add_text(job, span_of(self->admin));
    db_add_text(job, SPAN(LEADLINE_VERSION));
    db_add_text(job, span_of(registry->host));
    db_add_int(job, getpid());
    db_add_text(job, span_of(rate));
    db_add_int(job, self->queue_depth);
    db_add_bool(job, self->is_stopping);
    db_add_int(job, self->catalog_version);
    db_sql(job, FORGET);
    if (is_news)
        db_sql(job, TELL);
    db_send(registry->db, &job, ignore, NULL);
}

/* Adds what finds the own row: the first four parameters. */
static void add_own(struct db_job *job, const struct registry *registry, const struct registry_self *self)
{
    db_add_text(job, span_of(self->stage));
    db_add_text(job, span_of(self->name));
    db_add_int(job, getpid());
    db_add_text(job, span_of(registry->host));
}

void registry_tell_catalog(struct registry *registry, const struct registry_self *self)
{
    struct db_job *job = db_job_new();

    db_sql(job, TELL_CATALOG);
    add_own(job, registry, self);
    db_add_int(job, self->catalog_version);
    db_send(registry->db, &job, ignore, NULL);
}

struct leaving {
    void (*done)(void *ctx);
    void *ctx;
};

static void on_left(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct leaving *leaving = ctx;

    (void)rows, (void)error;
    leaving->done(leaving->ctx);
    free(leaving);
}

void registry_leave(struct registry *registry, const struct registry_self *self, void (*done)(void *ctx), void *ctx)
{
    struct leaving *leaving = must_zalloc(sizeof *leaving);
    struct db_job *job = db_job_new();

    leaving->done = done;
    leaving->ctx = ctx;
    db_sql(job, LEAVE);
    add_own(job, registry, self);
    db_sql(job, TELL);
    db_send(registry->db, &job, on_left, leaving);
}
