#include "router/store.h"

#include "router/store_confirm.h"
#include "router/store_event.h"

#include <string.h>

/*
 * A frozen router frees its locks after a second (DESIGN.md, 3). Generic plans: the arrays differ only in length. Everything is
 * found by index: a plan made while a table is new and small would go on reading it whole until the next ANALYZE.
 */
const char store_settings[] =
    "SET idle_in_transaction_session_timeout = '1s'; SET lock_timeout = '2s'; SET statement_timeout = '5s';"
    " SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan; SET jit = off;"
    " SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

static const char FENCE[] = "SELECT pg_advisory_xact_lock_shared(4701, 1)";

static const char VERSION[] = "SELECT catalog_version FROM installation";

#define COUNTERS(ids)                                                                                                         \
    "SELECT id, hour_start, day_start, week_start, month_start, hour_leads, day_leads, week_leads, month_leads, total_leads," \
    " hour_cents, day_cents, week_cents, month_cents, total_cents, turn_credit"                                               \
    " FROM counter WHERE id = ANY(" ids ") ORDER BY id"

static const char LOCK_COUNTERS[] = COUNTERS("$1::int8[]") " FOR NO KEY UPDATE";

/* Also those in which leads that are DISTRIBUTING hold a place, whatever the catalog says of them now: it may be given back. */
static const char LOCK_COUNTERS_AND_OF_TRIES[] = COUNTERS("$1::int8[] || ARRAY(" STORE_COUNTERS_OF_TRIES("$2") ")") " FOR NO KEY UPDATE";

/* Whoever only looks: a snapshot in the fence's place, and no locks. */
static const char SNAPSHOT[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
static const char LOOK_AT_COUNTERS[] = COUNTERS("$1::int8[]");

/* The one time of the batch, and when its windows began in each zone. A statement of its own: it runs when the locks are held. */
static const char CLOCK[] =
    "WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at)"
    " SELECT at, window_start('hour', at, zone), window_start('day', at, zone), window_start('week', at, zone),"
    " window_start('month', at, zone)"
    " FROM clock, unnest($1::text[]) WITH ORDINALITY AS z (zone, n) ORDER BY n";

static const char READ_KEYS[] =
    "SELECT key, lead_id, supplier_id, at, expires_at, EXISTS (SELECT FROM distributing d WHERE d.lead_id = k.lead_id),"
    " earlier_lead_id, earlier_supplier_id, earlier_at, earlier_expires_at FROM duplicate_key k WHERE key = ANY($1::uuid[])";

static const char READ_IDEMPOTENCY[] =
    "SELECT k.key, k.body_sha256, k.lead_id, l.answer_status, l.answer_body"
    " FROM idempotency_key k JOIN lead l ON l.id = k.lead_id WHERE k.key = ANY($1::uuid[])";

/* The bounds let the executor leave out partitions. */
static const char READ_LEADS[] =
    "SELECT id, answer_status, answer_body FROM lead WHERE id = ANY($1::uuid[]) AND id >= $2::uuid AND id <= $3::uuid";

/* The lead that has used the ping, with its first buyer. */
static const char READ_USES[] =
    "SELECT u.ping_id, u.lead_id, l.status::text, s.buyer_id, l.campaign_id FROM ping_used u JOIN lead l ON l.id = u.lead_id"
    " LEFT JOIN sale s ON s.lead_id = u.lead_id AND s.n = 1 WHERE u.ping_id = ANY($1::uuid[])";

static const char WRITE_LEADS[] =
    "INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents,"
    " phone_key, email_key, answer_status, answer_body, raw, fields)"
    " SELECT id, campaign_id, supplier_id, status::lead_status, is_test, received_at, ($1::timestamptz[])[1],"
    " reasons, price_cents, cost_cents, phone_key, email_key, answer_status, answer_body, raw, fields"
    " FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::timestamptz[], $8::jsonb[], $9::int8[], $10::int8[],"
    " $11::uuid[], $12::uuid[], $13::int8[], $14::text[], $15::jsonb[], $16::jsonb[])"
    " AS l (id, campaign_id, supplier_id, status, is_test, received_at, reasons, price_cents, cost_cents,"
    " phone_key, email_key, answer_status, answer_body, raw, fields)";

static const char WRITE_IDEMPOTENCY[] =
    "INSERT INTO idempotency_key (key, body_sha256, lead_id, expires_at)"
    " SELECT key, body_sha256, lead_id, now() + interval '48 hours' FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS k (key, body_sha256, lead_id)"
    " ORDER BY key";

/* One that another batch has used up since it was read: 23505. */
static const char WRITE_USES[] =
    "INSERT INTO ping_used (ping_id, lead_id, expires_at)"
    " SELECT ping_id, lead_id, expires_at FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS u (ping_id, lead_id, expires_at)"
    " ORDER BY ping_id";

/* A key that another batch has taken since it was read: 23505. */
static const char WRITE_KEYS[] =
    "INSERT INTO duplicate_key (key, lead_id, supplier_id, at, expires_at)"
    " SELECT key, lead_id, supplier_id, at, expires_at"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS k (key, lead_id, supplier_id, at, expires_at)"
    " ORDER BY key";

/* Keys whose window is over: only as they were read. An UPDATE locks in the order of its plan, so they are locked before, by key. */
static const char REPLACE_KEYS[] =
    "WITH locked AS MATERIALIZED (SELECT key FROM duplicate_key WHERE key = ANY($1::uuid[]) ORDER BY key FOR UPDATE),"
    " replaced AS (UPDATE duplicate_key d SET lead_id = k.lead_id, supplier_id = k.supplier_id, at = k.at, expires_at = k.expires_at,"
    " earlier_lead_id = NULL, earlier_supplier_id = NULL, earlier_at = NULL, earlier_expires_at = NULL"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::uuid[])"
    " AS k (key, lead_id, supplier_id, at, expires_at, seen)"
    " WHERE d.key = k.key AND d.lead_id = k.seen AND (SELECT count(*) FROM locked) > 0 RETURNING 1)"
    " SELECT expect_rows((SELECT count(*) FROM replaced), $7::int8)";

