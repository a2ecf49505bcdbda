/*
 * batches - B2: the rows of sold leads in batches, straight into PostgreSQL over one connection.
 *
 *   batches DSN SECONDS LEADS
 *
 * It writes what the router writes for a lead that is sold to one of five contracts (lead, two duplicate keys, sale, delivery,
 * trail, counters), by the same kind of statements, a transaction a batch, and reads nothing but the counters' locks. The next
 * batch is already sent while one commits. Prints leads a second.
 */
#include "common/clock.h"
#include "common/db.h"
#include "common/digest.h"
#include "common/loop.h"
#include "common/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 2, CONTRACTS = 5, LEADS_MOST = 4096, TEXT_BYTES = 512, GIVE_UP_MS = 10000 };

static const char SETTINGS[] = "SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan; SET jit = off";

static const char LOCK[] = "SELECT id FROM counter ORDER BY id FOR NO KEY UPDATE";

static const char LEADS[] =
    "INSERT INTO lead (id, campaign_id, supplier_id, status, is_test, received_at, decided_at, reasons, price_cents, cost_cents,"
    " phone_key, email_key, answer_status, answer_body, raw, fields)"
    " SELECT id, 'campaign_abc123', 'supplier_xyz789', 'ACCEPTED', false, now(), now(), '[]', 2500, 1000,"
    " phone_key, email_key, 201, answer_body, raw, fields"
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::jsonb[]) AS l (id, phone_key, email_key, answer_body, raw, fields)";

static const char KEYS[] =
    "INSERT INTO duplicate_key (key, lead_id, supplier_id, at, expires_at)"
    " SELECT key, lead_id, 'supplier_xyz789', now(), now() + interval '30 days' FROM unnest($1::uuid[], $2::uuid[]) AS k (key, lead_id)"
    " ORDER BY key";

static const char SALES[] =
    "INSERT INTO sale (lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, state, is_test, sold_at)"
    " SELECT lead_id, 1, 'campaign_abc123', 'supplier_xyz789', buyer_id, contract_id, 2500, 1000, 'SOLD', false, now()"
    " FROM unnest($1::uuid[], $2::text[], $3::text[]) AS s (lead_id, buyer_id, contract_id)";

static const char DELIVERIES[] =
    "INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, lease_by)"
    " SELECT lead_id, id, 1, buyer_id, 'OPEN', 0, now(), NULL FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS d (lead_id, id, buyer_id)";

static const char TRAILS[] =
    "INSERT INTO trail (lead_id, step, at, decisions)"
    " SELECT lead_id, 'sale', now(), decisions FROM unnest($1::uuid[], $2::jsonb[]) AS t (lead_id, decisions)";

static const char COUNT[] =
    "UPDATE counter SET hour_leads = hour_leads + $1, day_leads = day_leads + $1, week_leads = week_leads + $1,"
    " month_leads = month_leads + $1, total_leads = total_leads + $1, hour_cents = hour_cents + $1 * 2500,"
    " day_cents = day_cents + $1 * 2500, week_cents = week_cents + $1 * 2500, month_cents = month_cents + $1 * 2500,"
    " total_cents = total_cents + $1 * 2500";

static const struct db_statement statements[] = {
    {"begin", "BEGIN"}, {"lock", LOCK}, {"leads", LEADS}, {"keys", KEYS}, {"sales", SALES}, {"deliveries", DELIVERIES},
    {"trails", TRAILS}, {"count", COUNT}, {"commit", "COMMIT"}, {NULL, NULL},
};

static const char TRAIL[] =
    "[{\"contract_id\":\"contract_0\",\"decision\":\"sold\",\"detail\":\"25.00\"}"
    ",{\"contract_id\":\"contract_1\",\"decision\":\"passed_over\",\"reason\":\"state\"}"
    ",{\"contract_id\":\"contract_2\",\"decision\":\"passed_over\",\"reason\":\"state\"}"
    ",{\"contract_id\":\"contract_3\",\"decision\":\"passed_over\",\"reason\":\"state\"}"
    ",{\"contract_id\":\"contract_4\",\"decision\":\"passed_over\",\"reason\":\"state\"}]";

static const char ANSWER[] =
    "{\"data\":{\"id\":\"%s\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_%d\",\"campaign_id\":\"campaign_abc123\"}}";
static const char RAW[] =
    "{\"flo_campaign_id\":\"campaign_abc123\",\"flo_supplier_id\":\"supplier_xyz789\",\"first_name\":\"John\",\"last_name\":\"Doe\""
    ",\"phone\":\"2%09" PRId64 "\",\"email\":\"john.%" PRId64 "@example.com\",\"state\":\"TX\",\"zip_code\":\"75201\",\"age\":\"42\"}";
static const char FIELDS[] =
    "{\"first_name\":\"John\",\"last_name\":\"Doe\",\"phone\":\"+12%09" PRId64 "\",\"email\":\"john.%" PRId64 "@example.com\""
    ",\"state\":\"TX\",\"zip_code\":\"75201\",\"age\":42}";

struct bench {
    struct loop *loop;
    struct db *db;
    struct loop_timer *give_up;
    size_t leads;             /* of a batch */
    int64_t begun_ms, for_ms; /* begun_ms 0: not yet */
    int64_t ended_ms;
    int64_t sent, done;       /* batches */
    int failed;
};

static struct uuid random_id(void)
{
    struct uuid id;

    digest_random(id.bytes, sizeof id.bytes);
    return id;
}

