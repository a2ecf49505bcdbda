#include "router/batch.h"

#include "common/clock.h"
#include "common/db_frozen.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"
#include "router/confirm.h"
#include "router/plan.h"
#include "router/reply.h"
#include "router/store.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LOOK_AGAIN_MS = 50 }; /* at a lead that waits for another one */

struct batch {
    struct stage *stage;
    struct inbox *inbox;
    struct keyring *keyring;
    struct tell *tell;
    struct db *db;
    size_t most_leads, most_bytes;
    batch_ask_fn *ask;
    void *ask_ctx;
    struct loop_timer *timer; /* somebody who stands aside wakes */

    bool is_busy;
    bool waits_for_catalog;
    bool waits_for_keys;  /* a ping id was sealed with a key that we have not read */
    bool asks_for_newer;  /* a lead was judged by a newer catalog than ours */
    int catalogs_read;    /* since then */
    bool catalog_changed; /* since the batch began */
    bool reads_all_ids;   /* of the leads put back: they may be recorded */
    size_t limit;         /* of the next batch, below most_leads while a bad lead is looked for */
    size_t suspects;      /* so many leads in front hold it */

    /* the batch under way */
    struct entry *entries;
    size_t count;
    struct arena *arena;
    struct plan *plans;
    struct decision *decisions;
    struct wanted wanted;
    struct facts facts;
    int64_t begun_ns;

    struct metric *refused, *dropped, *retries, *batches, *seconds;
};

static void begin(struct batch *batch);

/* The end of a batch -------------------------------------------------------------------------------------------------- */

static void clear(struct batch *batch)
{
    facts_close(&batch->facts);
    arena_free(&batch->arena);
    batch->plans = NULL;
    batch->decisions = NULL;
    batch->entries = NULL;
    batch->count = 0;
    batch->is_busy = false;
}

static void put_back(struct batch *batch)
{
    inbox_put_back(batch->inbox, batch->entries);
    clear(batch);
}

static void end_entries(struct batch *batch)
{
    struct entry *entry, *next;

    for (entry = batch->entries; entry != NULL; entry = next) {
        next = entry->next;
        inbox_done(batch->inbox, &entry);
    }
    batch->entries = NULL;
}

/* So many of the leads that might hold the bad one are through. */
static void clear_suspects(struct batch *batch, size_t count)
{
    batch->suspects = batch->suspects > count ? batch->suspects - count : 0;
    if (batch->suspects == 0)
        batch->limit = batch->most_leads;
}

static void arm(struct batch *batch)
{
    int64_t wake_ms = inbox_next_wake_ms(batch->inbox), now_ms = clock_mono_ms();

    if (wake_ms < INT64_MAX)
        loop_timer_set(batch->timer, wake_ms > now_ms ? wake_ms - now_ms : 0, 0);
}

/* Ends what is answered; who asks or waits stands aside. The moments of decisions are the database's. */
static void part(struct batch *batch)
{
    int64_t now_ms = clock_mono_ms();
    struct entry *entry, *next;
    size_t i = 0;

    for (entry = batch->entries; entry != NULL; entry = next) {
        const struct decision *decision = &batch->decisions[i++];
        int64_t until_us = decision->asked != NULL ? decision->asked->deadline_us + ANSWER_GRACE_MS * 1000 : decision->wait_until_us;

        next = entry->next;
        entry->is_distributing |= decision->asked != NULL;
        entry->lead.is_resent |= decision->asked != NULL; /* it is recorded */
        if (decision->asked == NULL && decision->action != ACTION_WAIT)
            inbox_done(batch->inbox, &entry);
        else
            inbox_set_aside(batch->inbox, entry, now_ms + (until_us > batch->facts.now_us ? (until_us - batch->facts.now_us) / 1000 + 1 : LOOK_AGAIN_MS));
    }
    batch->entries = NULL;
    arm(batch);
}

