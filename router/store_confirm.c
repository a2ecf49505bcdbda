#include "router/store_confirm.h"

#include <stdlib.h>
#include <string.h>

const char store_read_distributing[] =
    "SELECT lead_id, router, deadline_at, array_to_string(keys, ',') FROM distributing WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR UPDATE";

#define COUNTER(kind, campaign, owner)                                                                                   \
    " (SELECT c.id FROM counter c WHERE c.kind = '" kind "' AND c.campaign_id = " campaign " AND c.owner_id = " owner " AND c.is_live)"

const char store_read_tries[] =
    "SELECT r.lead_id, r.try, r.contract_id, r.buyer_id, r.price_cents, r.cost_cents, r.delivery_id, r.reserved_at, r.deadline_at, r.state,"
    " d.state::text, array_to_string(r.keys, ','),"
    " (SELECT a.redirect_url FROM attempt a WHERE a.lead_id = r.lead_id AND a.delivery_id = r.delivery_id ORDER BY a.attempt LIMIT 1),"
    COUNTER("contract", "r.campaign_id", "r.contract_id") "," COUNTER("buyer", "''", "r.buyer_id") ","
    COUNTER("source", "r.campaign_id", "r.supplier_id") "," COUNTER("supplier", "''", "r.supplier_id") ","
    COUNTER("campaign", "r.campaign_id", "r.campaign_id")
    " FROM reservation r JOIN delivery d ON d.lead_id = r.lead_id AND d.id = r.delivery_id WHERE r.lead_id = ANY($1::uuid[])"
    " ORDER BY r.lead_id, r.try";

const char store_settle_tries[] =
    "WITH settled AS (UPDATE reservation r SET state = t.state FROM unnest($1::uuid[], $2::int8[], $3::text[]) AS t (lead_id, try, state)"
    " WHERE r.lead_id = t.lead_id AND r.try = t.try AND r.state = 'OPEN' RETURNING 1)"
    " SELECT expect_rows((SELECT count(*) FROM settled), $4::int8)";

/* A verdict that was recorded since we looked is a surprise: decided again, it counts. */
const char store_end_late[] =
    "WITH ended AS (UPDATE delivery d SET state = 'FAILED', lease_by = NULL FROM unnest($1::uuid[], $2::uuid[]) AS t (lead_id, id)"
    " WHERE d.lead_id = t.lead_id AND d.id = t.id AND d.state::text = 'OPEN' RETURNING 1)"
    " SELECT expect_rows((SELECT count(*) FROM ended), $3::int8)";

const char store_finish_leads[] =
    "WITH finished AS (UPDATE lead l SET status = f.status::lead_status, decided_at = ($1::timestamptz[])[1], reasons = f.reasons,"
    " price_cents = f.price_cents, cost_cents = f.cost_cents, answer_status = f.answer_status, answer_body = f.answer_body"
    " FROM unnest($2::uuid[], $3::text[], $4::jsonb[], $5::int8[], $6::int8[], $7::int8[], $8::text[])"
    " AS f (id, status, reasons, price_cents, cost_cents, answer_status, answer_body)"
    " WHERE l.id = f.id AND l.status::text = 'DISTRIBUTING' RETURNING 1)"
    " SELECT expect_rows((SELECT count(*) FROM finished), $9::int8)";

/* Sold when its place was taken: so the counters are the sums of the sales. */
const char store_finish_sales[] =
    "INSERT INTO sale (lead_id, n, campaign_id, supplier_id, buyer_id, contract_id, price_cents, cost_cents, state, is_test, sold_at)"
    " SELECT lead_id, row_number() OVER tries, campaign_id, supplier_id, buyer_id, contract_id, price_cents,"
    " CASE WHEN row_number() OVER tries = 1 THEN sum(cost_cents) OVER (PARTITION BY lead_id) ELSE 0 END, 'SOLD', is_test, reserved_at"
    " FROM reservation WHERE lead_id = ANY($1::uuid[]) AND state = 'ACCEPTED' WINDOW tries AS (PARTITION BY lead_id ORDER BY try)";

const char store_number_deliveries[] =
    "UPDATE delivery d SET n = r.n FROM (SELECT lead_id, delivery_id, row_number() OVER (PARTITION BY lead_id ORDER BY try) AS n"
    " FROM reservation WHERE lead_id = ANY($1::uuid[]) AND state = 'ACCEPTED') r WHERE d.lead_id = r.lead_id AND d.id = r.delivery_id";

