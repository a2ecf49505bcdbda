#include "router/pings.h"

#include "common/clock.h"
#include "common/metrics.h"
#include "common/must.h"
#include "router/auction.h"
#include "router/ping_reply.h"
#include "router/plan.h"
#include "router/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 512, BYTES_AT_ONCE = 4 << 20 };

struct pings {
    struct stage *stage;
    struct keyring *keyring;
    ping_answer_fn *answer;
    ping_lead_fn *on_lead;
    void *ctx;
    struct auctions *auctions;
    struct loop_timer *soon; /* bids are in: at the end of the turn's work all of them together */
    struct inbox *inbox;
    struct db *db;
    bool waits_for_catalog; /* one was judged by a newer one than ours */
    bool has_newest;        /* it was read since: there is no newer one */

    /* the pings of the query under way */
    bool is_busy;
    bool catalog_changed; /* since it was sent */
    struct entry *entries;
    size_t count;
    struct arena *arena;
    struct plan *plans;
    struct wanted wanted;

    struct metric *answers[7], *own;
};

static const char *const words[] = {"accepted", "filtered", "suppressed", "duplicate", "no_buyer", "capped", "refused"};

static void clear(struct pings *pings)
{
    pings->plans = NULL;
    pings->count = 0;
    arena_free(&pings->arena);
    pings->is_busy = false;
}

static void answer(struct pings *pings, struct entry *entry, const struct ping_reply *reply)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], reply->word) == 0)
            metric_add(pings->answers[i], 1);
    metric_observe_ns(pings->own, clock_mono_ns() - entry->came_ns - entry->waited_ns);
    pings->answer(pings->ctx, &entry->lead, reply->status, reply->body);
    inbox_done(pings->inbox, &entry);
}

static void answer_unavailable(struct pings *pings)
{
    const struct ping_reply unavailable = {reason_http(REASON_UNAVAILABLE), SPAN(""), "refused"};
    struct entry *entry = pings->entries, *next;

    pings->entries = NULL;
    for (; entry != NULL; entry = next) {
        next = entry->next;
        answer(pings, entry, &unavailable);
    }
}

/* Bids ---------------------------------------------------------------------------------------------------------------- */

/* Was it answered before? Then nobody is asked again for it. */
static bool is_repeat(const struct facts *facts, const struct lead *lead)
{
    return map_get(facts->recorded, uuid_span(&lead->id)) != NULL ||
           (!uuid_is_nil(&lead->idempotency_key) && map_get(facts->idempotent, uuid_span(&lead->idempotency_key)) != NULL);
}

/* Asks whoever would buy and sells by bids. Returns false, and leaves the entry, when there is nobody. */
static bool ask(struct pings *pings, struct entry *entry, const struct decision *decision)
{
    const struct plan *plan = decision->plan;
    const struct buyer **buyers;
    size_t count = 0;

    if (decision->reason != REASON_NONE || entry->quotes != NULL)
        return false;
    buyers = arena_alloc(pings->arena, plan->eligible_count * sizeof *buyers);
    for (size_t i = 0; i < plan->eligible_count; i++)
        if (plan->candidates[i].pass == PASS_NONE && plan->candidates[i].sells_by_bid)
            buyers[count++] = plan->candidates[i].contract->buyer;
    if (count == 0)
        return false;
    auction_begin(pings->auctions, &entry, plan->campaign, buyers, count);
    return true;
}

static void pass_on(struct pings *pings, struct entry *entry)
{
    static const struct quotes nobody;

    if (entry->quotes == NULL)
        entry->quotes = &nobody;
    pings->on_lead(pings->ctx, pings->inbox, &entry);
}

/* The bids are in: a ping is judged again, with what there is now. */
static void on_bids(void *ctx, struct entry **entry)
{
    struct pings *pings = ctx;
    struct entry *bidden = *entry;

    *entry = NULL;
    if (bidden->lead.mode != MODE_PING) {
        pass_on(pings, bidden);
        return;
    }
    bidden->next = NULL;
    inbox_put_back(pings->inbox, bidden);
    loop_timer_set(pings->soon, 0, 0);
}