static void succeed(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        tell_decision(batch->tell, &batch->facts, &batch->decisions[i]);
    metric_observe_ns(batch->seconds, clock_mono_ns() - batch->begun_ns);
    clear_suspects(batch, batch->count);
    batch->reads_all_ids = batch->reads_all_ids && inbox_waiting(batch->inbox) > 0 && batch->suspects > 0;
    part(batch);
    clear(batch);
    begin(batch);
}

static void answer_unavailable(struct batch *batch, struct entry *entry)
{
    struct entry *next;

    for (; entry != NULL; entry = next) {
        next = entry->next;
        tell_unavailable(batch->tell, &entry->lead);
        inbox_done(batch->inbox, &entry);
        clear_suspects(batch, 1);
    }
}

/* Nobody waits for a database that is known to be away. */
static void answer_all_unavailable(struct batch *batch)
{
    answer_unavailable(batch, inbox_take(batch->inbox, SIZE_MAX, SIZE_MAX));
}

/* PostgreSQL refuses something of this batch: looks for the lead by halving; alone, it is refused. */
static void halve(struct batch *batch, const struct db_error *error)
{
    size_t count = batch->count;
    char id[UUID_TEXT_BYTES];

    if (count == 1) {
        log_event(LOG_ERROR, "lead.refused", "lead=%s sqlstate=%s statement=%d", uuid_text(&batch->entries->lead.id, id), error->sqlstate, error->statement);
        metric_add(batch->refused, 1);
        tell_answer(batch->tell, &batch->entries->lead, reason_http(REASON_INTERNAL), SPAN(""), 0, false);
        end_entries(batch);
        clear_suspects(batch, 1);
        if (batch->suspects > 0)
            batch->limit = batch->suspects;
        clear(batch);
        return;
    }
    if (batch->suspects < count)
        batch->suspects = count;
    batch->limit = count / 2;
    put_back(batch);
}

static void surprise(struct batch *batch, const struct db_error *error)
{
    metric_add(batch->retries, 1);
    if (error->trouble != DB_GONE)
        db_roll_back(batch->db);
    batch->reads_all_ids = true;
    switch (error->trouble) {
    case DB_OK:
    case DB_GONE: /* it comes back at once, or turns out to be away: on_state() */
        put_back(batch);
        return;
    case DB_CONFLICT:
        log_event(LOG_DEBUG, "batch.retried", "sqlstate=%s leads=%zu", error->sqlstate, batch->count);
        db_end_frozen(batch->db, error);
        put_back(batch);
        break;
    case DB_DOWN:
        answer_unavailable(batch, batch->entries);
        clear(batch);
        if (span_is(span_of(error->sqlstate), "25006")) /* a standby: find the primary anew */
            db_reset(batch->db);
        break;
    case DB_REFUSED:
        halve(batch, error);
        break;
    }
    begin(batch);
}

/* Deciding ------------------------------------------------------------------------------------------------------------ */

static void on_written(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct batch *batch = ctx;

    (void)rows;
    if (error->trouble == DB_OK)
        succeed(batch);
    else
        surprise(batch, error);
}

/* Takes out those whose time is up: their suppliers have been told 503. */
static void drop_expired(struct batch *batch)
{
    int64_t now_ms = clock_mono_ms();
    struct entry **at = &batch->entries;
    size_t kept = 0, i = 0;

    while (*at != NULL) {
        struct entry *entry = *at;

        if (entry->expires_ms > now_ms || entry->is_distributing) {
            batch->plans[kept++] = batch->plans[i++];
            at = &entry->next;
            continue;
        }
        i++;
        *at = entry->next;
        metric_add(batch->dropped, 1);
        inbox_done(batch->inbox, &entry);
    }
    clear_suspects(batch, batch->count - kept);
    batch->count = kept;
}

static void wait_for_catalog(struct batch *batch)
{
    db_roll_back(batch->db);
    put_back(batch);
    batch->waits_for_catalog = true;
    stage_refresh_catalog(batch->stage);
}

