#include "router/upkeep.h"

#include "common/log.h"

static void upkeep_failed(const char *what, const struct db_error *error)
{
    if (error->trouble != DB_GONE)
        log_event(LOG_ERROR, "upkeep.failed", "what=%s sqlstate=%s", what, error->sqlstate);
}

static void partitions_done(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx, (void)rows;
    if (error->trouble != DB_OK)
        upkeep_failed("partitions", error);
}

void upkeep_partitions(struct db *db)
{
    struct db_job *job = db_job_new();

    db_sql(job, "SELECT make_partitions()");
    db_send(db, &job, partitions_done, NULL);
}

/* Whoever is locked is left for the next time; the BRIN index finds the old pages. */
static const char CLEAN_DUPLICATES[] =
    "DELETE FROM duplicate_key WHERE key = ANY (ARRAY(SELECT key FROM duplicate_key"
    " WHERE expires_at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED))";
static const char CLEAN_IDEMPOTENCY[] =
    "DELETE FROM idempotency_key WHERE key = ANY (ARRAY(SELECT key FROM idempotency_key"
    " WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED))";

void upkeep_keys(struct db *db, db_done_fn *done, void *ctx)
{
    struct db_job *job = db_job_new();

    db_sql(job, CLEAN_DUPLICATES);
    db_add_int(job, CLEANED_AT_ONCE);
    db_sql(job, CLEAN_IDEMPOTENCY);
    db_add_int(job, CLEANED_AT_ONCE);
    db_send(db, &job, done, ctx);
}

bool upkeep_is_clean(struct db_rows *const *rows, const struct db_error *error)
{
    if (error->trouble != DB_OK)
        upkeep_failed("keys", error);
    return error->trouble != DB_OK || (db_affected(rows[0]) < CLEANED_AT_ONCE && db_affected(rows[1]) < CLEANED_AT_ONCE);
}
