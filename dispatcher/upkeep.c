#include "dispatcher/upkeep.h"

#include "common/log.h"

static void on_dropped(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx;
    if (error->trouble == DB_OK && db_int(rows[0], 0, 0) > 0)
        log_event(LOG_INFO, "secrets.dropped", "count=%lld", (long long)db_int(rows[0], 0, 0));
    else if (error->trouble != DB_OK && error->trouble != DB_GONE)
        log_event(LOG_ERROR, "upkeep.failed", "what=secrets sqlstate=%s", error->sqlstate);
}

void upkeep_secrets(struct db *db)
{
    struct db_job *job = db_job_new();

    db_sql(job, "SELECT drop_expired_secrets()");
    db_send(db, &job, on_dropped, NULL);
}