/* Of keys that this transaction has written, so they are locked. */
const char store_keep_earlier[] =
    "UPDATE duplicate_key d SET earlier_lead_id = k.lead_id, earlier_supplier_id = k.supplier_id, earlier_at = k.at, earlier_expires_at = k.expires_at"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS k (key, lead_id, supplier_id, at, expires_at)"
    " WHERE d.key = k.key";

const char store_release_keys[] =
    "WITH locked AS MATERIALIZED (SELECT key FROM duplicate_key WHERE key = ANY($1::uuid[]) ORDER BY key FOR UPDATE),"
    " released AS MATERIALIZED (SELECT d.key, d.lead_id, d.earlier_lead_id IS NOT NULL AS has_earlier FROM duplicate_key d"
    "  JOIN unnest($1::uuid[], $2::uuid[]) AS k (key, lead_id) ON d.key = k.key AND d.lead_id = k.lead_id WHERE (SELECT count(*) FROM locked) > 0),"
    " given_back AS (UPDATE duplicate_key d SET lead_id = earlier_lead_id, supplier_id = earlier_supplier_id, at = earlier_at,"
    "  expires_at = earlier_expires_at, earlier_lead_id = NULL, earlier_supplier_id = NULL, earlier_at = NULL, earlier_expires_at = NULL"
    "  FROM released r WHERE d.key = r.key AND d.lead_id = r.lead_id AND r.has_earlier)"
    " DELETE FROM duplicate_key d USING released r WHERE d.key = r.key AND d.lead_id = r.lead_id AND NOT r.has_earlier";

const char store_release_pings[] =
    "DELETE FROM ping_used p USING unnest($1::uuid[], $2::uuid[]) AS k (ping_id, lead_id) WHERE p.ping_id = k.ping_id AND p.lead_id = k.lead_id";

const char store_end_reservations[] = "DELETE FROM reservation WHERE lead_id = ANY($1::uuid[])";

const char store_end_distributing[] = "DELETE FROM distributing WHERE lead_id = ANY($1::uuid[])";

const char store_write_distributing[] =
    "INSERT INTO distributing (lead_id, router, deadline_at, keys)"
    " SELECT lead_id, $1::text, deadline_at, string_to_array(keys, ',')::uuid[]"
    " FROM unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS d (lead_id, deadline_at, keys)"
    " ON CONFLICT (lead_id) DO UPDATE SET router = excluded.router"; /* a lead that goes on belongs to whoever goes on with it */

const char store_write_tries[] =
    "INSERT INTO reservation (lead_id, try, campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, keys, delivery_id, is_test,"
    " reserved_at, deadline_at, state)"
    " SELECT lead_id, try, campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, string_to_array(keys, ',')::uuid[], delivery_id,"
    " is_test, reserved_at, deadline_at, 'OPEN'"
    " FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[], $9::text[], $10::uuid[], $11::bool[],"
    " $12::timestamptz[], $13::timestamptz[])"
    " AS r (lead_id, try, campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, keys, delivery_id, is_test, reserved_at, deadline_at)";

/* No sweep takes them: there is one attempt only, made by the dispatcher that gets the frame. They have no sale, hence no n, yet. */
const char store_write_asked[] =
    "INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, lease_by)"
    " SELECT lead_id, id, 0, buyer_id, 'OPEN', 0, 'infinity', lease_by"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS d (lead_id, id, buyer_id, lease_by)";

/* Reading ------------------------------------------------------------------------------------------------------------- */

static void add_ids(struct db_job *job, const struct wanted *wanted)
{
    db_array(job, DB_UUID, wanted->lead_id_count);
    for (size_t i = 0; i < wanted->lead_id_count; i++)
        db_item_uuid(job, &wanted->lead_ids[i]);
}

void store_read_confirm(struct db_job *job, const struct wanted *wanted)
{
    db_prepared(job, "read_distributing");
    add_ids(job, wanted);
    db_prepared(job, "read_tries");
    add_ids(job, wanted);
}