bool pings_bid(struct pings *pings, const struct bid *bid)
{
    return auction_bid(pings->auctions, bid);
}

void pings_lost(struct pings *pings, struct neighbour *dispatcher)
{
    auction_lost(pings->auctions, dispatcher);
}

/* Deciding ------------------------------------------------------------------------------------------------------------ */

static void judge(struct pings *pings, struct facts *facts)
{
    struct entry *entry = pings->entries, *next;

    pings->entries = NULL;
    for (size_t i = 0; entry != NULL; entry = next, i++) {
        struct decision decision;
        struct ping_reply reply;

        next = entry->next;
        decide_ping(pings->arena, facts, &pings->plans[i], &decision);
        if (!is_repeat(facts, &entry->lead) && ask(pings, entry, &decision))
            continue;
        if (entry->lead.mode != MODE_PING) {
            pass_on(pings, entry);
            continue;
        }
        reply = ping_reply(pings->arena, keyring_keys(pings->keyring), &decision, facts->now_us / 1000);
        answer(pings, entry, &reply);
    }
}

static void put_back(struct pings *pings)
{
    inbox_put_back(pings->inbox, pings->entries);
    pings->entries = NULL;
    clear(pings);
}

static void on_read(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct pings *pings = ctx;
    struct facts facts;

    if (error->trouble == DB_OK && pings->catalog_changed) {
        put_back(pings);
    } else if (error->trouble == DB_OK) {
        if (store_peeked(pings->arena, rows, &pings->wanted, &facts))
            judge(pings, &facts);
        else
            answer_unavailable(pings); /* a counter is missing: nobody can say who has room */
        facts_close(&facts);
        clear(pings);
    } else if (error->trouble == DB_GONE && !db_is_away(pings->db)) {
        put_back(pings); /* it comes back at once, or turns out to be away: on_state() */
    } else {
        answer_unavailable(pings);
        clear(pings);
    }
    pings_kick(pings);
}

/* The pings at hand --------------------------------------------------------------------------------------------------- */

