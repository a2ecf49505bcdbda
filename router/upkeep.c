#include "router/upkeep.h"

#include "common/digest.h"
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

static const char CLEAN_PING_USED[] =
    "DELETE FROM ping_used WHERE ping_id = ANY (ARRAY(SELECT ping_id FROM ping_used"
    " WHERE expires_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED))";

/* Ids go round; of two routers at once the second finds its id taken. */
static const char ADD_PING_KEY[] =
    "INSERT INTO ping_key (id, key) SELECT coalesce((SELECT id FROM ping_key ORDER BY created_at DESC LIMIT 1), 0) % 255 + 1, $1::bytea"
    " WHERE NOT EXISTS (SELECT FROM ping_key WHERE created_at > now() - interval '24 hours') ON CONFLICT DO NOTHING";
static const char DROP_PING_KEYS[] =
    "DELETE FROM ping_key WHERE created_at < (SELECT min(created_at) FROM"
    " (SELECT created_at FROM ping_key ORDER BY created_at DESC LIMIT 3) AS k)";

static void ping_keys_done(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx, (void)rows;
    if (error->trouble != DB_OK)
        upkeep_failed("ping_keys", error);
}

void upkeep_ping_keys(struct db *db)
{
    struct db_job *job = db_job_new();
    uint8_t key[SEAL_KEY_BYTES];

    digest_random(key, sizeof key);
    db_sql(job, ADD_PING_KEY);
    db_add_bytes(job, (struct span){(const char *)key, sizeof key});
    db_sql(job, DROP_PING_KEYS);
    db_send(db, &job, ping_keys_done, NULL);
}

void upkeep_keys(struct db *db, db_done_fn *done, void *ctx)
{
    struct db_job *job = db_job_new();

    db_sql(job, CLEAN_DUPLICATES);
    db_add_int(job, CLEANED_AT_ONCE);
    db_sql(job, CLEAN_IDEMPOTENCY);
    db_add_int(job, CLEANED_AT_ONCE);
    db_sql(job, CLEAN_PING_USED);
    db_add_int(job, CLEANED_AT_ONCE);
    db_send(db, &job, done, ctx);
}

bool upkeep_is_clean(struct db_rows *const *rows, const struct db_error *error)
{
    if (error->trouble != DB_OK)
        upkeep_failed("keys", error);
    for (int i = 0; error->trouble == DB_OK && i < 3; i++)
        if (db_affected(rows[i]) >= CLEANED_AT_ONCE)
            return false;
    return true;
}