static const char WRITE_SALES[] =
    "INSERT INTO sale (lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, state, is_test, sold_at)"
    " SELECT lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, 'SOLD', is_test, sold_at"
    " FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[], $9::bool[], $10::timestamptz[])"
    " AS s (lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, is_test, sold_at)";

static const char WRITE_DELIVERIES[] =
    "INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, lease_by)"
    " SELECT lead_id, id, n, buyer_id, 'OPEN', 0, due_at, lease_by"
    " FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::timestamptz[], $6::text[]) AS d (lead_id, id, n, buyer_id, due_at, lease_by)";

static const char WRITE_TRAIL[] =
    "INSERT INTO trail (lead_id, step, at, decisions)"
    " SELECT lead_id, step, at, decisions FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::jsonb[]) AS t (lead_id, step, at, decisions)";

static const char WRITE_COUNTERS[] =
    "UPDATE counter c SET hour_start = n.hs, day_start = n.ds, week_start = n.ws, month_start = n.ms,"
    " hour_leads = n.hl, day_leads = n.dl, week_leads = n.wl, month_leads = n.ml, total_leads = n.tl,"
    " hour_cents = n.hc, day_cents = n.dc, week_cents = n.wc, month_cents = n.mc, total_cents = n.tc, turn_credit = n.turn"
    " FROM unnest($1::int8[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],"
    " $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::int8[],"
    " $16::int8[])"
    " AS n (id, hs, ds, ws, ms, hl, dl, wl, ml, tl, hc, dc, wc, mc, tc, turn) WHERE c.id = n.id";

static const char BEGIN[] = "BEGIN";
static const char COMMIT[] = "COMMIT";

