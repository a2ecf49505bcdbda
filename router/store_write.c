#include "router/store.h"

#include "router/reply.h"
#include "router/store_confirm.h"
#include "router/store_event.h"

#include <stdlib.h>

/* The decisions that make rows, sorted by lead id. */
struct rows_to_write {
    const struct decision **leads;
    size_t lead_count;
    const struct decision **told; /* these, and the steps of leads that were there: each has a row in the trail */
    size_t told_count;
    size_t sale_count;
    size_t idempotency_count;
    int64_t now_us;
};

static int by_lead(const void *a, const void *b)
{
    const struct decision *const *x = a, *const *y = b;

    return uuid_compare(&(*x)->plan->lead->id, &(*y)->plan->lead->id);
}

/* One array parameter, an element for each decision of a list. */
#define EACH(list, count, type, put)                                                                                   \
    db_array(job, type, count);                                                                                        \
    for (size_t i = 0; i < (count); i++) {                                                                             \
        const struct decision *d = (list)[i];                                                                          \
        const struct lead *lead = d->plan->lead;                                                                       \
        (void)lead;                                                                                                    \
        put;                                                                                                           \
    }

/* One array parameter, an element for each lead. */
#define LEADS(type, put) EACH(w->leads, w->lead_count, type, put)

static struct span or_null(struct span text)
{
    return text.len > 0 ? text : (struct span){NULL, 0};
}

static const struct uuid *id_or_null(const struct uuid *id)
{
    return uuid_is_nil(id) ? NULL : id;
}

static void cents_or_null(struct db_job *job, const struct decision *d, int64_t cents)
{
    if (d->sale_count > 0)
        db_item_int(job, cents);
    else
        db_item_null(job);
}

static void write_leads(struct db_job *job, const struct rows_to_write *w)
{
    db_prepared(job, "write_leads");
    db_array(job, DB_TIMESTAMPTZ, 1);
    db_item_time(job, w->now_us);
    LEADS(DB_UUID, db_item_uuid(job, &lead->id))
    LEADS(DB_TEXT, db_item_text(job, or_null(lead->campaign_id)))
    LEADS(DB_TEXT, db_item_text(job, lead->supplier_id))
    LEADS(DB_TEXT, db_item_text(job, span_of(lead_state_word(d->state))))
    LEADS(DB_BOOL, db_item_bool(job, lead->is_test))
    LEADS(DB_TIMESTAMPTZ, db_item_time(job, uuid_ms(&lead->id) * 1000))
    LEADS(DB_JSONB, db_item_text(job, d->reasons))
    LEADS(DB_INT8, cents_or_null(job, d, d->price_cents))
    LEADS(DB_INT8, cents_or_null(job, d, d->cost_cents))
    LEADS(DB_UUID, db_item_uuid(job, id_or_null(&d->plan->phone_key)))
    LEADS(DB_UUID, db_item_uuid(job, id_or_null(&d->plan->email_key)))
    LEADS(DB_INT8, db_item_int(job, d->answer_status))
    LEADS(DB_TEXT, db_item_text(job, d->answer_body))
    LEADS(DB_JSONB, db_item_text(job, lead->raw))
    LEADS(DB_JSONB, db_item_text(job, d->fields))
}

static void write_trail(struct db_job *job, const struct rows_to_write *w)
{
    db_prepared(job, "write_trail");
    EACH(w->told, w->told_count, DB_UUID, db_item_uuid(job, &lead->id))
    EACH(w->told, w->told_count, DB_TEXT, db_item_text(job, span_of(reply_step(d))))
    EACH(w->told, w->told_count, DB_TIMESTAMPTZ, db_item_time(job, w->now_us))
    EACH(w->told, w->told_count, DB_JSONB, db_item_text(job, d->trail))
}

/* One array parameter, an element for each lead with an idempotency key. */
#define IDEMPOTENT(type, put)                                                                                          \
    db_array(job, type, w->idempotency_count);                                                                         \
    for (size_t i = 0; i < w->lead_count; i++) {                                                                       \
        const struct lead *lead = w->leads[i]->plan->lead;                                                             \
        if (!uuid_is_nil(&lead->idempotency_key)) {                                                                    \
            put;                                                                                                       \
        }                                                                                                              \
    }

