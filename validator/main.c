/*
 * The validator: field rules and normal forms, inbound filters, suppression lists. It writes nothing; every lead goes on, with its verdict.
 *
 * frame in → judge.c → look_up.c and suppressed.c for campaigns with lists → frame out, to the campaign's router
 */
#include "common/clock.h"
#include "common/must.h"
#include "proto/reason.h"
#include "proto/stage.h"
#include "validator/judge.h"
#include "validator/look_up.h"

#include <stdlib.h>

enum { HELD_BYTES_MOST = 16 << 20 };

/* A frame whose leads want a newer catalog than ours: kept until that is read. */
struct held {
    struct held *next;
    struct arena *arena;
    struct lead *leads;
    size_t count;
    size_t bytes;
    int64_t since_ms; /* monotonic */
    int64_t until_ms; /* then all their suppliers have been told 503 */
};

struct validator {
    struct stage *stage;
    struct buf *item;
    struct held *held, **last_held; /* in order of arrival */
    size_t held_bytes;
    struct look_up *look_up;
    int64_t catalog_turn; /* how many catalogs there have been */
    int64_t judged;
    struct metric *good, *bad, *gave_up, *unpassed;
};

static const struct param params[] = {{NULL, PARAM_TEXT, NULL, NULL, 0, 0, NULL}};

/* It cannot be passed on: the supplier is told at once instead of waiting for its deadline. */
static void answer_unavailable(struct validator *self, const struct lead *lead)
{
    struct neighbour *gateway = neighbours_by_name(stage_neighbours(self->stage, STAGE_GATEWAY), lead->gateway);
    struct answer answer = {.id = lead->id, .status = reason_http(REASON_UNAVAILABLE), .body = SPAN("")};

    metric_add(self->unpassed, 1);
    if (gateway == NULL)
        return;
    self->item->len = 0;
    frame_put_answer(self->item, &answer);
    neighbour_add(gateway, FRAME_ANSWERS, buf_span(self->item));
}

static void pass_on(struct validator *self, const struct lead *lead)
{
    struct neighbour *router = neighbours_by_key(stage_neighbours(self->stage, STAGE_ROUTER), lead->campaign_id);

    self->item->len = 0;
    frame_put_lead(self->item, lead);
    if (router == NULL || neighbour_add(router, FRAME_LEADS, buf_span(self->item)) != 0)
        answer_unavailable(self, lead);
}

/* Adds the verdict and passes the lead on. */
static void finish(struct validator *self, struct lead *lead, const struct verdict *verdict)
{
    judge_tell(stage_catalog(self->stage), verdict, lead);
    self->judged++;
    metric_add(verdict->reason == REASON_NONE ? self->good : self->bad, 1);
    pass_on(self, lead);
}

/* What can be said without the database. A key of a supplier that is no more: its lead may not come in. */
static struct verdict judge(struct validator *self, struct arena *arena, const struct lead *lead)
{
    const struct catalog *catalog = stage_catalog(self->stage);
    const struct supplier *supplier = catalog_supplier(catalog, lead->supplier_id);
    struct verdict verdict;

    metric_add(self->gave_up, (int64_t)judge_lead(arena, catalog, supplier, clock_wall_ms() * 1000, lead, &verdict));
    return verdict;
}

/* Judges the leads of one arena; it is taken over when some have to wait for a look-up. Leads whose time is up are left out. */
static void judge_all(struct validator *self, struct arena **arena, struct lead *leads, size_t count)
{
    struct parcel *parcel = NULL;

    for (size_t i = 0; i < count; i++) {
        struct listed_value *values;
        struct verdict verdict;
        size_t value_count;

        if (leads[i].left_ms <= 0)
            continue; /* its supplier has been told 503 */
        verdict = judge(self, *arena, &leads[i]);
        value_count = suppressed_values(*arena, &verdict, &values);
        if (value_count == 0) {
            finish(self, &leads[i], &verdict);
            continue;
        }
        if (parcel == NULL)
            parcel = parcel_new(*arena, count - i, self->catalog_turn);
        parcel_add(parcel, &leads[i], &verdict, values, value_count);
    }
    if (parcel != NULL)
        look_up_send(self->look_up, &parcel, arena);
}

/* The catalog has changed while they waited: they are judged by the new one. */
static void judge_again(struct validator *self, struct parcel *parcel)
{
    struct lead *leads = arena_alloc(parcel->arena, parcel->count * sizeof *leads);

    for (size_t i = 0; i < parcel->count; i++)
        leads[i] = parcel->leads[i].lead;
    judge_all(self, &parcel->arena, leads, parcel->count);
}

static void on_looked_up(void *ctx, struct parcel *parcel, const struct hits *hits)
{
    struct validator *self = ctx;
    int64_t waited_ms = clock_mono_ms() - parcel->since_ms;

    for (size_t i = 0; i < parcel->count; i++)
        parcel->leads[i].lead.left_ms -= waited_ms;
    if (hits != NULL && parcel->catalog_turn != self->catalog_turn) {
        judge_again(self, parcel);
        return;
    }
    for (size_t i = 0; i < parcel->count; i++) {
        struct looked_up *one = &parcel->leads[i];

        if (one->lead.left_ms <= 0)
            continue;
        if (hits == NULL) {
            answer_unavailable(self, &one->lead);
            continue;
        }
        one->lead.on_lists = suppressed_judge(parcel->arena, hits, one->values, one->value_count, &one->verdict);
        finish(self, &one->lead, &one->verdict);
    }
}

