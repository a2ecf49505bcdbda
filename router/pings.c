#include "router/pings.h"

#include "common/clock.h"
#include "common/metrics.h"
#include "common/must.h"
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
    void *ctx;
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

    struct metric *answers[7];
};

static const char *const words[] = {"accepted", "filtered", "suppressed", "duplicate", "no_buyer", "capped", "refused"};

static void count(struct pings *pings, const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0)
            metric_add(pings->answers[i], 1);
}

static void end_all(struct pings *pings, struct entry *entry)
{
    struct entry *next;

    for (; entry != NULL; entry = next) {
        next = entry->next;
        inbox_done(pings->inbox, &entry);
    }
}

static void clear(struct pings *pings)
{
    end_all(pings, pings->entries);
    pings->entries = NULL;
    pings->plans = NULL;
    arena_free(&pings->arena);
    pings->is_busy = false;
}

static void answer_unavailable(struct pings *pings, const struct entry *entry)
{
    for (; entry != NULL; entry = entry->next) {
        count(pings, "refused");
        pings->answer(pings->ctx, &entry->lead, reason_http(REASON_UNAVAILABLE), SPAN(""));
    }
}

/* Deciding ------------------------------------------------------------------------------------------------------------ */

static void judge(struct pings *pings, struct facts *facts)
{
    const struct entry *entry = pings->entries;
    int64_t now_ms = facts->now_us / 1000;

    for (size_t i = 0; entry != NULL; entry = entry->next, i++) {
        struct decision decision;
        struct ping_reply reply;

        decide_ping(pings->arena, facts, &pings->plans[i], &decision);
        reply = ping_reply(pings->arena, keyring_keys(pings->keyring), &decision, now_ms);
        count(pings, reply.word);
        pings->answer(pings->ctx, &entry->lead, reply.status, reply.body);
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
            answer_unavailable(pings, pings->entries); /* a counter is missing: nobody can say who has room */
        facts_close(&facts);
        clear(pings);
    } else {
        answer_unavailable(pings, pings->entries);
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
    return wanted->counter_count > 0 || wanted->duplicate_key_count > 0;
}

static void judge_unread(struct pings *pings)
{
    struct facts facts = {.now_us = keyring_now_ms(pings->keyring) * 1000, .counters = map_new(), .holders = map_new()};

    judge(pings, &facts);
    facts_close(&facts);
    clear(pings);
}

void pings_kick(struct pings *pings)
{
    const struct catalog *catalog = stage_catalog(pings->stage);

    while (!pings->is_busy && !pings->waits_for_catalog && inbox_waiting(pings->inbox) > 0) {
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
            plan_make(pings->arena, catalog, keyring_keys(pings->keyring), &entry->lead, &pings->plans[i++]);
        wanted_collect(pings->arena, pings->plans, pings->count, false, &pings->wanted);
        if (!needs_query(&pings->wanted)) {
            judge_unread(pings);
            continue;
        }
        pings->is_busy = true;
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
    if (lead->fields.count > FIELDS_MOST) /* no validator lets that pass */
        pings->answer(pings->ctx, lead, reason_http(REASON_INTERNAL), SPAN(""));
    else
        inbox_add(pings->inbox, lead, hold, expires_ms);
}

/* Coming and going ---------------------------------------------------------------------------------------------------- */

static void on_state(void *ctx, bool is_up)
{
    (void)ctx, (void)is_up; /* a query that is lost is answered `unavailable`; the next one finds the connection as it is */
}

struct pings *pings_new(struct stage *stage, struct keyring *keyring, ping_answer_fn *answer, void *ctx)
{
    struct pings *pings = must_zalloc(sizeof *pings);

    pings->stage = stage;
    pings->keyring = keyring;
    pings->answer = answer;
    pings->ctx = ctx;
    pings->inbox = inbox_new();
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
    db_close(&(*pings)->db);
    clear(*pings);
    inbox_free(&(*pings)->inbox);
    free(*pings);
    *pings = NULL;
}

size_t pings_waiting(const struct pings *pings)
{
    return inbox_waiting(pings->inbox) + (pings->is_busy ? pings->count : 0);
}

size_t pings_bytes(const struct pings *pings)
{
    return inbox_bytes(pings->inbox);
}