static void write_idempotency(struct db_job *job, const struct rows_to_write *w)
{
    if (w->idempotency_count == 0)
        return;
    db_prepared(job, "write_idempotency");
    IDEMPOTENT(DB_UUID, db_item_uuid(job, &lead->idempotency_key))
    IDEMPOTENT(DB_BYTEA, db_item_text(job, lead->body_sha256))
    IDEMPOTENT(DB_UUID, db_item_uuid(job, &lead->id))
}

/* One array parameter, an element for each sale; n counts a lead's sales from 1. */
#define SALES(type, put)                                                                                               \
    db_array(job, type, w->sale_count);                                                                                \
    for (size_t i = 0; i < w->lead_count; i++)                                                                         \
        for (size_t n = 0; n < w->leads[i]->sale_count; n++) {                                                         \
            const struct lead *lead = w->leads[i]->plan->lead;                                                         \
            const struct sale *sale = &w->leads[i]->sales[n];                                                          \
            (void)lead, (void)sale;                                                                                    \
            put;                                                                                                       \
        }

static void write_sales(struct db_job *job, const struct rows_to_write *w)
{
    if (w->sale_count == 0)
        return;
    db_prepared(job, "write_sales");
    SALES(DB_UUID, db_item_uuid(job, &lead->id))
    SALES(DB_INT8, db_item_int(job, (int64_t)n + 1))
    SALES(DB_TEXT, db_item_text(job, lead->campaign_id))
    SALES(DB_TEXT, db_item_text(job, lead->supplier_id))
    SALES(DB_TEXT, db_item_text(job, sale->buyer_id))
    SALES(DB_TEXT, db_item_text(job, sale->contract_id))
    SALES(DB_INT8, db_item_int(job, sale->price_cents))
    SALES(DB_INT8, db_item_int(job, sale->cost_cents))
    SALES(DB_BOOL, db_item_bool(job, lead->is_test))
    SALES(DB_TIMESTAMPTZ, db_item_time(job, w->now_us))
    db_prepared(job, "write_deliveries");
    SALES(DB_UUID, db_item_uuid(job, &lead->id))
    SALES(DB_UUID, db_item_uuid(job, &sale->delivery_id))
    SALES(DB_INT8, db_item_int(job, (int64_t)n + 1))
    SALES(DB_TEXT, db_item_text(job, sale->buyer_id))
    SALES(DB_TIMESTAMPTZ, db_item_time(job, sale->lease_until_us))
    SALES(DB_TEXT, db_item_text(job, sale->dispatcher))
}

static void add_holders(struct db_job *job, struct holder *const *list, size_t count, bool replaces)
{
    db_prepared(job, replaces ? "replace_keys" : "write_keys");
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &list[i]->key);
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &list[i]->lead_id);
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, list[i]->supplier_id);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, list[i]->at_us);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, list[i]->expires_us);
    if (!replaces)
        return;
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &list[i]->seen);
    db_add_int(job, (int64_t)count);
}

static int by_ping(const void *a, const void *b)
{
    const struct ping_use *const *x = a, *const *y = b;

    return uuid_compare(&(*x)->ping_id, &(*y)->ping_id);
}

/* Of all tables with keys of our own choice: sorted, so that two batches never wait for each other. */
static void write_uses(struct db_job *job, struct arena *arena, const struct facts *facts)
{
    size_t count = 0, at = 0;
    struct ping_use **ours = arena_alloc(arena, map_count(facts->uses) * sizeof(struct ping_use *)), *use;

    while ((use = map_next(facts->uses, &at)) != NULL)
        if (use->is_ours)
            ours[count++] = use;
    if (count == 0)
        return;
    qsort(ours, count, sizeof *ours, by_ping);
    db_prepared(job, "write_uses");
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &ours[i]->ping_id);
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &ours[i]->lead_id);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, ours[i]->expires_us);
}

/* Who had the keys before leads took them over whose buyers are being asked. */
static void keep_earlier(struct db_job *job, struct holder *const *list, size_t count)
{
    db_prepared(job, "keep_earlier");
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &list[i]->key);
    db_array(job, DB_UUID, count);
    for (size_t i = 0; i < count; i++)
        db_item_uuid(job, &list[i]->earlier->lead_id);
    db_array(job, DB_TEXT, count);
    for (size_t i = 0; i < count; i++)
        db_item_text(job, list[i]->earlier->supplier_id);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, list[i]->earlier->at_us);
    db_array(job, DB_TIMESTAMPTZ, count);
    for (size_t i = 0; i < count; i++)
        db_item_time(job, list[i]->earlier->expires_us);
}

