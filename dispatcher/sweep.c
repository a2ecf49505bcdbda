#include "dispatcher/sweep.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"

#include <stdlib.h>

enum {
    SLICE = 256,     /* buyers of one statement */
    PROBE = 16,      /* deliveries of a buyer that is only looked at, */
    MEAL = 256,      /* and of a lane that is known to be hungry */
    TAKE_MOST = 1024, /* of all hungry lanes in one statement */
    FEED_MS = 5,     /* between two looks at hungry lanes */
    OWN_SLICE = 1000, /* buyers of one statement that ends our old leases */
};

struct sweep {
    struct stage *stage;
    struct store *store;
    struct lanes *lanes;
    struct give_back *back;
    int64_t lease_slack_ms;
    bool is_stopped;
    bool is_busy;    /* a statement is on its way */
    bool is_pausing; /* after trouble, until the next tick */
    bool owns_none;  /* leases from before the start are ended */
    size_t owned_at; /* buyers looked at for that */
    size_t at;       /* buyers looked at in this second's pass */
    bool has_pass;
    struct lane *hungry, *last_hungry;
    int64_t fed_at_ms; /* when hungry lanes were looked at */
    struct loop_timer *feed; /* runs when it is too early to look at them, so that they do not wait for the next event */
    int64_t asked_at_ms;
    struct wanted wanted[SLICE];
    struct lane *asked[SLICE];
    size_t asked_count;
    struct metric *taken;
};

static void on_feed(void *ctx)
{
    sweep_run(ctx);
}

struct sweep *sweep_new(struct stage *stage, struct store *store, struct lanes *lanes, struct give_back *back, int64_t lease_slack_ms)
{
    struct sweep *sweep = must_zalloc(sizeof *sweep);

    sweep->stage = stage;
    sweep->store = store;
    sweep->lanes = lanes;
    sweep->back = back;
    sweep->lease_slack_ms = lease_slack_ms;
    sweep->feed = loop_timer_new(stage_loop(stage), on_feed, sweep);
    sweep->taken = metric_counter("leadline_deliveries_swept_total", NULL, "Deliveries found due in the database.");
    return sweep;
}

void sweep_free(struct sweep **sweep)
{
    if (*sweep == NULL)
        return;
    loop_timer_free(&(*sweep)->feed);
    free(*sweep);
    *sweep = NULL;
}

void sweep_tick(struct sweep *sweep)
{
    sweep->is_pausing = false;
    if (!sweep->has_pass) {
        sweep->has_pass = true;
        sweep->at = 0;
    }
}

void sweep_stop(struct sweep *sweep)
{
    sweep->is_stopped = true;
}

bool sweep_is_busy(const struct sweep *sweep)
{
    return sweep->is_busy;
}

/* Hungry lanes, first come first served -------------------------------------------------------------------------------- */

void sweep_wants(struct sweep *sweep, struct lane *lane)
{
    if (lane->is_hungry)
        return;
    lane->is_hungry = true;
    lane->next_hungry = NULL;
    if (sweep->last_hungry != NULL)
        sweep->last_hungry->next_hungry = lane;
    else
        sweep->hungry = lane;
    sweep->last_hungry = lane;
}

static struct lane *next_hungry(struct sweep *sweep)
{
    struct lane *lane = sweep->hungry;

    if (lane != NULL) {
        sweep->hungry = lane->next_hungry;
        if (sweep->hungry == NULL)
            sweep->last_hungry = NULL;
        lane->is_hungry = false;
    }
    return lane;
}

/* What to ask for ------------------------------------------------------------------------------------------------------ */

static int64_t lease_ms(const struct sweep *sweep, const struct buyer *buyer)
{
    return lanes_timeout_ms(buyer) + sweep->lease_slack_ms;
}

/* Does this process sweep for the buyer? NULL: the catalog no longer has it. */
static bool is_ours(struct sweep *sweep, const struct buyer *buyer)
{
    size_t count;
    const struct span *names;

    if (buyer == NULL || buyer->url == NULL || buyer->url[0] == '\0' || buyer->is_endpoint_off)
        return false;
    names = stage_peers(sweep->stage, &count);
    return rendezvous_is_mine(buyer->id, span_of(stage_name(sweep->stage)), names, count);
}

static void ask(struct sweep *sweep, const struct buyer *buyer, struct lane *lane, size_t count)
{
    sweep->wanted[sweep->asked_count] = (struct wanted){lane->buyer_id, count, lease_ms(sweep, buyer)};
    sweep->asked[sweep->asked_count++] = lane;
    lane->asked = count;
    lane->got = 0;
}