const struct db_statement store_statements[] = {
    {"begin", BEGIN}, {"fence", FENCE}, {"version", VERSION}, {"lock_counters", LOCK_COUNTERS},
    {"lock_counters_and_of_tries", LOCK_COUNTERS_AND_OF_TRIES}, {"clock", CLOCK},
    {"read_keys", READ_KEYS}, {"read_idempotency", READ_IDEMPOTENCY}, {"read_leads", READ_LEADS},
    {"read_uses", READ_USES}, {"write_uses", WRITE_USES},
    {"write_leads", WRITE_LEADS}, {"write_idempotency", WRITE_IDEMPOTENCY}, {"write_keys", WRITE_KEYS},
    {"replace_keys", REPLACE_KEYS}, {"write_sales", WRITE_SALES}, {"write_deliveries", WRITE_DELIVERIES},
    {"write_trail", WRITE_TRAIL}, {"write_counters", WRITE_COUNTERS}, {"commit", COMMIT},
    {"write_events", store_write_events_sql},
    STORE_CONFIRM_STATEMENTS,
    {NULL, NULL},
};

const struct db_statement store_look_statements[] = {
    {"begin", BEGIN}, {"snapshot", SNAPSHOT}, {"version", VERSION}, {"look_at_counters", LOOK_AT_COUNTERS}, {"clock", CLOCK},
    {"read_keys", READ_KEYS}, {"read_idempotency", READ_IDEMPOTENCY}, {"read_leads", READ_LEADS}, {"read_uses", READ_USES}, {"commit", COMMIT},
    {NULL, NULL},
};

/* Statements of the first round trip and of a look, by place; those behind are there only when they are wanted. */
enum { READ_BEGIN, READ_FENCE, READ_VERSION, READ_COUNTERS, READ_CLOCK, READ_DUPLICATES, READ_REPEATS, READ_RECORDED, READ_MORE };

/* Reading ------------------------------------------------------------------------------------------------------------- */

static void add_uuids(struct db_job *job, const struct uuid *ids, size_t count)
{
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &ids[i]);
}

static void add_counters(struct db_job *job, const struct wanted *wanted, bool locks)
{
    bool has_tries = locks && wanted->lead_id_count > 0;

    db_prepared(job, has_tries ? "lock_counters_and_of_tries" : locks ? "lock_counters" : "look_at_counters");
    db_array(job, DB_INT8, wanted->counter_count);
    for (size_t i = 0; i < wanted->counter_count; i++)
        db_item_int(job, wanted->counter_ids[i]);
    if (has_tries)
        add_uuids(job, wanted->lead_ids, wanted->lead_id_count);
}

static void add_zones(struct db_job *job, const struct catalog *catalog)
{
    db_array(job, DB_TEXT, catalog->zone_count + 1);
    db_item_text(job, SPAN("UTC")); /* there is always one row, so always a clock */
    for (size_t i = 0; i < catalog->zone_count; i++)
        db_item_text(job, catalog->zones[i]);
}

/* What may be recorded already. */
static void add_repeats(struct db_job *job, const struct wanted *wanted)
{
    static const struct uuid nil;
    size_t ids = wanted->lead_id_count;

    db_prepared(job, "read_idempotency");
    add_uuids(job, wanted->idempotency_keys, wanted->idempotency_key_count);
    db_prepared(job, "read_leads");
    add_uuids(job, wanted->lead_ids, ids);
    db_add_uuid(job, ids > 0 ? &wanted->lead_ids[0] : &nil);
    db_add_uuid(job, ids > 0 ? &wanted->lead_ids[ids - 1] : &nil);
}

/* Counters, clock and duplicate keys. */
static void add_state(struct db_job *job, const struct catalog *catalog, const struct wanted *wanted, bool locks)
{
    add_counters(job, wanted, locks);
    db_prepared(job, "clock");
    add_zones(job, catalog);
    db_prepared(job, "read_keys");
    add_uuids(job, wanted->duplicate_keys, wanted->duplicate_key_count);
}

/* All that follows the fence. */
static void ask(struct db_job *job, const struct catalog *catalog, const struct wanted *wanted, bool locks)
{
    db_prepared(job, "version");
    add_state(job, catalog, wanted, locks);
    add_repeats(job, wanted);
    if (wanted->ping_id_count > 0) {
        db_prepared(job, "read_uses");
        add_uuids(job, wanted->ping_ids, wanted->ping_id_count);
    }
}

void store_read(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "begin");
    db_prepared(job, "fence");
    ask(job, catalog, wanted, true);
    if (wanted->lead_id_count > 0)
        store_read_confirm(job, wanted);
    db_send(db, &job, done, ctx);
}

