#include "dispatcher/store.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/must.h"
#include "dispatcher/taken.h"
#include "proto/stored_fields.h"

#include <stdlib.h>
#include <string.h>

/*
 * Index look-ups whatever the statistics say: a partition that was empty when it was last analyzed may be full by now. Look-ups by id
 * compare the state as text, because otherwise a scan of all that is open, by the partial index, looks cheaper than the primary key.
 */
#define PLANS "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;" \
              " SET enable_material = off; SET jit = off;" \
              " SET plan_cache_mode = force_generic_plan; SET statement_timeout = '5s'; SET lock_timeout = '2s';" \
              " SET idle_in_transaction_session_timeout = '1s';"

static const char RECORD_SETTINGS[] = PLANS " SET synchronous_commit = on";

/* A lost lease costs a second attempt with the same webhook-id, not a lead: it need not wait for the disk. */
static const char LEASE_SETTINGS[] = PLANS " SET synchronous_commit = off";

/* The id of an event has the time of what failed: by it `leadctl` finds the lead. row_to_json() writes no blanks. */
#define MADE_WITH(id) "(left(" id "::text, 13) || '-7' || substr(gen_random_uuid()::text, 16))::uuid"
#define NOW_TEXT "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/*
 * A yes to a post whose delivery has ended without it, because its router could not wait any longer, is late. Who has accepted a lead and
 * calls it a duplicate when it is replayed has it: that is no refusal.
 */
#define HAS_IT                                                                                                                   \
    "r.verdict = 'DUPLICATE' AND d.attempts_before > 0 AND (SELECT true FROM attempt a WHERE a.lead_id = d.lead_id"              \
    " AND a.delivery_id = d.id AND a.verdict = 'ACCEPTED' LIMIT 1)"

static const char RECORD[] =
    "WITH result AS MATERIALIZED"
    " (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::text[], $6::int8[], $7::int4[],"
    "   $8::timestamptz[], $9::int4[], $10::text[], $11::bool[], $12::bool[], $13::int8[], $14::text[], $15::text[])"
    "   AS r (lead_id, id, attempt, state, verdict, retry_in_ms, http_status, at, took_ms, answer, is_logged, is_ask, price_cents, reference,"
    "    redirect_url)),"
    " done AS"
    " (UPDATE delivery d SET state = CASE WHEN d.state <> 'OPEN' THEN d.state WHEN " HAS_IT " THEN 'DELIVERED' ELSE r.state::delivery_state END,"
    "   attempt = r.attempt + 1, lease_by = NULL,"
    "   last_http_status = r.http_status,"
    "   due_at = CASE WHEN r.state = 'OPEN' THEN now() + r.retry_in_ms * interval '1 millisecond' ELSE d.due_at END"
    "  FROM result r"
    "  WHERE d.lead_id = r.lead_id AND d.id = r.id AND d.state::text IN ('OPEN', 'CANCELLED') AND d.attempt = r.attempt"
    "  RETURNING d.lead_id, d.id, d.n, d.buyer_id, d.state, r.attempt, r.verdict, r.http_status, r.at, r.took_ms, r.answer, r.is_logged,"
    "   r.price_cents, r.reference, r.redirect_url),"
    " logged AS"
    " (INSERT INTO attempt (lead_id, delivery_id, attempt, at, took_ms, http_status, verdict, answer, price_cents, reference, redirect_url)"
    "  SELECT lead_id, id, attempt + 1, at, took_ms, http_status, verdict, answer, price_cents, reference, redirect_url"
    "   FROM done WHERE is_logged"
    "  ON CONFLICT DO NOTHING),"
    " refused AS"
    " (INSERT INTO unsettled (lead_id, n, verdict) SELECT lead_id, n, verdict FROM done"
    "  WHERE state IN ('REJECTED', 'DUPLICATE') AND n > 0),"
    " late AS"
    " (INSERT INTO attempt AS a (lead_id, delivery_id, attempt, at, took_ms, http_status, verdict, answer, price_cents, reference, redirect_url)"
    "  SELECT lead_id, id, attempt + 1, at, took_ms, http_status, 'LATE', answer, price_cents, reference, redirect_url FROM result r"
    "  WHERE is_ask AND is_logged AND verdict IN ('ACCEPTED', 'LATE') AND NOT EXISTS (SELECT FROM done d WHERE d.id = r.id)"
    "  ON CONFLICT (lead_id, delivery_id, attempt) DO UPDATE SET verdict = excluded.verdict, took_ms = excluded.took_ms,"
    "   http_status = excluded.http_status, answer = excluded.answer, price_cents = excluded.price_cents, reference = excluded.reference,"
    "   redirect_url = excluded.redirect_url WHERE a.verdict = 'FAILED'"
    "  RETURNING lead_id, delivery_id, attempt, http_status),"
    " failed AS MATERIALIZED" /* what has no sale is a question, or an event itself */
    " (SELECT 'delivery.failed' AS type, lead_id, id, buyer_id, attempt + 1 AS attempts, http_status, verdict FROM done"
    "  WHERE state = 'FAILED' AND n > 0"
    "  UNION ALL SELECT 'delivery.failed', l.lead_id, d.id, d.buyer_id, l.attempt, l.http_status, 'LATE'"
    "   FROM late l JOIN delivery d ON d.lead_id = l.lead_id AND d.id = l.delivery_id),"
    " told AS"
    " (INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, event)"
    "  SELECT f.lead_id, " MADE_WITH("f.id") ", -1, listener, 'OPEN', 0, now(), row_to_json(event)::text"
    "   FROM failed f CROSS JOIN LATERAL event_listeners(f.type) AS listener LEFT JOIN lead l ON l.id = f.lead_id"
    "   CROSS JOIN LATERAL (SELECT f.type, " NOW_TEXT " AS timestamp, (SELECT row_to_json(d) FROM"
    "    (SELECT f.id, f.lead_id, l.campaign_id, f.buyer_id, l.is_test, f.attempts, f.http_status AS last_http_status,"
    "     f.verdict) d) AS data) event)"
    " SELECT NULL::uuid, count(*) FROM done UNION ALL SELECT delivery_id, 1 FROM late";