static void on_read(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct batch *batch = ctx;
    int64_t version;

    if (error->trouble != DB_OK) {
        surprise(batch, error);
        return;
    }
    if (batch->catalog_changed) {
        db_roll_back(batch->db);
        put_back(batch);
        begin(batch);
        return;
    }
    version = store_facts(batch->arena, rows, &batch->wanted, &batch->facts);
    if (version != stage_catalog(batch->stage)->version) {
        wait_for_catalog(batch);
        return;
    }
    batch->facts.router = span_of(stage_name(batch->stage));
    batch->facts.event_endpoints = stage_catalog(batch->stage)->event_endpoints;
    batch->facts.event_endpoint_count = stage_catalog(batch->stage)->event_endpoint_count;
    batch->facts.has_dispatcher = neighbours_up(stage_neighbours(batch->stage, STAGE_DISPATCHER)) > 0;
    drop_expired(batch);
    batch->decisions = arena_alloc(batch->arena, batch->count * sizeof *batch->decisions);
    decide_batch(batch->arena, &batch->facts, batch->plans, batch->count, batch->decisions);
    for (size_t i = 0; i < batch->count; i++) {
        tell_prepare(batch->tell, batch->arena, &batch->facts, &batch->decisions[i]);
        reply_fill(batch->arena, &batch->decisions[i]);
    }
    if (store_write(batch->db, batch->arena, batch->decisions, batch->count, &batch->facts, on_written, batch))
        return;
    db_roll_back(batch->db);
    succeed(batch);
}

/* The beginning of a batch -------------------------------------------------------------------------------------------- */

/*
 * Can this lead be decided with our catalog? Otherwise sends it back, or has a newer catalog read. When there is none (the
 * second reading began after the lead had come), its validator saw what the database has lost: it is judged again, too.
 */
static bool is_current(struct batch *batch, const struct lead *lead)
{
    int64_t ours = stage_catalog(batch->stage)->version;

    if (lead->judged_version > ours && !(batch->asks_for_newer && batch->catalogs_read >= 2))
        batch->waits_for_catalog = true;
    else if (lead->judged_version != ours)
        tell_answer(batch->tell, lead, 0, SPAN(""), ours, false);
    return lead->judged_version == ours;
}

/* Takes what waits; leaves the leads that can be decided now in batch->entries. */
static void take(struct batch *batch)
{
    int64_t now_ms = clock_mono_ms();
    struct entry **at;

    batch->entries = inbox_take(batch->inbox, batch->limit, batch->most_bytes);
    batch->count = 0;
    for (at = &batch->entries; *at != NULL;) {
        struct entry *entry = *at;
        bool is_late = !entry->is_distributing && entry->expires_ms <= now_ms;
        bool is_ours = entry->is_distributing || (!is_late && is_current(batch, &entry->lead));

        if (is_ours && !entry->is_distributing && entry->quotes == NULL && plan_needs_bids(stage_catalog(batch->stage), &entry->lead)) {
            *at = entry->next;
            batch->ask(batch->ask_ctx, &entry);
            clear_suspects(batch, 1);
            continue;
        }
        if (is_ours) {
            batch->count++;
            at = &entry->next;
            continue;
        }
        if (batch->waits_for_catalog)
            return;
        if (is_late)
            metric_add(batch->dropped, 1);
        *at = entry->next;
        inbox_done(batch->inbox, &entry);
        clear_suspects(batch, 1);
    }
    batch->asks_for_newer = false;
}

static void ask_for_newer(struct batch *batch)
{
    if (!batch->asks_for_newer)
        batch->catalogs_read = 0;
    batch->asks_for_newer = true;
    put_back(batch);
    stage_refresh_catalog(batch->stage);
}

/* Is there a ping id of which only a new reading of the keys can say that it is none of ours? It is read when this is true. */
static bool needs_keys(struct batch *batch)
{
    bool lacks_key = false;

    for (size_t i = 0; i < batch->count; i++)
        lacks_key |= batch->plans[i].lacks_ping_key;
    batch->waits_for_keys = lacks_key && keyring_refresh(batch->keyring);
    return batch->waits_for_keys;
}

void batch_keys_read(struct batch *batch)
{
    batch->waits_for_keys = false;
    begin(batch);
}

