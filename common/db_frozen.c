#include "common/db_frozen.h"

#include "common/log.h"

#include <string.h>

/* A session has a transaction's number when it has locked or written a row. COPY waits for its client by nature. */
static const char END_FROZEN[] =
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity a"
    " WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()"
    " AND state = 'active' AND wait_event_type = 'Client' AND state_change < clock_timestamp() - interval '1 second'"
    " AND query NOT ILIKE 'COPY%' AND (backend_xid IS NOT NULL OR EXISTS"
    "  (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'advisory'))";

static void on_ended(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    (void)ctx;
    if (error->trouble == DB_OK && db_int(rows[0], 0, 0) > 0)
        log_event(LOG_WARN, "database.frozen_ended", "count=%lld", (long long)db_int(rows[0], 0, 0));
}

void db_end_frozen(struct db *db, const struct db_error *error)
{
    struct db_job *job;

    if (strcmp(error->sqlstate, "55P03") != 0)
        return;
    job = db_job_new();
    db_sql(job, END_FROZEN);
    db_send(db, &job, on_ended, NULL);
}