static void hold(struct validator *self, struct arena **arena, struct lead *leads, size_t count, size_t bytes)
{
    int64_t now_ms = clock_mono_ms();
    struct held *held;

    if (self->held_bytes + bytes > HELD_BYTES_MOST) {
        for (size_t i = 0; i < count; i++)
            answer_unavailable(self, &leads[i]);
        return;
    }
    held = must_zalloc(sizeof *held);
    *held = (struct held){NULL, *arena, leads, count, bytes, now_ms, now_ms};
    *arena = NULL;
    for (size_t i = 0; i < count; i++)
        if (now_ms + leads[i].left_ms > held->until_ms)
            held->until_ms = now_ms + leads[i].left_ms;
    *self->last_held = held;
    self->last_held = &held->next;
    self->held_bytes += bytes;
    stage_refresh_catalog(self->stage);
}

/* Takes one out of the list and ends it. */
static void let_go(struct validator *self, struct held **at)
{
    struct held *held = *at;

    *at = held->next;
    if (held->next == NULL)
        self->last_held = at;
    self->held_bytes -= held->bytes;
    arena_free(&held->arena);
    free(held);
}

static void on_frame(struct stage *stage, struct frame *frame, struct arena **arena)
{
    struct validator *self = stage_self(stage);
    int64_t now_ms = clock_wall_ms();
    struct lead *leads;
    size_t wanting = 0, count = 0;
    struct error err;

    if (frame->kind != FRAME_LEADS) {
        stage_refuse_frame(stage, frame, "not for a validator");
        return;
    }
    leads = arena_alloc(*arena, frame->count * sizeof *leads);
    for (size_t i = 0; i < frame->count; i++) {
        struct lead *lead = &leads[count];

        if (frame_next_lead(frame, *arena, lead, &err) != 0) {
            stage_refuse_frame(stage, frame, err.text);
            return;
        }
        lead->left_ms = frame_left_ms(frame, now_ms, lead->left_ms);
        if (lead->left_ms <= 0)
            continue; /* its supplier has been told 503 */
        wanting += lead->least_version > stage_catalog(stage)->version;
        count++;
    }
    if (wanting > 0) {
        hold(self, arena, leads, count, frame->bytes);
        return;
    }
    judge_all(self, arena, leads, count);
}

/* Those who waited for it are judged by it; a router sends back who needs a still newer one. */
static void on_catalog(struct stage *stage, const struct catalog *old)
{
    struct validator *self = stage_self(stage);
    struct held *held;

    (void)old;
    self->catalog_turn++;
    while ((held = self->held) != NULL) {
        int64_t waited_ms = clock_mono_ms() - held->since_ms;

        for (size_t i = 0; i < held->count; i++)
            held->leads[i].left_ms -= waited_ms;
        judge_all(self, &held->arena, held->leads, held->count);
        let_go(self, &self->held);
    }
}

/* The catalog may be long in coming: nobody waits for these any more. */
static void forget_expired(struct stage *stage)
{
    struct validator *self = stage_self(stage);
    int64_t now_ms = clock_mono_ms();
    struct held **at = &self->held;

    while (*at != NULL)
        if ((*at)->until_ms <= now_ms)
            let_go(self, at);
        else
            at = &(*at)->next;
    look_up_sweep(self->look_up);
}

static bool is_idle(struct stage *stage)
{
    struct validator *self = stage_self(stage);

    forget_expired(stage);
    return self->held == NULL && look_up_waiting(self->look_up) == 0;
}

static void load(struct stage *stage, int64_t *done, int64_t *waiting)
{
    struct validator *self = stage_self(stage);

    *done = self->judged;
    *waiting = (int64_t)look_up_waiting(self->look_up);
    for (const struct held *held = self->held; held != NULL; held = held->next)
        *waiting += (int64_t)held->count;
}

static int start(struct stage *stage, struct error *err)
{
    struct validator *self = must_zalloc(sizeof *self);

    (void)err;
    stage_set_self(stage, self);
    self->stage = stage;
    self->item = buf_new(16384);
    self->last_held = &self->held;
    self->good = metric_counter("leadline_judged_total", "verdict=\"good\"", "Leads judged.");
    self->bad = metric_counter("leadline_judged_total", "verdict=\"bad\"", "Leads judged.");
    self->gave_up = metric_counter("leadline_patterns_given_up_total", NULL, "Patterns of filters whose search took too long: no match.");
    self->unpassed = metric_counter("leadline_unpassed_total", NULL, "Leads answered with unavailable, because no router takes them or lists cannot be looked up.");
    self->look_up = look_up_new(stage, on_looked_up, self);
    return 0;
}

static void stop(struct stage *stage)
{
    struct validator *self = stage_self(stage);

    look_up_free(&self->look_up);
    while (self->held != NULL)
        let_go(self, &self->held);
    buf_free(&self->item);
    free(self);
}

static const struct stage_spec spec = {
    .kind = STAGE_VALIDATOR,
    .purpose = "leadline-validator - checks the fields of leads, brings them to their normal forms, applies inbound filters and suppression lists",
    .params = params,
    .writes_to = 1u << STAGE_ROUTER | 1u << STAGE_GATEWAY,
    .catalog_parts = CATALOG_CAMPAIGNS | CATALOG_SUPPRESSION,
    .start = start, .on_frame = on_frame, .on_catalog = on_catalog, .sweep = forget_expired,
    .is_idle = is_idle, .load = load, .stop = stop,
};

int main(int argc, char **argv)
{
    return stage_main(argc, argv, &spec);
}
