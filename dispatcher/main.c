/*
 * leadline-dispatcher: brings every sold lead to its buyer, by signed webhook; asks buyers for live bids.
 *
 *     frame or sweep → lane → attempt → record
 *     frame that a sale depends on → confirm → lane → attempt → record → verdict
 *     frame → question → bid
 */
#include "dispatcher/attempts.h"
#include "dispatcher/bids.h"
#include "dispatcher/confirm.h"
#include "dispatcher/endpoints.h"
#include "dispatcher/give_back.h"
#include "dispatcher/lanes.h"
#include "dispatcher/record.h"
#include "dispatcher/store.h"
#include "dispatcher/sweep.h"
#include "dispatcher/upkeep.h"

#include "common/clock.h"
#include "common/must.h"
#include "proto/stage.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { FRAME_DELIVERIES_MOST = 16384 }; /* more have no place in a frame; the memory for decoding is bounded by it */

static const struct param dispatcher_params[] = {
#define PARAM(name, kind, unit, otherwise, least, most, meaning) {#name, PARAM_##kind, unit, otherwise, least, most, meaning},
#include "dispatcher/dispatcher.def"
#undef PARAM
    {.name = NULL},
};

struct dispatcher {
    struct stage *stage;
    struct lanes *lanes;
    struct store *store;
    struct record *record;
    struct give_back *back;
    struct sweep *sweep;
    struct confirm *confirm;
    struct endpoints *endpoints;
    struct attempts *attempts;
    struct bids *bids;
    struct metric *waiting;
    int64_t seconds; /* since the start */
};

/* What this turn has brought: results to write, leases to end, deliveries to take, attempts to begin. */
static void on_turn_end(void *ctx)
{
    struct dispatcher *self = ctx;

    attempts_begin(self->attempts);
    record_flush(self->record);
    give_back_flush(self->back);
    endpoints_flush(self->endpoints);
    sweep_run(self->sweep);
    metric_set(self->waiting, (int64_t)lanes_waiting(self->lanes));
}

/* Each request to a buyer has a descriptor, and so has each connection that is kept: as many as the kernel lets us have. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int start(struct stage *stage, struct error *err)
{
    const struct params *params = stage_params(stage);
    struct dispatcher *self = must_zalloc(sizeof *self);

    (void)err;
    raise_descriptors();
    stage_set_self(stage, self);
    self->stage = stage;
    self->lanes = lanes_new((size_t)params_int(params, "lane_deliveries"), (size_t)params_int(params, "waiting_bytes"));
    self->store = store_open(stage);
    self->record = record_new(stage, self->store, self->lanes);
    self->back = give_back_new(self->store, self->lanes);
    self->sweep = sweep_new(stage, self->store, self->lanes, self->back, params_int(params, "lease_slack_ms"));
    self->confirm = confirm_new(stage, self->lanes, self->record);
    self->endpoints = endpoints_new(stage, self->store, self->lanes);
    self->attempts = attempts_new(stage, self->lanes, self->record, self->back, self->confirm, self->endpoints,
                                  (size_t)params_int(params, "connections"));
    self->bids = bids_new(stage, self->lanes, (size_t)params_int(params, "bid_connections"));
    self->waiting = metric_gauge("leadline_deliveries_waiting", NULL, "Deliveries that wait in memory for their attempt.");
    loop_on_turn_end(stage_loop(stage), on_turn_end, self);
    return 0;
}

static void stop(struct stage *stage)
{
    struct dispatcher *self = stage_self(stage);

    bids_free(&self->bids);
    attempts_free(&self->attempts);
    confirm_free(&self->confirm);
    store_close(&self->store);
    endpoints_free(&self->endpoints);
    sweep_free(&self->sweep);
    give_back_free(&self->back);
    record_free(&self->record);
    lanes_free(&self->lanes);
    free(self);
}

/*
 * Until when a delivery is ours, on our monotonic clock. The length of its lease is told by the database's clock alone;
 * how long the frame was on its way, by two clocks of hosts that keep time.
 */
static int64_t lease_end(const struct frame *frame, const struct delivery *delivery)
{
    enum { LEASE_MOST_MS = 3600 * 1000 };
    int64_t lease_ms = delivery->lease_until_ms - delivery->sold_at_ms;

    if (lease_ms < 0 || lease_ms > LEASE_MOST_MS)
        lease_ms = 0;
    return clock_mono_ms() + lease_ms - frame_age_ms(frame, clock_wall_ms());
}

/* Is nothing to begin in this lane now? Then the sweep finds what was left of it, when there is. */
static bool is_shut(const struct buyer *buyer, const struct lane *lane)
{
    return buyer->is_endpoint_off || lane_is_paused(lane, clock_mono_ms());
}

/* Must it wait in the database? */
static bool has_to_wait(const struct dispatcher *self, const struct buyer *buyer, const struct lane *lane, const struct lane_limits *limits)
{
    return lane == NULL || is_shut(buyer, lane) || lanes_is_behind(self->lanes, lane, limits);
}