/* Takes what waits and is not too late. Returns false when there is nothing to do now. */
static bool take(struct pings *pings)
{
    int64_t now_ms = clock_mono_ms(), ours = stage_catalog(pings->stage)->version;
    struct entry **at;

    pings->entries = inbox_take(pings->inbox, AT_ONCE, BYTES_AT_ONCE);
    pings->count = 0;
    for (at = &pings->entries; *at != NULL;) {
        struct entry *entry = *at;

        if (entry->expires_ms > now_ms) {
            pings->waits_for_catalog |= entry->lead.judged_version > ours && !pings->has_newest;
            pings->count++;
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        inbox_done(pings->inbox, &entry);
    }
    pings->has_newest = false;
    return pings->count > 0;
}

static bool needs_query(const struct wanted *wanted)
{
    return wanted->counter_count > 0 || wanted->duplicate_key_count > 0 || wanted->idempotency_key_count > 0 || wanted->lead_id_count > 0;
}

static void judge_unread(struct pings *pings)
{
    struct facts facts = {.now_us = keyring_now_ms(pings->keyring) * 1000, .counters = map_new(), .holders = map_new(),
                          .idempotent = map_new(), .recorded = map_new()};

    judge(pings, &facts);
    facts_close(&facts);
    clear(pings);
}

/* Is there a connection, and a key to seal with? A process that has just begun waits for both; nobody waits for a database known to be away. */
static bool is_ready(const struct pings *pings)
{
    return db_is_away(pings->db) || (db_is_up(pings->db) && keyring_keys(pings->keyring)->count > 0);
}

void pings_kick(struct pings *pings)
{
    const struct catalog *catalog = stage_catalog(pings->stage);

    while (!pings->is_busy && !pings->waits_for_catalog && is_ready(pings) && inbox_waiting(pings->inbox) > 0) {
        size_t i = 0;

        if (!take(pings))
            continue;
        if (pings->waits_for_catalog) {
            put_back(pings);
            stage_refresh_catalog(pings->stage);
            return;
        }
        pings->arena = arena_new();
        pings->plans = arena_alloc(pings->arena, pings->count * sizeof *pings->plans);
        for (struct entry *entry = pings->entries; entry != NULL; entry = entry->next)
            plan_make(pings->arena, catalog, keyring_keys(pings->keyring), &entry->lead, entry->quotes, &pings->plans[i++]);
        pings->is_busy = true;
        wanted_collect(pings->arena, pings->plans, pings->count, false, &pings->wanted);
        if (!needs_query(&pings->wanted)) {
            judge_unread(pings);
            continue;
        }
        pings->catalog_changed = false;
        store_peek(pings->db, catalog, &pings->wanted, on_read, pings);
    }
}

void pings_catalog_changed(struct pings *pings)
{
    pings->catalog_changed = true;
    pings->has_newest = pings->waits_for_catalog;
    pings->waits_for_catalog = false;
    pings_kick(pings);
}

void pings_add(struct pings *pings, const struct lead *lead, struct hold *hold, int64_t expires_ms)
{
    if (lead->fields.count + lead->undefined.count > FIELDS_MOST) /* no validator lets that pass */
        pings->answer(pings->ctx, lead, reason_http(REASON_INTERNAL), SPAN(""));
    else
        inbox_add(pings->inbox, lead, hold, expires_ms);
}

void pings_take(struct pings *pings, struct inbox *inbox, struct entry **entry)
{
    inbox_move(inbox, entry, pings->inbox);
    loop_timer_set(pings->soon, 0, 0);
}

/* Coming and going ---------------------------------------------------------------------------------------------------- */

static void on_state(void *ctx, bool is_up)
{
    struct pings *pings = ctx;

    (void)is_up;
    loop_timer_set(pings->soon, 0, 0);
}

static void on_soon(void *ctx)
{
    pings_kick(ctx);
}

struct pings *pings_new(struct stage *stage, struct keyring *keyring, ping_answer_fn *answer_fn, ping_lead_fn *on_lead, void *ctx)
{
    struct pings *pings = must_zalloc(sizeof *pings);

    pings->stage = stage;
    pings->keyring = keyring;
    pings->answer = answer_fn;
    pings->on_lead = on_lead;
    pings->ctx = ctx;
    pings->inbox = inbox_new();
    pings->auctions = auctions_new(stage, on_bids, pings);
    pings->soon = loop_timer_new(stage_loop(stage), on_soon, pings);
    pings->own = metric_histogram("leadline_ping_own_seconds", NULL, "From a ping's arrival here to its answer, without the time of buyers.");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        static char labels[sizeof words / sizeof *words][32];

        snprintf(labels[i], sizeof labels[i], "answer=\"%s\"", words[i]);
        pings->answers[i] = metric_counter("leadline_pings_total", labels[i], "Pings of suppliers answered.");
    }
    pings->db = stage_open_db(stage, store_settings, store_peeks, on_state, pings);
    return pings;
}

void pings_free(struct pings **pings)
{
    if (*pings == NULL)
        return;
    db_close(&(*pings)->db); /* a query under way is called back */
    auctions_free(&(*pings)->auctions, (*pings)->inbox);
    loop_timer_free(&(*pings)->soon);
    inbox_free(&(*pings)->inbox);
    free(*pings);
    *pings = NULL;
}

size_t pings_waiting(const struct pings *pings)
{
    return inbox_waiting(pings->inbox) + pings->count + auctions_open(pings->auctions);
}

size_t pings_bytes(const struct pings *pings)
{
    return inbox_bytes(pings->inbox);
}