static void add_ids(struct db_job *job, const struct uuid *ids, size_t count)
{
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &ids[i]);
}

static void add_random_ids(struct db_job *job, size_t count)
{
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++) {
        struct uuid id = random_id();

        db_item_uuid(job, &id);
    }
}

/* "buyer_0", "buyer_1" … by turns. */
static void add_names(struct db_job *job, const char *prefix, size_t count)
{
    char text[TEXT_BYTES];

    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s_%d", prefix, (int)(i % CONTRACTS));
        db_item_text(job, span_of(text));
    }
}

static void add_leads(const struct bench *bench, struct db_job *job, const struct uuid *ids)
{
    char text[TEXT_BYTES], id[UUID_TEXT_BYTES];
    int64_t number = bench->sent * (int64_t)bench->leads;

    db_prepared(job, "leads");
    add_ids(job, ids, bench->leads);
    add_random_ids(job, bench->leads);
    add_random_ids(job, bench->leads);
    db_array(job, DB_TEXT, bench->leads);
    for (size_t i = 0; i < bench->leads; i++) {
        snprintf(text, sizeof text, ANSWER, uuid_text(&ids[i], id), (int)(i % CONTRACTS));
        db_item_text(job, span_of(text));
    }
    db_array(job, DB_JSONB, bench->leads);
    for (size_t i = 0; i < bench->leads; i++) {
        snprintf(text, sizeof text, RAW, number + (int64_t)i, number + (int64_t)i);
        db_item_text(job, span_of(text));
    }
    db_array(job, DB_JSONB, bench->leads);
    for (size_t i = 0; i < bench->leads; i++) {
        snprintf(text, sizeof text, FIELDS, number + (int64_t)i, number + (int64_t)i);
        db_item_text(job, span_of(text));
    }
}

static void on_done(void *ctx, struct db_rows *const *rows, const struct db_error *error);

static void send_batch(struct bench *bench)
{
    struct db_job *job = db_job_new();
    struct uuid ids[LEADS_MOST];
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < bench->leads; i++)
        ids[i] = uuid_v7(now_ms);
    db_prepared(job, "begin");
    db_prepared(job, "lock");
    add_leads(bench, job, ids);
    db_prepared(job, "keys");
    add_random_ids(job, 2 * bench->leads);
    db_array(job, DB_UUID, 2 * bench->leads);
    for (size_t i = 0; i < 2 * bench->leads; i++)
        db_item_uuid(job, &ids[i / 2]);
    db_prepared(job, "sales");
    add_ids(job, ids, bench->leads);
    add_names(job, "buyer", bench->leads);
    add_names(job, "contract", bench->leads);
    db_prepared(job, "deliveries");
    add_ids(job, ids, bench->leads);
    add_random_ids(job, bench->leads);
    add_names(job, "buyer", bench->leads);
    db_prepared(job, "trails");
    add_ids(job, ids, bench->leads);
    db_array(job, DB_JSONB, bench->leads);
    for (size_t i = 0; i < bench->leads; i++)
        db_item_text(job, span_of(TRAIL));
    db_prepared(job, "count");
    db_add_int(job, (int64_t)bench->leads);
    db_prepared(job, "commit");
    bench->sent++;
    db_send(bench->db, &job, on_done, bench);
}

static void on_done(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct bench *bench = ctx;

    (void)rows;
    if (error->trouble != DB_OK) {
        fprintf(stderr, "batches: statement %d: %s %s\n", error->statement, error->sqlstate, error->text);
        bench->failed = 1;
        loop_stop(bench->loop);
        return;
    }
    bench->done++;
    bench->ended_ms = clock_mono_ms();
    if (bench->ended_ms - bench->begun_ms < bench->for_ms)
        send_batch(bench);
    else if (bench->done == bench->sent)
        loop_stop(bench->loop);
}

static void on_state(void *ctx, bool is_up)
{
    struct bench *bench = ctx;

    if (!is_up || bench->begun_ms != 0)
        return;
    loop_timer_stop(bench->give_up);
    bench->begun_ms = clock_mono_ms();
    for (int i = 0; i < IN_FLIGHT; i++)
        send_batch(bench);
}

static void on_give_up(void *ctx)
{
    struct bench *bench = ctx;

    fprintf(stderr, "batches: no connection\n");
    bench->failed = 1;
    loop_stop(bench->loop);
}

int main(int argc, char **argv)
{
    struct bench bench = {.loop = loop_new()};
    struct db_options options = {.application = "bench", .settings = SETTINGS, .statements = statements, .on_state = on_state, .ctx = &bench};

    if (argc != 4 || atoi(argv[2]) < 1 || atoi(argv[3]) < 1 || atoi(argv[3]) > LEADS_MOST) {
        fprintf(stderr, "usage: batches DSN SECONDS LEADS\n");
        return 2;
    }
    options.dsn = argv[1];
    bench.for_ms = (int64_t)atoi(argv[2]) * 1000;
    bench.leads = (size_t)atoi(argv[3]);
    bench.give_up = loop_timer_new(bench.loop, on_give_up, &bench);
    loop_timer_set(bench.give_up, GIVE_UP_MS, 0);
    bench.db = db_open(bench.loop, &options);
    loop_run(bench.loop);
    if (!bench.failed)
        printf("%.0f\n", (double)bench.done * (double)bench.leads * 1000 / (double)(bench.ended_ms - bench.begun_ms));
    db_close(&bench.db);
    loop_timer_free(&bench.give_up);
    loop_free(&bench.loop);
    return bench.failed;
}
