/*
 * The router: sells each lead and records it; the only daemon that writes leads, sales, caps and money.
 *
 * frame in → inbox.c → batch.c: plan.c, rank.c → store.c reads and locks → decide.c, cap.c, cost.c → reply.c → store.c writes →
 * tell.c: answers to the gateways, deliveries to the dispatchers. settle.c: what buyers refuse afterwards is given back
 * confirm.c: buyers are asked one after another; what they say wakes the lead. adopt.c: leads whose router is gone
 *
 * A ping instead: pings.c: plan.c, rank.c → store.c reads → decide.c → ping_reply.c → answer; auction.c when buyers are to be asked
 */
#include "common/clock.h"
#include "common/must.h"
#include "proto/reason.h"
#include "proto/stage.h"
#include "router/adopt.h"
#include "router/batch.h"
#include "router/inbox.h"
#include "router/keyring.h"
#include "router/pings.h"
#include "router/plan.h"
#include "router/settle.h"
#include "router/upkeep.h"

#include <stdlib.h>

enum { CLEAN_EVERY_S = 10, PARTITIONS_EVERY_S = 3600 };

struct router {
    struct stage *stage;
    struct inbox *inbox;
    struct tell *tell;
    struct batch *batch;
    struct keyring *keyring;
    struct pings *pings;
    struct settle *settle;
    struct adopt *adopt;
    size_t most_bytes;
    bool is_paused;
    bool is_cleaning; /* one statement under way */
    int64_t seconds;  /* sweeps since the start */
    int64_t clean_at; /* sweep of the next cleaning */
};

static const struct param params[] = {
#define PARAM(name, kind, unit, otherwise, least, most, meaning) {#name, PARAM_##kind, unit, otherwise, least, most, meaning},
#include "router/router.def"
#undef PARAM
    {NULL, PARAM_TEXT, NULL, NULL, 0, 0, NULL},
};

/* Takes no more frames than fit. */
static void watch_bytes(struct router *self)
{
    bool is_full = inbox_bytes(self->inbox) + pings_bytes(self->pings) > self->most_bytes;

    if (is_full != self->is_paused) {
        self->is_paused = is_full;
        stage_pause(self->stage, is_full);
    }
}

static void on_turn_end(void *ctx)
{
    watch_bytes(ctx);
}

static void kick(void *ctx)
{
    struct router *self = ctx;

    batch_kick(self->batch);
}

static void on_keys(void *ctx)
{
    struct router *self = ctx;

    batch_keys_read(self->batch);
    pings_kick(self->pings);
}

static void answer_ping(void *ctx, const struct lead *lead, int status, struct span body)
{
    struct router *self = ctx;

    tell_answer(self->tell, lead, status, body, 0, false);
}

/* Its bids are in. */
static void on_bidden(void *ctx, struct inbox *inbox, struct entry **entry)
{
    struct router *self = ctx;

    inbox_move(inbox, entry, self->inbox);
    batch_kick(self->batch);
}

static void on_ask(void *ctx, struct entry **entry)
{
    struct router *self = ctx;

    pings_take(self->pings, self->inbox, entry);
}

static int start(struct stage *stage, struct error *err)
{
    struct router *self = must_zalloc(sizeof *self);
    const struct params *given = stage_params(stage);

    (void)err;
    stage_set_self(stage, self);
    self->stage = stage;
    self->most_bytes = (size_t)params_int(given, "in_hand_bytes");
    self->inbox = inbox_new();
    self->keyring = keyring_new(stage, on_keys, self);
    self->tell = tell_new(stage);
    self->batch = batch_new(stage, self->inbox, self->keyring, self->tell, (size_t)params_int(given, "batch_leads"), (size_t)params_int(given, "batch_bytes"));
    self->pings = pings_new(stage, self->keyring, answer_ping, on_bidden, self);
    batch_on_ask(self->batch, on_ask, self);
    self->settle = settle_new(stage);
    self->adopt = adopt_new(stage, self->inbox, kick, self);
    loop_on_turn_end(stage_loop(stage), on_turn_end, self);
    return 0;
}

static void on_lead(struct router *self, const struct lead *lead, struct hold *hold, int64_t left_ms)
{
    if (left_ms <= 0)
        return; /* its supplier has been told 503 */
    if (batch_is_away(self->batch)) {
        tell_unavailable(self->tell, lead);
        return;
    }
    if (lead->mode == MODE_PING || (lead->judged_version == stage_catalog(self->stage)->version && plan_needs_bids(stage_catalog(self->stage), lead) &&
                                    !inbox_has(self->inbox, &lead->id)))
        pings_add(self->pings, lead, hold, clock_mono_ms() + left_ms);
    else
        inbox_add(self->inbox, lead, hold, clock_mono_ms() + left_ms);
}

static void on_bids(struct router *self, struct frame *frame, struct arena *arena)
{
    struct bid bid;
    struct error err;

    for (size_t i = 0; i < frame->count; i++) {
        if (frame_next_bid(frame, arena, &bid, &err) != 0) {
            stage_refuse_frame(self->stage, frame, err.text);
            return;
        }
        if (!pings_bid(self->pings, &bid)) {
            stage_refuse_frame(self->stage, frame, "a bid without an outcome or a price");
            return;
        }
    }
}