static void make_plans(struct batch *batch)
{
    static const struct quotes nobody;
    size_t i = 0;

    for (struct entry *entry = batch->entries; entry != NULL; entry = entry->next, i++) {
        plan_make(batch->arena, stage_catalog(batch->stage), keyring_keys(batch->keyring), &entry->lead,
                  entry->quotes != NULL ? entry->quotes : &nobody, &batch->plans[i]);
        batch->plans[i].left_ms = entry->expires_ms - batch->begun_ns / 1000000;
    }
}

static void begin(struct batch *batch)
{
    const struct catalog *catalog = stage_catalog(batch->stage);

    while (!batch->is_busy && !batch->waits_for_catalog && !batch->waits_for_keys && db_is_up(batch->db) && inbox_waiting(batch->inbox) > 0) {
        take(batch);
        if (batch->waits_for_catalog) {
            ask_for_newer(batch);
            return;
        }
        if (batch->count == 0)
            continue;
        batch->is_busy = true;
        batch->catalog_changed = false;
        batch->begun_ns = clock_mono_ns();
        batch->arena = arena_new();
        batch->plans = arena_alloc(batch->arena, batch->count * sizeof *batch->plans);
        make_plans(batch);
        if (needs_keys(batch)) {
            put_back(batch);
            return;
        }
        wanted_collect(batch->arena, batch->plans, batch->count, batch->reads_all_ids, &batch->wanted);
        store_read(batch->db, catalog, &batch->wanted, on_read, batch);
        metric_add(batch->batches, 1);
    }
}

void batch_kick(struct batch *batch)
{
    if (batch_is_away(batch) && !batch->is_busy)
        answer_all_unavailable(batch);
    begin(batch);
}

void batch_catalog_changed(struct batch *batch)
{
    batch->catalog_changed = true;
    batch->catalogs_read++;
    batch->waits_for_catalog = false;
    begin(batch);
}

static void on_state(void *ctx, bool is_up)
{
    struct batch *batch = ctx;

    if (is_up)
        begin(batch);
    else if (batch_is_away(batch))
        answer_all_unavailable(batch);
}

static void on_timer(void *ctx)
{
    struct batch *batch = ctx;

    inbox_wake_due(batch->inbox, clock_mono_ms());
    arm(batch);
    batch_kick(batch);
}

struct batch *batch_new(struct stage *stage, struct inbox *inbox, struct keyring *keyring, struct tell *tell, size_t most_leads, size_t most_bytes)
{
    struct batch *batch = must_zalloc(sizeof *batch);

    batch->stage = stage;
    batch->inbox = inbox;
    batch->keyring = keyring;
    batch->tell = tell;
    batch->most_leads = batch->limit = most_leads;
    batch->most_bytes = most_bytes;
    batch->timer = loop_timer_new(stage_loop(stage), on_timer, batch);
    batch->refused = metric_counter("leadline_leads_refused_total", NULL, "Leads that the database refused, each answered with 500.");
    batch->dropped = metric_counter("leadline_leads_dropped_total", NULL, "Leads whose time was up before they were decided.");
    batch->retries = metric_counter("leadline_batch_retries_total", NULL, "Batches that were rolled back and decided again.");
    batch->batches = metric_counter("leadline_batches_total", NULL, "Batches begun.");
    batch->seconds = metric_histogram("leadline_batch_seconds", NULL, "From the first lock to the commit.");
    batch->db = stage_open_db(stage, store_settings, store_statements, on_state, batch);
    return batch;
}

void batch_on_ask(struct batch *batch, batch_ask_fn *ask, void *ctx)
{
    batch->ask = ask;
    batch->ask_ctx = ctx;
}

void batch_free(struct batch **batch)
{
    if (*batch == NULL)
        return;
    db_close(&(*batch)->db);
    loop_timer_free(&(*batch)->timer);
    free(*batch);
    *batch = NULL;
}

bool batch_is_idle(const struct batch *batch)
{
    return !batch->is_busy && inbox_waiting(batch->inbox) == 0 && inbox_aside(batch->inbox) == 0;
}

bool batch_is_away(const struct batch *batch)
{
    return db_is_away(batch->db);
}