/* "id,id", as array_to_string() writes it. */
static struct uuid *read_keys(struct arena *arena, struct span text, size_t *count)
{
    size_t most = text.len / (UUID_TEXT_BYTES - 1) + 1;
    struct uuid *keys = arena_alloc(arena, most * sizeof *keys);

    *count = 0;
    for (size_t at = 0; at + UUID_TEXT_BYTES - 1 <= text.len; at += UUID_TEXT_BYTES)
        if (uuid_parse(&keys[*count], (struct span){text.ptr + at, UUID_TEXT_BYTES - 1}) == 0)
            (*count)++;
    return keys;
}

static enum try_state state_of(struct span word)
{
    return span_is(word, "OPEN") ? TRY_OPEN : span_is(word, "ACCEPTED") ? TRY_ACCEPTED : TRY_REFUSED;
}

static void read_try(struct arena *arena, const struct db_rows *rows, int row, struct try *try)
{
    *try = (struct try){
        .number = db_int(rows, row, 1), .contract_id = arena_copy(arena, db_text(rows, row, 2)), .buyer_id = arena_copy(arena, db_text(rows, row, 3)),
        .price_cents = db_int(rows, row, 4), .cost_cents = db_int(rows, row, 5), .delivery_id = db_uuid(rows, row, 6),
        .reserved_us = db_time_us(rows, row, 7), .deadline_us = db_time_us(rows, row, 8), .state = state_of(db_text(rows, row, 9)),
        .word = arena_copy(arena, db_text(rows, row, 10)), .redirect_url = arena_copy(arena, db_text(rows, row, 12)),
    };
    try->keys = read_keys(arena, db_text(rows, row, 11), &try->key_count);
    for (int owner = 0; owner < TRY_OWNERS; owner++)
        try->counter_ids[owner] = db_int(rows, row, 13 + owner); /* null: 0 */
}

void store_facts_confirm(struct arena *arena, const struct db_rows *distributing, const struct db_rows *tries, struct facts *facts)
{
    int row = 0;

    for (int i = 0; i < db_count(distributing); i++) {
        struct distributing *lead = arena_alloc(arena, sizeof *lead);

        *lead = (struct distributing){
            .lead_id = db_uuid(distributing, i, 0), .router = arena_copy(arena, db_text(distributing, i, 1)),
            .deadline_us = db_time_us(distributing, i, 2),
        };
        lead->keys = read_keys(arena, db_text(distributing, i, 3), &lead->key_count);
        lead->tries = arena_alloc(arena, (size_t)db_count(tries) * sizeof *lead->tries);
        for (; row < db_count(tries); row++) {
            struct uuid id = db_uuid(tries, row, 0);
            int order = uuid_compare(&id, &lead->lead_id);

            if (order > 0)
                break;
            if (order == 0) /* else: of a lead that was settled between the two statements */
                read_try(arena, tries, row, &lead->tries[lead->try_count++]);
        }
        map_put(facts->distributing, uuid_span(&lead->lead_id), lead);
    }
}

/* Writing ------------------------------------------------------------------------------------------------------------- */