enum { ATTEMPTS_BEFORE = 9 }; /* TAKE's column that is no part of a frame */

static const char TAKE[] =
    "WITH due AS MATERIALIZED"
    " (SELECT d.lead_id, d.id, b.lease_ms"
    "  FROM unnest($1::text[], $2::int8[], $3::int8[]) AS b (buyer_id, wanted, lease_ms)"
    "  CROSS JOIN LATERAL"
    "  (SELECT lead_id, id FROM delivery WHERE buyer_id = b.buyer_id AND state = 'OPEN' AND due_at <= now()"
    "   ORDER BY due_at LIMIT b.wanted FOR UPDATE SKIP LOCKED) d),"
    " taken AS"
    " (UPDATE delivery d SET due_at = now() + due.lease_ms * interval '1 millisecond', lease_by = $4::text"
    "  FROM due WHERE d.lead_id = due.lead_id AND d.id = due.id"
    "  RETURNING d.id, d.lead_id, d.n, d.buyer_id, d.attempt, d.attempts_before, d.event)"
    " SELECT t.id, t.lead_id, t.buyer_id, t.attempt, s.campaign_id, s.price_cents, s.is_test, coalesce(s.sold_at, uuid_time(t.id)),"
    "  " STORED_FIELDS("l.fields") ", t.attempts_before, t.event"
    " FROM taken t LEFT JOIN sale s ON s.lead_id = t.lead_id AND s.n = t.n LEFT JOIN lead l ON l.id = t.lead_id AND t.event IS NULL";

static const char GIVE_BACK[] =
    "UPDATE delivery d SET due_at = least(r.due_at, now()), lease_by = NULL"
    " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[]) AS r (lead_id, id, attempt, due_at)"
    " WHERE d.lead_id = r.lead_id AND d.id = r.id AND d.state::text = 'OPEN' AND d.attempt = r.attempt AND d.lease_by = $5::text";

static const char ENDPOINTS_GONE[] = "SELECT endpoints_gone($1::text[])";

static const char ENDPOINTS_PAUSED[] =
    "INSERT INTO buyer_endpoint (buyer_id, paused_at, paused_by)"
    " SELECT r.buyer_id, CASE WHEN r.is_paused THEN now() END, CASE WHEN r.is_paused THEN $3::text END"
    " FROM unnest($1::text[], $2::bool[]) AS r (buyer_id, is_paused) ORDER BY r.buyer_id"
    " ON CONFLICT (buyer_id) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by";

static const char FORGET_PAUSES[] = "UPDATE buyer_endpoint SET paused_at = NULL, paused_by = NULL WHERE paused_by = $1::text";

static const char TAKE_OVER[] =
    "WITH own AS MATERIALIZED"
    " (SELECT d.lead_id, d.id FROM unnest($1::text[]) AS b (buyer_id)"
    "  CROSS JOIN LATERAL"
    "  (SELECT lead_id, id FROM delivery WHERE buyer_id = b.buyer_id AND state = 'OPEN' AND due_at > now()"
    "   AND due_at <= now() + interval '1 hour' AND lease_by = $2::text ORDER BY due_at FOR UPDATE SKIP LOCKED) d)"
    " UPDATE delivery d SET due_at = CASE WHEN d.attempt = 0 THEN least(uuid_time(d.lead_id), now()) ELSE now() END, lease_by = NULL"
    " FROM own WHERE d.lead_id = own.lead_id AND d.id = own.id";