static void write_keys(struct db_job *job, struct arena *arena, const struct facts *facts)
{
    size_t all = map_count(facts->holders), fresh = 0, replaced = 0, over = 0, at = 0;
    struct holder **taken_over = arena_alloc(arena, all * sizeof(struct holder *));
    struct holder **news = arena_alloc(arena, all * sizeof(struct holder *)), **replacing = arena_alloc(arena, all * sizeof(struct holder *));
    struct holder *holder;

    while ((holder = map_next(facts->holders, &at)) != NULL) {
        if (holder->is_ours && uuid_is_nil(&holder->seen))
            news[fresh++] = holder;
        else if (holder->is_ours)
            replacing[replaced++] = holder;
        if (holder->is_ours && holder->earlier != NULL)
            taken_over[over++] = holder;
    }
    if (fresh > 0)
        add_holders(job, news, fresh, false);
    if (replaced > 0)
        add_holders(job, replacing, replaced, true);
    if (over > 0)
        keep_earlier(job, taken_over, over);
}

static void write_counters(struct db_job *job, struct arena *arena, const struct facts *facts)
{
    size_t all = map_count(facts->counters), count = 0, at = 0;
    struct counter **changed = arena_alloc(arena, all * sizeof(struct counter *));
    struct counter *counter;

    while ((counter = map_next(facts->counters, &at)) != NULL)
        if (counter->is_changed)
            changed[count++] = counter;
    if (count == 0)
        return;
    db_prepared(job, "write_counters");
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, changed[i]->id);
    for (int window = 0; window < WINDOW_TOTAL; window++) {
        db_array(job, DB_TIMESTAMPTZ, count);
        for (size_t i = 0; i < count; i++)
            db_item_time(job, changed[i]->start_us[window]);
    }
    for (int window = 0; window < WINDOW_COUNT; window++) {
        db_array(job, DB_INT8, count);
        for (size_t i = 0; i < count; i++)
            db_item_int(job, changed[i]->leads[window]);
    }
    for (int window = 0; window < WINDOW_COUNT; window++) {
        db_array(job, DB_INT8, count);
        for (size_t i = 0; i < count; i++)
            db_item_int(job, changed[i]->cents[window]);
    }
    db_array(job, DB_INT8, count);
    for (size_t i = 0; i < count; i++)
        db_item_int(job, changed[i]->turn_credit);
}

bool store_write(struct db *db, struct arena *arena, const struct decision *decisions, size_t count, const struct facts *facts,
                 db_done_fn *done, void *ctx)
{
    struct rows_to_write w = {
        .leads = arena_alloc(arena, count * sizeof *w.leads), .told = arena_alloc(arena, count * sizeof *w.told), .now_us = facts->now_us,
    };
    const struct decision **confirmed = arena_alloc(arena, count * sizeof *confirmed);
    size_t confirmed_count = 0;
    struct db_job *job;

    for (size_t i = 0; i < count; i++) {
        if (decisions[i].action == ACTION_RECORD) {
            w.leads[w.lead_count++] = &decisions[i];
            w.sale_count += decisions[i].sale_count;
            w.idempotency_count += !uuid_is_nil(&decisions[i].plan->lead->idempotency_key);
        }
        if (decisions[i].action == ACTION_RECORD || decisions[i].action == ACTION_STEP)
            w.told[w.told_count++] = &decisions[i];
        if (decisions[i].asked != NULL || decisions[i].action == ACTION_STEP)
            confirmed[confirmed_count++] = &decisions[i];
    }
    if (w.told_count == 0)
        return false;
    qsort(w.leads, w.lead_count, sizeof *w.leads, by_lead);
    qsort(confirmed, confirmed_count, sizeof *confirmed, by_lead);
    job = db_job_new();
    if (w.lead_count > 0)
        write_leads(job, &w);
    write_idempotency(job, &w);
    write_uses(job, arena, facts);
    if (confirmed_count > 0)
        store_write_confirm(job, confirmed, confirmed_count, facts);
    write_keys(job, arena, facts);
    write_sales(job, &w);
    store_write_events(job, w.told, w.told_count, facts);
    write_trail(job, &w);
    write_counters(job, arena, facts);
    if (confirmed_count > 0)
        store_end_confirm(job, arena, confirmed, confirmed_count);
    db_prepared(job, "commit");
    db_send(db, &job, done, ctx);
    return true;
}