/* Already leased to this process by the router; what cannot wait here is given back. */
static void on_delivery(struct dispatcher *self, const struct frame *frame, const struct delivery *delivery)
{
    const struct buyer *buyer = catalog_buyer(stage_catalog(self->stage), delivery->buyer_id);
    struct lane_limits limits = {0, 0};
    struct lane *lane = NULL;
    struct due *due;

    if (buyer == NULL)
        stage_refresh_catalog(self->stage);
    if (buyer != NULL && !stage_is_stopping(self->stage)) {
        lane = lanes_of(self->lanes, buyer->id, clock_mono_ms());
        limits = lanes_limits(buyer);
    }
    if (lanes_take(self->lanes, delivery, lease_end(frame, delivery), has_to_wait(self, buyer, lane, &limits) ? NULL : lane, &limits,
                   buyer != NULL ? buyer->format : NULL, &due) != TAKEN_NO_ROOM)
        return;
    give_back_add(self->back, due);
    if (lane == NULL)
        return;
    lane->is_behind = true;
    if (!is_shut(buyer, lane))
        sweep_wants(self->sweep, lane);
}

static bool is_sane(const struct delivery *delivery)
{
    return delivery->attempt >= 0 && delivery->attempt < ATTEMPTS_MOST && delivery->buyer_id.len > 0 &&
           delivery->price_cents >= 0 && delivery->sold_at_ms > 0 && delivery->confirm_ms >= 0 && delivery->confirm_ms <= LEFT_MS_MOST;
}

static void on_frame(struct stage *stage, struct frame *frame, struct arena **arena)
{
    struct dispatcher *self = stage_self(stage);
    struct delivery *deliveries;
    struct error err;

    if (frame->kind == FRAME_PINGS) {
        bids_on_frame(self->bids, frame, *arena);
        return;
    }
    if (frame->kind != FRAME_DELIVERIES) {
        stage_refuse_frame(stage, frame, "it is not for a dispatcher");
        return;
    }
    if (frame->count > FRAME_DELIVERIES_MOST) {
        stage_refuse_frame(stage, frame, "too many items");
        return;
    }
    deliveries = arena_alloc(*arena, (frame->count + 1) * sizeof *deliveries);
    for (size_t i = 0; i < frame->count; i++) {
        if (frame_next_delivery(frame, *arena, &deliveries[i], &err) != 0) {
            stage_refuse_frame(stage, frame, err.text);
            return;
        }
        if (!is_sane(&deliveries[i])) {
            stage_refuse_frame(stage, frame, "a value is out of range");
            return;
        }
    }
    for (size_t i = 0; i < frame->count; i++)
        if (deliveries[i].confirm_ms > 0)
            confirm_take(self->confirm, frame, &deliveries[i]);
        else
            on_delivery(self, frame, &deliveries[i]);
}

static void on_catalog(struct stage *stage, const struct catalog *old)
{
    struct dispatcher *self = stage_self(stage);

    attempts_on_catalog(self->attempts);
    endpoints_on_catalog(self->endpoints, old);
    bids_on_catalog(self->bids);
    lanes_prune(self->lanes, stage_catalog(stage));
}

static void sweep(struct stage *stage)
{
    struct dispatcher *self = stage_self(stage);

    sweep_tick(self->sweep);
    if (self->seconds++ % UPKEEP_EVERY_S == 0)
        upkeep_secrets(stage_db(stage));
    endpoints_tick(self->endpoints);
}

static void stop_taking(struct stage *stage)
{
    struct dispatcher *self = stage_self(stage);

    sweep_stop(self->sweep);
    attempts_stop(self->attempts);
}

static bool is_idle(struct stage *stage)
{
    struct dispatcher *self = stage_self(stage);

    return attempts_under_way(self->attempts) == 0 && lanes_waiting(self->lanes) == 0 && bids_open(self->bids) == 0 &&
           record_waiting(self->record) == 0 && !sweep_is_busy(self->sweep) && give_back_waiting(self->back) == 0;
}

static const char *why_not_ready(struct stage *stage)
{
    struct dispatcher *self = stage_self(stage);

    return store_is_up(self->store) ? NULL : "the database is away";
}

static void load(struct stage *stage, int64_t *done, int64_t *waiting)
{
    struct dispatcher *self = stage_self(stage);

    *done = record_done(self->record);
    *waiting = (int64_t)(lanes_waiting(self->lanes) + attempts_under_way(self->attempts) + record_waiting(self->record) + bids_open(self->bids));
}

static const struct stage_spec spec = {
    .kind = STAGE_DISPATCHER,
    .purpose = "Brings every sold lead to its buyer by signed webhook, and tries again until it is there; asks buyers for live bids.",
    .params = dispatcher_params,
    .writes_to = 1u << STAGE_ROUTER,
    .catalog_parts = CATALOG_DELIVERY,
    .start = start, .on_frame = on_frame, .on_catalog = on_catalog, .sweep = sweep, .stop_taking = stop_taking,
    .is_idle = is_idle, .why_not_ready = why_not_ready, .load = load, .stop = stop,
};

int main(int argc, char **argv)
{
    return stage_main(argc, argv, &spec);
}