void store_look(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "begin");
    db_prepared(job, "snapshot");
    ask(job, catalog, wanted, false);
    db_prepared(job, "commit");
    db_send(db, &job, done, ctx);
}

/* Facts --------------------------------------------------------------------------------------------------------------- */

/* Its windows become current, in its owner's zone. */
static void roll(struct counter *counter, const struct db_rows *clock, size_t zone)
{
    int64_t start_us[WINDOW_COUNT] = {0};

    for (int window = 0; window < WINDOW_TOTAL; window++)
        start_us[window] = db_time_us(clock, (int)zone + 1, 1 + window);
    counter_roll(counter, start_us);
}

/*
 * Rows are sorted by id, as the wishes are. One that was not wished for is only given places back to: a window of it that is over
 * may be changed, because it begins anew with nothing counted. Returns whether all wishes were fulfilled.
 */
static bool read_counters(struct arena *arena, const struct db_rows *rows, const struct db_rows *clock, const struct wanted *wanted, struct facts *facts)
{
    size_t wish_at = 0, fulfilled = 0;

    for (int i = 0; i < db_count(rows); i++) {
        struct counter *counter = arena_alloc(arena, sizeof *counter);

        counter->id = db_int(rows, i, 0);
        for (int window = 0; window < WINDOW_TOTAL; window++)
            counter->start_us[window] = db_time_us(rows, i, 1 + window);
        for (int window = 0; window < WINDOW_COUNT; window++) {
            counter->leads[window] = db_int(rows, i, 5 + window);
            counter->cents[window] = db_int(rows, i, 10 + window);
        }
        counter->turn_credit = db_int(rows, i, 15);
        while (wish_at < wanted->counter_count && wanted->counter_ids[wish_at] < counter->id)
            wish_at++;
        if (wish_at < wanted->counter_count && wanted->counter_ids[wish_at] == counter->id) {
            roll(counter, clock, wanted->counter_zones[wish_at]);
            fulfilled++;
        }
        map_put(facts->counters, (struct span){(const char *)&counter->id, sizeof counter->id}, counter);
    }
    return fulfilled == wanted->counter_count;
}

/* Lead, supplier and times from four columns. */
static struct holder *read_holder(struct arena *arena, const struct db_rows *rows, int row, int column)
{
    struct holder *holder = arena_alloc(arena, sizeof *holder);

    holder->lead_id = db_uuid(rows, row, column);
    holder->supplier_id = arena_copy(arena, db_text(rows, row, column + 1));
    holder->at_us = db_time_us(rows, row, column + 2);
    holder->expires_us = db_time_us(rows, row, column + 3);
    return holder;
}

static void read_holders(struct arena *arena, const struct db_rows *rows, struct facts *facts)
{
    for (int i = 0; i < db_count(rows); i++) {
        struct holder *holder = read_holder(arena, rows, i, 1);

        holder->key = db_uuid(rows, i, 0);
        holder->is_undecided = db_bool(rows, i, 5);
        if (!db_is_null(rows, i, 6))
            holder->earlier = read_holder(arena, rows, i, 6);
        map_put(facts->holders, uuid_span(&holder->key), holder);
    }
}

static void read_repeats(struct arena *arena, const struct db_rows *rows, struct facts *facts)
{
    for (int i = 0; i < db_count(rows); i++) {
        struct recorded *recorded = arena_alloc(arena, sizeof *recorded);

        recorded->idempotency_key = db_uuid(rows, i, 0);
        recorded->body_sha256 = arena_copy(arena, db_text(rows, i, 1));
        recorded->lead_id = db_uuid(rows, i, 2);
        recorded->status = db_int(rows, i, 3);
        recorded->body = arena_copy(arena, db_text(rows, i, 4));
        map_put(facts->idempotent, uuid_span(&recorded->idempotency_key), recorded);
    }
}