/* One array parameter, an element for each decision for which the condition holds. */
#define EACH(type, condition, put)                                                                                     \
    db_array(job, type, count_##condition(decisions, count));                                                          \
    for (size_t i = 0; i < count; i++) {                                                                               \
        const struct decision *d = decisions[i];                                                                       \
        const struct lead *lead = d->plan->lead;                                                                       \
        (void)lead;                                                                                                    \
        if (condition(d)) {                                                                                            \
            put;                                                                                                       \
        }                                                                                                              \
    }

#define CONDITION(name, expression)                                                                                    \
    static bool name(const struct decision *d)                                                                         \
    {                                                                                                                  \
        return expression;                                                                                             \
    }                                                                                                                  \
    static size_t count_##name(const struct decision *const *decisions, size_t count)                                  \
    {                                                                                                                  \
        size_t sum = 0;                                                                                                \
                                                                                                                       \
        for (size_t i = 0; i < count; i++)                                                                             \
            sum += name(decisions[i]);                                                                                 \
        return sum;                                                                                                    \
    }
CONDITION(is_settling, d->settled != NULL)
CONDITION(is_late, d->settled != NULL && d->is_late)
CONDITION(is_asking, d->asked != NULL)
CONDITION(is_through, d->action == ACTION_STEP && d->asked == NULL)
CONDITION(frees_ping, d->action == ACTION_STEP && d->asked == NULL && d->sale_count == 0 && d->plan->ping != NULL)

static void add_keys_text(struct db_job *job, const struct uuid *keys, size_t count)
{
    struct buf *text = buf_new(count * UUID_TEXT_BYTES + 1);
    char one[UUID_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        buf_add_text(text, i > 0 ? "," : "");
        buf_add_text(text, uuid_text(&keys[i], one));
    }
    db_item_text(job, buf_span(text));
    buf_free(&text);
}

/* The keys of the campaign's rules that go when nobody buys; a campaign that compares with all leads keeps them. */
static void add_lead_keys(struct db_job *job, const struct decision *d)
{
    const struct plan *plan = d->plan;
    size_t count = d->action == ACTION_STEP || plan->lead->is_test || plan->campaign->duplicates_against == AGAINST_ALL ? 0 : plan->key_count;
    struct uuid *keys = calloc(count + 1, sizeof *keys);

    for (size_t i = 0; i < count; i++)
        keys[i] = plan->keys[i].key;
    add_keys_text(job, keys, count);
    free(keys);
}

static void cents_or_null(struct db_job *job, const struct decision *d, int64_t cents)
{
    if (d->sale_count > 0)
        db_item_int(job, cents);
    else
        db_item_null(job);
}

static void write_finished(struct db_job *job, const struct decision *const *decisions, size_t count, int64_t now_us)
{
    db_prepared(job, "finish_leads");
    db_array(job, DB_TIMESTAMPTZ, 1);
    db_item_time(job, now_us);
    EACH(DB_UUID, is_through, db_item_uuid(job, &lead->id))
    EACH(DB_TEXT, is_through, db_item_text(job, span_of(lead_state_word(d->state))))
    EACH(DB_JSONB, is_through, db_item_text(job, d->reasons))
    EACH(DB_INT8, is_through, cents_or_null(job, d, d->price_cents))
    EACH(DB_INT8, is_through, cents_or_null(job, d, d->cost_cents))
    EACH(DB_INT8, is_through, db_item_int(job, d->answer_status))
    EACH(DB_TEXT, is_through, db_item_text(job, d->answer_body))
    db_add_int(job, (int64_t)count_is_through(decisions, count));
}

static void write_asked(struct db_job *job, const struct decision *const *decisions, size_t count)
{
    db_prepared(job, "write_tries");
    EACH(DB_UUID, is_asking, db_item_uuid(job, &lead->id))
    EACH(DB_INT8, is_asking, db_item_int(job, d->asked->number))
    EACH(DB_TEXT, is_asking, db_item_text(job, lead->campaign_id))
    EACH(DB_TEXT, is_asking, db_item_text(job, lead->supplier_id))
    EACH(DB_TEXT, is_asking, db_item_text(job, d->asked->contract_id))
    EACH(DB_TEXT, is_asking, db_item_text(job, d->asked->buyer_id))
    EACH(DB_INT8, is_asking, db_item_int(job, d->asked->price_cents))
    EACH(DB_INT8, is_asking, db_item_int(job, d->asked->cost_cents))
    EACH(DB_TEXT, is_asking, add_keys_text(job, d->asked->keys, d->asked->key_count))
    EACH(DB_UUID, is_asking, db_item_uuid(job, &d->asked->delivery_id))
    EACH(DB_BOOL, is_asking, db_item_bool(job, lead->is_test))
    EACH(DB_TIMESTAMPTZ, is_asking, db_item_time(job, d->asked->reserved_us))
    EACH(DB_TIMESTAMPTZ, is_asking, db_item_time(job, d->asked->deadline_us))
    db_prepared(job, "write_asked");
    EACH(DB_UUID, is_asking, db_item_uuid(job, &lead->id))
    EACH(DB_UUID, is_asking, db_item_uuid(job, &d->asked->delivery_id))
    EACH(DB_TEXT, is_asking, db_item_text(job, d->asked->buyer_id))
    EACH(DB_TEXT, is_asking, db_item_text(job, d->asked->dispatcher))
}

void store_write_confirm(struct db_job *job, const struct decision *const *decisions, size_t count, const struct facts *facts)
{
    size_t through = count_is_through(decisions, count), settling = count_is_settling(decisions, count), late = count_is_late(decisions, count);

    if (settling > 0) {
        db_prepared(job, "settle_tries");
        EACH(DB_UUID, is_settling, db_item_uuid(job, &lead->id))
        EACH(DB_INT8, is_settling, db_item_int(job, d->settled->number))
        EACH(DB_TEXT, is_settling, db_item_text(job, d->settled->state == TRY_ACCEPTED ? SPAN("ACCEPTED") : SPAN("REFUSED")))
        db_add_int(job, (int64_t)settling);
    }
    if (late > 0) {
        db_prepared(job, "end_late");
        EACH(DB_UUID, is_late, db_item_uuid(job, &lead->id))
        EACH(DB_UUID, is_late, db_item_uuid(job, &d->settled->delivery_id))
        db_add_int(job, (int64_t)late);
    }
    if (through > 0) {
        write_finished(job, decisions, count, facts->now_us);
        db_prepared(job, "finish_sales");
        EACH(DB_UUID, is_through, db_item_uuid(job, &lead->id))
        db_prepared(job, "number_deliveries");
        EACH(DB_UUID, is_through, db_item_uuid(job, &lead->id))
    }
    if (count_is_asking(decisions, count) > 0) {
        db_prepared(job, "write_distributing");
        db_add_text(job, facts->router);
        EACH(DB_UUID, is_asking, db_item_uuid(job, &lead->id))
        EACH(DB_TIMESTAMPTZ, is_asking, db_item_time(job, d->deadline_us))
        EACH(DB_TEXT, is_asking, add_lead_keys(job, d))
        write_asked(job, decisions, count);
    }
}

/* Keys that are let go, with the lead that holds each. */
struct released {
    const struct uuid **keys, **leads;
    size_t count;
};

static bool holds(const struct try *try, const struct uuid *key)
{
    for (size_t i = 0; try != NULL && i < try->key_count; i++)
        if (uuid_compare(&try->keys[i], key) == 0)
            return true;
    return false;
}

static void release(struct released *released, const struct decision *d)
{
    const struct try *settled = d->settled;

    for (size_t i = 0; settled != NULL && settled->state == TRY_REFUSED && i < settled->key_count; i++)
        if (!holds(d->asked, &settled->keys[i])) {
            released->keys[released->count] = &settled->keys[i];
            released->leads[released->count++] = &d->plan->lead->id;
        }
    for (size_t i = 0; is_through(d) && d->sale_count == 0 && i < d->distributing->key_count; i++) {
        released->keys[released->count] = &d->distributing->keys[i];
        released->leads[released->count++] = &d->plan->lead->id;
    }
}

void store_end_confirm(struct db_job *job, struct arena *arena, const struct decision *const *decisions, size_t count)
{
    struct released released = {0};
    size_t most = 0;

    for (size_t i = 0; i < count; i++)
        most += (decisions[i]->settled != NULL ? decisions[i]->settled->key_count : 0) +
                (decisions[i]->distributing != NULL ? decisions[i]->distributing->key_count : 0);
    released.keys = arena_alloc(arena, most * sizeof(struct uuid *));
    released.leads = arena_alloc(arena, most * sizeof(struct uuid *));
    for (size_t i = 0; i < count; i++)
        release(&released, decisions[i]);
    if (released.count > 0) {
        db_prepared(job, "release_keys");
        db_array(job, DB_UUID, released.count);
        for (size_t i = 0; i < released.count; i++)
            db_item_uuid(job, released.keys[i]);
        db_array(job, DB_UUID, released.count);
        for (size_t i = 0; i < released.count; i++)
            db_item_uuid(job, released.leads[i]);
    }
    if (count_frees_ping(decisions, count) > 0) { /* a post that sold nothing may be repeated */
        db_prepared(job, "release_pings");
        EACH(DB_UUID, frees_ping, db_item_uuid(job, &d->plan->ping->ping_id))
        EACH(DB_UUID, frees_ping, db_item_uuid(job, &lead->id))
    }
    if (count_is_through(decisions, count) == 0)
        return;
    db_prepared(job, "end_reservations");
    EACH(DB_UUID, is_through, db_item_uuid(job, &lead->id))
    db_prepared(job, "end_distributing");
    EACH(DB_UUID, is_through, db_item_uuid(job, &lead->id))
}
