#include "router/settle.h"

#include "common/db_frozen.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"
#include "router/store.h"

#include <stdlib.h>

enum { SETTLED_AT_ONCE = 200 };

static const char TAKE[] =
    "SELECT lead_id, n FROM unsettled ORDER BY lead_id, n LIMIT $1 FOR UPDATE SKIP LOCKED";

/* Whose places sales take: natural keys of table counter. */
#define OWNERS(sale) "('contract'::counter_kind, " sale ".campaign_id, " sale ".contract_id), ('buyer'::counter_kind, '', " sale ".buyer_id)"

/* In the order in which batches lock. */
static const char LOCK[] =
    "SELECT id FROM counter WHERE id = ANY (ARRAY("
    "  SELECT c.id FROM unnest($1::uuid[], $2::int8[]) AS u (lead_id, n) JOIN sale s ON s.lead_id = u.lead_id AND s.n = u.n"
    "  CROSS JOIN LATERAL (VALUES " OWNERS("s") ") AS o (kind, campaign_id, owner_id)"
    "  JOIN counter c ON (c.kind, c.campaign_id, c.owner_id) = (o.kind, o.campaign_id, o.owner_id)))"
    " ORDER BY id FOR NO KEY UPDATE";

/*
 * A sale was counted in the window that a counter is in now if it is not older than that window's beginning: windows never move
 * backwards. A window that is over, but was not rolled yet, may be changed, too: it begins anew with nothing counted.
 */
static const char WRITE[] =
    "WITH gone AS MATERIALIZED"
    " (DELETE FROM unsettled d USING unnest($1::uuid[], $2::int8[]) AS u (lead_id, n) WHERE d.lead_id = u.lead_id AND d.n = u.n"
    "  RETURNING d.lead_id, d.n, d.verdict),"
    " refused AS MATERIALIZED"
    " (UPDATE sale s SET state = 'REJECTED' FROM gone g WHERE s.lead_id = g.lead_id AND s.n = g.n AND s.state::text = 'SOLD'"
    "  RETURNING s.lead_id, s.n, s.campaign_id, s.contract_id, s.buyer_id, s.price_cents, s.sold_at, s.is_test, g.verdict),"
    " owed AS MATERIALIZED"
    " (SELECT c.id,"
    "   count(*) FILTER (WHERE r.sold_at >= c.hour_start) AS hour_leads, coalesce(sum(r.price_cents) FILTER (WHERE r.sold_at >= c.hour_start), 0) AS hour_cents,"
    "   count(*) FILTER (WHERE r.sold_at >= c.day_start) AS day_leads, coalesce(sum(r.price_cents) FILTER (WHERE r.sold_at >= c.day_start), 0) AS day_cents,"
    "   count(*) FILTER (WHERE r.sold_at >= c.week_start) AS week_leads, coalesce(sum(r.price_cents) FILTER (WHERE r.sold_at >= c.week_start), 0) AS week_cents,"
    "   count(*) FILTER (WHERE r.sold_at >= c.month_start) AS month_leads, coalesce(sum(r.price_cents) FILTER (WHERE r.sold_at >= c.month_start), 0) AS month_cents,"
    "   count(*) AS total_leads, sum(r.price_cents) AS total_cents"
    "  FROM refused r CROSS JOIN LATERAL (VALUES " OWNERS("r") ") AS o (kind, campaign_id, owner_id)"
    "  JOIN counter c ON (c.kind, c.campaign_id, c.owner_id) = (o.kind, o.campaign_id, o.owner_id)"
    "  WHERE NOT r.is_test AND c.is_live GROUP BY c.id),"
    " given AS"
    " (UPDATE counter c SET hour_leads = c.hour_leads - o.hour_leads, hour_cents = c.hour_cents - o.hour_cents,"
    "   day_leads = c.day_leads - o.day_leads, day_cents = c.day_cents - o.day_cents,"
    "   week_leads = c.week_leads - o.week_leads, week_cents = c.week_cents - o.week_cents,"
    "   month_leads = c.month_leads - o.month_leads, month_cents = c.month_cents - o.month_cents,"
    "   total_leads = c.total_leads - o.total_leads, total_cents = c.total_cents - o.total_cents"
    "  FROM owed o WHERE c.id = o.id),"
    " told AS"
    " (INSERT INTO trail (lead_id, step, at, decisions)"
    "  SELECT lead_id, 'settle', clock_timestamp(), jsonb_agg(jsonb_build_object('contract_id', contract_id, 'decision', 'given_back',"
    "   'reason', CASE verdict WHEN 'DUPLICATE' THEN 'buyer_duplicate' ELSE 'buyer_rejected' END) ORDER BY n)"
    "  FROM refused GROUP BY lead_id)"
    " SELECT count(*) FROM refused";