static void read_recorded(struct arena *arena, const struct db_rows *rows, struct facts *facts)
{
    for (int i = 0; i < db_count(rows); i++) {
        struct recorded *recorded = arena_alloc(arena, sizeof *recorded);

        recorded->lead_id = db_uuid(rows, i, 0);
        recorded->status = db_int(rows, i, 1);
        recorded->body = arena_copy(arena, db_text(rows, i, 2));
        map_put(facts->recorded, uuid_span(&recorded->lead_id), recorded);
    }
}

static void read_uses(struct arena *arena, const struct db_rows *rows, struct facts *facts)
{
    for (int i = 0; i < db_count(rows); i++) {
        struct ping_use *use = arena_alloc(arena, sizeof *use);

        use->ping_id = db_uuid(rows, i, 0);
        use->lead_id = db_uuid(rows, i, 1);
        use->status = arena_copy(arena, db_text(rows, i, 2));
        use->buyer_id = arena_copy(arena, db_text(rows, i, 3));
        use->campaign_id = arena_copy(arena, db_text(rows, i, 4));
        map_put(facts->uses, uuid_span(&use->ping_id), use);
    }
}

int64_t store_facts(struct arena *arena, struct db_rows *const *rows, const struct wanted *wanted, struct facts *facts)
{
    size_t more = READ_MORE;
    bool is_whole;

    *facts = (struct facts){
        .now_us = db_time_us(rows[READ_CLOCK], 0, 0), .counters = map_new(), .holders = map_new(), .recorded = map_new(),
        .idempotent = map_new(), .distributing = map_new(), .uses = map_new(),
    };
    is_whole = read_counters(arena, rows[READ_COUNTERS], rows[READ_CLOCK], wanted, facts);
    read_holders(arena, rows[READ_DUPLICATES], facts);
    read_repeats(arena, rows[READ_REPEATS], facts);
    read_recorded(arena, rows[READ_RECORDED], facts);
    if (wanted->ping_id_count > 0)
        read_uses(arena, rows[more++], facts);
    if (wanted->lead_id_count > 0)
        store_facts_confirm(arena, rows[more], rows[more + 1], facts);
    return is_whole ? db_int(rows[READ_VERSION], 0, 0) : NO_VERSION;
}

void facts_close(struct facts *facts)
{
    map_free(&facts->counters);
    map_free(&facts->holders);
    map_free(&facts->recorded);
    map_free(&facts->idempotent);
    map_free(&facts->distributing);
    map_free(&facts->uses);
}

/* Without locks ------------------------------------------------------------------------------------------------------- */

const struct db_statement store_peeks[] = {
    {"look_at_counters", LOOK_AT_COUNTERS}, {"clock", CLOCK}, {"read_keys", READ_KEYS}, {"read_idempotency", READ_IDEMPOTENCY}, {"read_leads", READ_LEADS},
    {NULL, NULL},
};

enum { PEEK_AT_COUNTERS, PEEK_AT_CLOCK, PEEK_AT_DUPLICATES, PEEK_AT_REPEATS, PEEK_AT_RECORDED };

static bool has_repeats(const struct wanted *wanted)
{
    return wanted->idempotency_key_count > 0 || wanted->lead_id_count > 0;
}

void store_peek(struct db *db, const struct catalog *catalog, const struct wanted *wanted, db_done_fn *done, void *ctx)
{
    struct db_job *job = db_job_new();

    add_state(job, catalog, wanted, false);
    if (has_repeats(wanted))
        add_repeats(job, wanted);
    db_send(db, &job, done, ctx);
}

bool store_peeked(struct arena *arena, struct db_rows *const *rows, const struct wanted *wanted, struct facts *facts)
{
    bool is_whole;

    *facts = (struct facts){
        .now_us = db_time_us(rows[PEEK_AT_CLOCK], 0, 0), .counters = map_new(), .holders = map_new(), .recorded = map_new(),
        .idempotent = map_new(),
    };
    is_whole = read_counters(arena, rows[PEEK_AT_COUNTERS], rows[PEEK_AT_CLOCK], wanted, facts);
    read_holders(arena, rows[PEEK_AT_DUPLICATES], facts);
    if (has_repeats(wanted)) {
        read_repeats(arena, rows[PEEK_AT_REPEATS], facts);
        read_recorded(arena, rows[PEEK_AT_RECORDED], facts);
    }
    return is_whole;
}
