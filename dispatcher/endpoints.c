#include "dispatcher/endpoints.h"

#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"

#include <stdlib.h>

enum { TOLD_MOST = 256 }; /* in one statement */

struct endpoints {
    struct stage *stage;
    struct store *store;
    struct lanes *lanes;
    bool is_busy;     /* a statement is on its way */
    bool is_pausing;  /* after trouble, until the next tick */
    bool is_clean;    /* what our name told before the start is taken back */
    bool has_gone;    /* a lane is gone and not written yet */
    bool has_changed; /* a pause began or ended, perhaps */
    struct lane *told[TOLD_MOST]; /* by that statement; they stay while is_gone or is_told_paused */
    bool is_paused[TOLD_MOST];
    size_t told_count;
    struct metric *paused, *gone;
};

struct endpoints *endpoints_new(struct stage *stage, struct store *store, struct lanes *lanes)
{
    struct endpoints *endpoints = must_zalloc(sizeof *endpoints);

    endpoints->stage = stage;
    endpoints->store = store;
    endpoints->lanes = lanes;
    endpoints->paused = metric_gauge("leadline_endpoints_paused", NULL, "Endpoints that are left alone after failures, or as they asked.");
    endpoints->gone = metric_counter("leadline_endpoints_gone_total", NULL, "Endpoints switched off by their answer 410.");
    return endpoints;
}

void endpoints_free(struct endpoints **endpoints)
{
    free(*endpoints);
    *endpoints = NULL;
}

void endpoints_gone(struct endpoints *endpoints, struct lane *lane)
{
    const struct buyer *buyer = catalog_buyer(stage_catalog(endpoints->stage), lane->buyer_id);

    if (lane->is_gone || (buyer != NULL && buyer->is_endpoint_off))
        return; /* one of many that were under way */
    lane->is_gone = true;
    lane->gone_version = 0;
    endpoints->has_gone = true;
    metric_add(endpoints->gone, 1);
    log_event(LOG_WARN, "endpoint.gone", "buyer=%s", log_quote(lane->buyer_id));
}

void endpoints_tick(struct endpoints *endpoints)
{
    struct lane *lane;
    size_t at = 0;
    int64_t paused = 0;

    endpoints->is_pausing = false;
    while ((lane = lanes_each(endpoints->lanes, &at)) != NULL) {
        bool is_paused = lane->breaker.state != BREAKER_CLOSED;

        paused += is_paused;
        endpoints->has_changed |= is_paused || lane->is_told_paused;
    }
    metric_set(endpoints->paused, paused);
}

void endpoints_on_catalog(struct endpoints *endpoints, const struct catalog *old)
{
    const struct catalog *catalog = stage_catalog(endpoints->stage);
    struct lane *lane;
    size_t at = 0;

    while ((lane = lanes_each(endpoints->lanes, &at)) != NULL) {
        const struct buyer *before = catalog_buyer(old, lane->buyer_id), *now = catalog_buyer(catalog, lane->buyer_id);
        bool is_switched = lane->is_gone || (before != NULL && now != NULL && before->endpoint_switched_us != now->endpoint_switched_us);

        if (lane->is_gone && lane->gone_version > 0 && lane->gone_version <= catalog->version)
            lane->is_gone = false;
        if (is_switched && !lane->is_gone && now != NULL && !now->is_endpoint_off)
            lane->breaker = (struct breaker){.state = BREAKER_CLOSED};
    }
}

/* Telling -------------------------------------------------------------------------------------------------------------- */

static void on_told(struct endpoints *endpoints, enum db_trouble trouble)
{
    endpoints->is_busy = false;
    endpoints->is_pausing = trouble != DB_OK;
}

static void on_clean(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct endpoints *endpoints = ctx;

    (void)rows;
    on_told(endpoints, trouble);
    endpoints->is_clean = trouble == DB_OK;
}

static void on_gone(void *ctx, enum db_trouble trouble, int64_t version)
{
    struct endpoints *endpoints = ctx;

    on_told(endpoints, trouble);
    if (trouble != DB_OK)
        return;
    for (size_t i = 0; i < endpoints->told_count; i++) {
        endpoints->told[i]->gone_version = version;
        if (version <= stage_catalog(endpoints->stage)->version)
            endpoints->told[i]->is_gone = false;
    }
}

static void on_paused(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct endpoints *endpoints = ctx;

    (void)rows;
    on_told(endpoints, trouble);
    for (size_t i = 0; i < endpoints->told_count; i++)
        endpoints->told[i]->is_told_paused = (trouble == DB_OK) == endpoints->is_paused[i];
}

static void tell_gone(struct endpoints *endpoints)
{
    struct span ids[TOLD_MOST];
    struct lane *lane;
    size_t at = 0;

    endpoints->told_count = 0;
    while (endpoints->told_count < TOLD_MOST && (lane = lanes_each(endpoints->lanes, &at)) != NULL)
        if (lane->is_gone && lane->gone_version == 0) {
            ids[endpoints->told_count] = lane->buyer_id;
            endpoints->told[endpoints->told_count++] = lane;
        }
    endpoints->has_gone = endpoints->told_count > 0;
    if (!endpoints->has_gone)
        return;
    endpoints->is_busy = true;
    store_endpoints_gone(endpoints->store, ids, endpoints->told_count, on_gone, endpoints);
}

/* Does this process pause it? A buyer that has become another dispatcher's is not ours to tell about. */
static bool is_paused_here(const struct endpoints *endpoints, const struct lane *lane)
{
    size_t count;
    const struct span *names = stage_peers(endpoints->stage, &count);

    return lane->breaker.state != BREAKER_CLOSED && catalog_buyer(stage_catalog(endpoints->stage), lane->buyer_id) != NULL &&
           rendezvous_is_mine(lane->buyer_id, span_of(stage_name(endpoints->stage)), names, count);
}

static void tell_paused(struct endpoints *endpoints)
{
    struct span ids[TOLD_MOST];
    struct lane *lane;
    size_t at = 0, count = 0;

    while (count < TOLD_MOST && (lane = lanes_each(endpoints->lanes, &at)) != NULL) {
        bool is_paused = is_paused_here(endpoints, lane);

        if (is_paused == lane->is_told_paused)
            continue;
        ids[count] = lane->buyer_id;
        endpoints->told[count] = lane;
        endpoints->is_paused[count++] = is_paused;
        lane->is_told_paused = true; /* until the answer: a lane that is told about stays */
    }
    endpoints->told_count = count;
    endpoints->has_changed = false;
    if (count == 0)
        return;
    endpoints->is_busy = true;
    store_endpoints_paused(endpoints->store, ids, endpoints->is_paused, count, on_paused, endpoints);
}

void endpoints_flush(struct endpoints *endpoints)
{
    if (endpoints->is_busy || endpoints->is_pausing || !store_is_up(endpoints->store))
        return;
    if (!endpoints->is_clean) {
        endpoints->is_busy = true;
        store_forget_pauses(endpoints->store, on_clean, endpoints);
    } else if (endpoints->has_gone) {
        tell_gone(endpoints);
    } else if (endpoints->has_changed) {
        tell_paused(endpoints);
    }
}