static const struct db_statement record_statements[] = {{"record", RECORD}, {"endpoints_gone", ENDPOINTS_GONE}, {NULL, NULL}};
static const struct db_statement lease_statements[] = {
    {"take", TAKE}, {"give_back", GIVE_BACK}, {"take_over", TAKE_OVER}, {"endpoints_paused", ENDPOINTS_PAUSED},
    {"forget_pauses", FORGET_PAUSES}, {NULL, NULL},
};

struct store {
    struct span me; /* lease_by */
    struct db *record;
    struct db *lease;
};

/* What waits for an answer. */
struct call {
    store_done_fn *fn;
    store_taken_fn *on_taken;
    store_late_fn *on_late;
    void *ctx;
};

struct store *store_open(struct stage *stage)
{
    struct store *store = must_zalloc(sizeof *store);

    store->me = span_of(stage_name(stage));
    store->record = stage_open_db(stage, RECORD_SETTINGS, record_statements, NULL, NULL);
    store->lease = stage_open_db(stage, LEASE_SETTINGS, lease_statements, NULL, NULL);
    return store;
}

void store_close(struct store **store)
{
    if (*store != NULL) {
        db_close(&(*store)->record);
        db_close(&(*store)->lease);
        free(*store);
        *store = NULL;
    }
}

bool store_is_up(const struct store *store)
{
    return db_is_up(store->record) && db_is_up(store->lease);
}

bool store_is_away(const struct store *store)
{
    return db_is_away(store->record) || db_is_away(store->lease);
}

static struct call *call_new(store_done_fn *fn, store_taken_fn *on_taken, void *ctx)
{
    struct call *call = must_alloc(sizeof *call);

    *call = (struct call){.fn = fn, .on_taken = on_taken, .ctx = ctx};
    return call;
}

/* Ends a call; a statement that is refused is logged, without the server's words: they may quote a row. */
static void call_end(struct call *call, const struct db_error *error, const char *statement, int64_t rows)
{
    if (error->trouble == DB_REFUSED)
        log_event(LOG_ERROR, "store.refused", "statement=%s sqlstate=%s", statement, error->sqlstate);
    else if (error->trouble != DB_OK)
        log_event(LOG_WARN, "store.trouble", "statement=%s sqlstate=%s text=%s", statement, error->sqlstate,
                  error->trouble == DB_CONFLICT ? "\"conflict\"" : LOG_Q(error->text));
    call->fn(call->ctx, error->trouble, error->trouble == DB_OK ? rows : 0);
    free(call);
}

static int by_key(const void *a, const void *b)
{
    const struct due *const *left = a, *const *right = b;
    int order = uuid_compare(&(*left)->lead_id, &(*right)->lead_id);

    return order != 0 ? order : uuid_compare(&(*left)->id, &(*right)->id);
}

/* The first three parameters of a statement on deliveries in hand: lead, id, attempts recorded before. */
static void add_keys(struct db_job *job, struct due **dues, size_t count)
{
    qsort(dues, count, sizeof *dues, by_key);
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &dues[i]->lead_id);
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &dues[i]->id);
    db_array(job, DB_INT4, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, dues[i]->attempt);
}

static void add_results(struct db_job *job, struct due *const *dues, size_t count, int64_t now_ms)
{
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, span_of(verdict_state(dues[i]->result.verdict)));
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, span_of(verdict_word(dues[i]->result.verdict)));
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++) {
        int64_t left_ms = dues[i]->result.retry_in_ms - (now_ms - dues[i]->result.ended_at_ms);

        db_item_int(job, left_ms > 0 ? left_ms : 0);
    }
    db_array(job, DB_INT4, count);
    for (size_t i = 0; i < count; i++)
        if (dues[i]->result.http_status > 0)
            db_item_int(job, dues[i]->result.http_status);
        else
            db_item_null(job);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, dues[i]->result.begun_at_ms * 1000);
    db_array(job, DB_INT4, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, dues[i]->result.took_ms);
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, dues[i]->result.answer);
    db_array(job, DB_BOOL, count);
    for (size_t i = 0; i < count; i++)
        db_item_bool(job, !dues[i]->result.is_unlogged);
    db_array(job, DB_BOOL, count);
    for (size_t i = 0; i < count; i++)
        db_item_bool(job, dues[i]->ask != NULL);
}