static const struct db_statement statements[] = {
    {"begin", "BEGIN"}, {"fence", "SELECT pg_advisory_xact_lock_shared(4701, 1)"}, {"take", TAKE}, {"lock", LOCK}, {"write", WRITE},
    {"commit", "COMMIT"}, {NULL, NULL},
};

struct settle {
    struct db *db;
    bool is_busy;
    int taken; /* rows of the transaction under way */
    struct metric *settled;
};

static void take(struct settle *settle);

struct settle *settle_new(struct stage *stage)
{
    struct settle *settle = must_zalloc(sizeof *settle);

    settle->settled = metric_counter("leadline_sales_refused_total", NULL, "Sales that their buyers have refused: place and money given back.");
    settle->db = stage_open_db(stage, store_settings, statements, NULL, NULL);
    return settle;
}

void settle_free(struct settle **settle)
{
    if (*settle == NULL)
        return;
    db_close(&(*settle)->db);
    free(*settle);
    *settle = NULL;
}

bool settle_is_idle(const struct settle *settle)
{
    return !settle->is_busy;
}

static void end(struct settle *settle)
{
    settle->is_busy = false;
    db_roll_back(settle->db);
}

/* The rows stay, and the next tick tries again. */
static void fail(struct settle *settle, const struct db_error *error)
{
    if (error->trouble == DB_REFUSED || error->trouble == DB_DOWN)
        log_event(LOG_ERROR, "settle.failed", "sqlstate=%s statement=%d", error->sqlstate, error->statement);
    if (error->trouble == DB_GONE) {
        settle->is_busy = false;
        return;
    }
    end(settle);
    db_end_frozen(settle->db, error);
}

enum { WRITE_LOCK, WRITE_WRITE };

static void on_written(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct settle *settle = ctx;

    if (error->trouble != DB_OK) {
        fail(settle, error);
        return;
    }
    metric_add(settle->settled, db_int(rows[WRITE_WRITE], 0, 0));
    settle->is_busy = false;
    if (settle->taken == SETTLED_AT_ONCE)
        take(settle);
}

/* Lists of leads and places of their sales, as the first parameters of a statement. */
static void add_sales(struct db_job *job, const struct db_rows *rows)
{
    db_array(job, DB_UUID, (size_t)db_count(rows));
    for (int i = 0; i < db_count(rows); i++) {
        struct uuid id = db_uuid(rows, i, 0);

        db_item_uuid(job, &id);
    }
    db_array(job, DB_INT8, (size_t)db_count(rows));
    for (int i = 0; i < db_count(rows); i++)
        db_item_int(job, db_int(rows, i, 1));
}

enum { TAKE_BEGIN, TAKE_FENCE, TAKE_TAKE };

static void on_taken(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct settle *settle = ctx;
    struct db_job *job;

    if (error->trouble != DB_OK) {
        fail(settle, error);
        return;
    }
    settle->taken = db_count(rows[TAKE_TAKE]);
    if (settle->taken == 0) {
        end(settle);
        return;
    }
    job = db_job_new();
    db_prepared(job, "lock");
    add_sales(job, rows[TAKE_TAKE]);
    db_prepared(job, "write");
    add_sales(job, rows[TAKE_TAKE]);
    db_prepared(job, "commit");
    db_send(settle->db, &job, on_written, settle);
}

static void take(struct settle *settle)
{
    struct db_job *job = db_job_new();

    settle->is_busy = true;
    db_prepared(job, "begin");
    db_prepared(job, "fence");
    db_prepared(job, "take");
    db_add_int(job, SETTLED_AT_ONCE);
    db_send(settle->db, &job, on_taken, settle);
}

void settle_tick(struct settle *settle)
{
    if (!settle->is_busy && db_is_up(settle->db))
        take(settle);
}