static void on_neighbour(struct stage *stage, enum stage_kind kind, struct neighbour *neighbour, bool is_up)
{
    struct router *self = stage_self(stage);

    if (self != NULL && kind == STAGE_DISPATCHER && !is_up)
        pings_lost(self->pings, neighbour);
}

static void on_leads(struct router *self, struct frame *frame, struct arena **arena)
{
    struct lead *leads = arena_alloc(*arena, frame->count * sizeof *leads);
    int64_t now_ms = clock_wall_ms();
    struct hold *hold;
    struct error err;

    for (size_t i = 0; i < frame->count; i++)
        if (frame_next_lead(frame, *arena, &leads[i], &err) != 0) {
            stage_refuse_frame(self->stage, frame, err.text);
            return;
        }
    hold = hold_new(arena);
    for (size_t i = 0; i < frame->count; i++)
        on_lead(self, &leads[i], hold, frame_left_ms(frame, now_ms, leads[i].left_ms));
    hold_release(&hold);
}

/* What a buyer said is in its delivery's row: whoever waits for it looks there. */
static void on_verdicts(struct router *self, struct frame *frame, struct arena *arena)
{
    struct buyer_verdict *verdicts = arena_alloc(arena, frame->count * sizeof *verdicts);
    struct error err;

    for (size_t i = 0; i < frame->count; i++)
        if (frame_next_buyer_verdict(frame, arena, &verdicts[i], &err) != 0) {
            stage_refuse_frame(self->stage, frame, err.text);
            return;
        }
    for (size_t i = 0; i < frame->count; i++)
        inbox_wake(self->inbox, &verdicts[i].lead_id);
}

static void on_frame(struct stage *stage, struct frame *frame, struct arena **arena)
{
    struct router *self = stage_self(stage);

    switch (frame->kind) {
    case FRAME_LEADS:
        on_leads(self, frame, arena);
        break;
    case FRAME_VERDICTS:
        on_verdicts(self, frame, *arena);
        break;
    case FRAME_BIDS:
        on_bids(self, frame, *arena);
        break;
    case FRAME_ANSWERS:
    case FRAME_DELIVERIES:
    case FRAME_PINGS:
        stage_refuse_frame(stage, frame, "not for a router");
        return;
    }
    pings_kick(self->pings);
    batch_kick(self->batch);
}

static void on_catalog(struct stage *stage, const struct catalog *old)
{
    struct router *self = stage_self(stage);

    (void)old;
    batch_catalog_changed(self->batch);
    pings_catalog_changed(self->pings);
}

/* While there is more, every second: keys must not come faster than they go. */
static void on_cleaned(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct router *self = stage_self(ctx);
    bool is_clean = upkeep_is_clean(rows, error);

    if (self == NULL)
        return; /* the end: the control connection is closed after stop() */
    self->is_cleaning = false;
    if (!is_clean)
        self->clean_at = self->seconds;
}

static void sweep(struct stage *stage)
{
    struct router *self = stage_self(stage);

    if (self->seconds % PARTITIONS_EVERY_S == 0) {
        upkeep_partitions(stage_db(stage));
        upkeep_ping_keys(stage_db(stage));
    }
    keyring_sweep(self->keyring);
    if (!self->is_cleaning && self->seconds >= self->clean_at) {
        self->is_cleaning = true;
        self->clean_at = self->seconds + CLEAN_EVERY_S;
        upkeep_keys(stage_db(stage), on_cleaned, stage);
    }
    settle_tick(self->settle);
    adopt_tick(self->adopt);
    self->seconds++;
    pings_kick(self->pings);
    batch_kick(self->batch);
}

static bool is_idle(struct stage *stage)
{
    struct router *self = stage_self(stage);

    return batch_is_idle(self->batch) && pings_waiting(self->pings) == 0 && settle_is_idle(self->settle);
}

static const char *why_not_ready(struct stage *stage)
{
    struct router *self = stage_self(stage);

    return batch_is_away(self->batch) ? "the database is away" : NULL;
}

static void load(struct stage *stage, int64_t *done, int64_t *waiting)
{
    struct router *self = stage_self(stage);

    *done = tell_answered(self->tell);
    *waiting = (int64_t)(inbox_waiting(self->inbox) + pings_waiting(self->pings));
}

static void stop(struct stage *stage)
{
    struct router *self = stage_self(stage);

    adopt_free(&self->adopt);
    settle_free(&self->settle);
    pings_free(&self->pings);
    batch_free(&self->batch);
    tell_free(&self->tell);
    keyring_free(&self->keyring);
    inbox_free(&self->inbox);
    free(self);
    stage_set_self(stage, NULL);
}

static const struct stage_spec spec = {
    .kind = STAGE_ROUTER,
    .purpose = "leadline-router - sells each lead under exact caps and records that",
    .params = params,
    .writes_to = 1u << STAGE_GATEWAY | 1u << STAGE_DISPATCHER,
    .catalog_parts = CATALOG_CAMPAIGNS | CATALOG_SELLING | CATALOG_SECRET | CATALOG_SUPPRESSION,
    .start = start, .on_frame = on_frame, .on_catalog = on_catalog, .on_neighbour = on_neighbour, .sweep = sweep,
    .is_idle = is_idle, .why_not_ready = why_not_ready, .load = load, .stop = stop,
};

int main(int argc, char **argv)
{
    return stage_main(argc, argv, &spec);
}