/* Lanes that still have half of what they may hold stay hungry; paused ones are left to the pass. */
static void ask_hungry(struct sweep *sweep)
{
    struct lane *lane, *last = sweep->last_hungry;
    int64_t now_ms = clock_mono_ms();
    size_t sum = 0;

    if (sweep->hungry == NULL)
        return;
    if (!loop_timer_is_set(sweep->feed))
        loop_timer_set(sweep->feed, FEED_MS, 0); /* whoever stays hungry is looked at again */
    if (now_ms - sweep->fed_at_ms < FEED_MS)
        return;
    sweep->fed_at_ms = now_ms;
    while (sum < TAKE_MOST && sweep->asked_count < SLICE && (lane = next_hungry(sweep)) != NULL) {
        const struct buyer *buyer = catalog_buyer(stage_catalog(sweep->stage), lane->buyer_id);

        if (is_ours(sweep, buyer) && !lane_is_paused(lane, now_ms)) {
            struct lane_limits limits = lanes_limits(buyer);
            size_t room = lanes_room(sweep->lanes, lane, &limits);

            if (room >= MEAL || room > lane->waiting.count) {
                ask(sweep, buyer, lane, room < MEAL ? room : MEAL);
                sum += lane->asked;
            } else {
                sweep_wants(sweep, lane);
            }
        }
        if (lane == last)
            break;
    }
}

static void ask_pass(struct sweep *sweep)
{
    const struct catalog *catalog = stage_catalog(sweep->stage);
    int64_t now_ms = clock_mono_ms();

    while (sweep->has_pass && sweep->asked_count < SLICE) {
        const struct buyer *buyer = sweep->at < catalog->buyer_count ? &catalog->buyers[sweep->at++] : NULL;

        sweep->has_pass = buyer != NULL;
        if (buyer != NULL && is_ours(sweep, buyer)) {
            struct lane *lane = lanes_of(sweep->lanes, buyer->id, now_ms);
            struct lane_limits limits = lanes_limits(buyer);
            size_t room = lanes_room(sweep->lanes, lane, &limits);

            if (lane_is_paused(lane, now_ms))
                continue;
            if (room > 0 && lane->asked == 0 && !lane->is_hungry)
                ask(sweep, buyer, lane, room < PROBE ? room : PROBE);
            else if (lane->asked == 0)
                sweep_wants(sweep, lane);
        }
    }
}

/* What came ------------------------------------------------------------------------------------------------------------ */

static void on_taken(void *ctx, const struct delivery *delivery, int attempts_before)
{
    struct sweep *sweep = ctx;
    const struct buyer *buyer = catalog_buyer(stage_catalog(sweep->stage), delivery->buyer_id);
    struct lane *lane = buyer != NULL ? lanes_of(sweep->lanes, buyer->id, sweep->asked_at_ms) : NULL;
    struct lane_limits limits = {0, 0};
    int64_t lease_until_ms = 0;
    struct due *due;

    if (buyer != NULL) {
        limits = lanes_limits(buyer);
        lease_until_ms = sweep->asked_at_ms + lease_ms(sweep, buyer);
        lane->got++;
    }
    if (sweep->is_stopped || (lane != NULL && (buyer->is_endpoint_off || lane_is_paused(lane, clock_mono_ms()))))
        lane = NULL;
    if (lanes_take(sweep->lanes, delivery, lease_until_ms, lane, &limits, buyer != NULL ? buyer->format : NULL, &due) == TAKEN_NO_ROOM)
        give_back_add(sweep->back, due);
    else if (due->attempt == (int)delivery->attempt)
        due->attempts_before = attempts_before; /* also of one in hand, which was replayed meanwhile */
}

static void on_swept(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct sweep *sweep = ctx;

    sweep->is_busy = false;
    sweep->is_pausing = trouble != DB_OK;
    metric_add(sweep->taken, rows);
    for (size_t i = 0; i < sweep->asked_count; i++) {
        struct lane *lane = sweep->asked[i];

        if (trouble == DB_OK)
            lane->is_behind = lane->got >= lane->asked;
        if (trouble == DB_OK && lane->is_behind)
            sweep_wants(sweep, lane);
        lane->asked = 0;
    }
    sweep->asked_count = 0;
}

/* Leases from before the start ----------------------------------------------------------------------------------------- */

static void on_taken_over(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct sweep *sweep = ctx;

    sweep->is_busy = false;
    sweep->is_pausing = trouble != DB_OK;
    if (trouble != DB_OK)
        return;
    sweep->owned_at += OWN_SLICE;
    sweep->owns_none = sweep->owned_at >= stage_catalog(sweep->stage)->buyer_count;
    if (rows > 0)
        log_event(LOG_INFO, "leases.taken_over", "deliveries=%lld", (long long)rows);
}

static void take_over(struct sweep *sweep)
{
    const struct catalog *catalog = stage_catalog(sweep->stage);
    struct span ids[OWN_SLICE];
    size_t count = 0;

    while (count < OWN_SLICE && sweep->owned_at + count < catalog->buyer_count) {
        ids[count] = catalog->buyers[sweep->owned_at + count].id;
        count++;
    }
    sweep->is_busy = true;
    store_take_over(sweep->store, ids, count, on_taken_over, sweep);
}

void sweep_run(struct sweep *sweep)
{
    if (sweep->is_stopped || sweep->is_busy || sweep->is_pausing || !store_is_up(sweep->store))
        return;
    if (!sweep->owns_none) {
        take_over(sweep);
        return;
    }
    ask_hungry(sweep);
    ask_pass(sweep);
    if (sweep->asked_count == 0)
        return;
    sweep->is_busy = true;
    sweep->asked_at_ms = clock_mono_ms();
    store_take(sweep->store, sweep->wanted, sweep->asked_count, on_taken, on_swept, sweep);
}