/* What was read from the answers. */
static void add_readings(struct db_job *job, struct due *const *dues, size_t count)
{
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++)
        if (dues[i]->result.price_cents >= 0)
            db_item_int(job, dues[i]->result.price_cents);
        else
            db_item_null(job);
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        if (dues[i]->result.reference.ptr != NULL)
            db_item_text(job, dues[i]->result.reference);
        else
            db_item_null(job);
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        if (dues[i]->result.redirect_url.ptr != NULL)
            db_item_text(job, dues[i]->result.redirect_url);
        else
            db_item_null(job);
}

static void on_recorded(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct call *call = ctx;
    int64_t written = 0;

    for (int row = 0; error->trouble == DB_OK && row < db_count(rows[0]); row++) {
        struct uuid id;

        written += db_int(rows[0], row, 1);
        if (db_is_null(rows[0], row, 0))
            continue;
        id = db_uuid(rows[0], row, 0);
        call->on_late(call->ctx, &id);
    }
    call_end(call, error, "record", written);
}

void store_record(struct store *store, struct due **dues, size_t count, store_late_fn *on_late, store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();
    struct call *call = call_new(fn, NULL, ctx);

    db_prepared(job, "record");
    add_keys(job, dues, count);
    add_results(job, dues, count, clock_mono_ms());
    add_readings(job, dues, count);
    call->on_late = on_late;
    db_send(store->record, &job, on_recorded, call);
}

static void on_given_back(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    call_end(ctx, error, "give_back", error->trouble == DB_OK ? db_affected(rows[0]) : 0);
}

void store_give_back(struct store *store, struct due **dues, size_t count, store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "give_back");
    add_keys(job, dues, count);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        if (dues[i]->attempt == 0)
            db_item_time(job, dues[i]->sold_at_ms * 1000);
        else
            db_item_null(job);
    db_add_text(job, store->me);
    db_send(store->lease, &job, on_given_back, call_new(fn, NULL, ctx));
}

static void on_taken_over(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    call_end(ctx, error, "take_over", error->trouble == DB_OK ? db_affected(rows[0]) : 0);
}

void store_take_over(struct store *store, const struct span *buyer_ids, size_t count, store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "take_over");
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, buyer_ids[i]);
    db_add_text(job, store->me);
    db_send(store->lease, &job, on_taken_over, call_new(fn, NULL, ctx));
}

static void on_taken(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct call *call = ctx;
    int count = error->trouble == DB_OK ? db_count(rows[0]) : 0;

    for (int row = 0; row < count; row++) {
        struct arena *arena = arena_new();
        struct delivery delivery;
        char id[UUID_TEXT_BYTES];

        if (taken_read(&delivery, arena, rows[0], row) == 0)
            call->on_taken(call->ctx, &delivery, (int)db_int(rows[0], row, ATTEMPTS_BEFORE));
        else
            log_event(LOG_ERROR, "delivery.unreadable", "delivery=%s", uuid_text(&delivery.id, id));
        arena_free(&arena);
    }
    call_end(call, error, "take", count);
}

void store_take(struct store *store, const struct wanted *wanted, size_t count, store_taken_fn *on_each,
                store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "take");
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, wanted[i].buyer_id);
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, (int64_t)wanted[i].count);
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, wanted[i].lease_ms);
    db_add_text(job, store->me);
    db_send(store->lease, &job, on_taken, call_new(fn, on_each, ctx));
}

/* What endpoints have shown -------------------------------------------------------------------------------------------- */

static void add_texts(struct db_job *job, const struct span *texts, size_t count)
{
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, texts[i]);
}

static void on_gone(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    call_end(ctx, error, "endpoints_gone", error->trouble == DB_OK ? db_int(rows[0], 0, 0) : 0);
}

void store_endpoints_gone(struct store *store, const struct span *buyer_ids, size_t count, store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "endpoints_gone");
    add_texts(job, buyer_ids, count);
    db_send(store->record, &job, on_gone, call_new(fn, NULL, ctx));
}

static void on_paused(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    call_end(ctx, error, "endpoints_paused", error->trouble == DB_OK ? db_affected(rows[0]) : 0);
}

void store_endpoints_paused(struct store *store, const struct span *buyer_ids, const bool *are_paused, size_t count,
                            store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "endpoints_paused");
    add_texts(job, buyer_ids, count);
    db_array(job, DB_BOOL, count);
    for (size_t i = 0; i < count; i++)
        db_item_bool(job, are_paused[i]);
    db_add_text(job, store->me);
    db_send(store->lease, &job, on_paused, call_new(fn, NULL, ctx));
}

void store_forget_pauses(struct store *store, store_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "forget_pauses");
    db_add_text(job, store->me);
    db_send(store->lease, &job, on_paused, call_new(fn, NULL, ctx));
}
