#include "dispatcher/lane.h"

#include "common/must.h"

#include <stdlib.h>

struct lane *lane_new(struct span buyer_id, int64_t now_ms)
{
    struct lane *lane = must_zalloc(sizeof *lane);

    lane->buyer_id = (struct span){must_copy(buyer_id.ptr, buyer_id.len), buyer_id.len};
    lane->filled_at_ms = now_ms;
    lane->tokens = 1;
    return lane;
}

void lane_free(struct lane **lane)
{
    if (*lane != NULL) {
        must((*lane)->waiting.count == 0 && (*lane)->in_flight == 0);
        free((char *)(*lane)->buyer_id.ptr);
        free(*lane);
        *lane = NULL;
    }
}

void lane_add(struct lane *lane, struct due *due)
{
    if (due->ask != NULL) {
        due_insert(&lane->waiting, lane->last_asking, due);
        lane->last_asking = due;
        lane->asking++;
    } else {
        due_append(&lane->waiting, due);
    }
    lane->bytes += due_bytes(due);
}

static void left(struct lane *lane, const struct due *due)
{
    lane->bytes -= due_bytes(due);
    if (due->ask == NULL)
        return;
    lane->asking--;
    if (due != lane->last_asking)
        return;
    lane->last_asking = lane->asking > 0 ? lane->waiting.first : NULL;
    for (size_t i = 1; i < lane->asking; i++)
        lane->last_asking = lane->last_asking->next;
}

void lane_remove(struct lane *lane, struct due *due)
{
    due_remove(&lane->waiting, due);
    left(lane, due);
}

struct due *lane_shift(struct lane *lane)
{
    struct due *due = due_shift(&lane->waiting);

    must(due != NULL);
    left(lane, due);
    return due;
}

static int64_t concurrent(const struct lane_limits *limits)
{
    return limits->concurrent > 0 ? limits->concurrent : LANE_CONCURRENT;
}

bool lane_is_paused(const struct lane *lane, int64_t now_ms)
{
    return lane->is_gone || !breaker_may_begin(&lane->breaker, now_ms);
}

/* How many may be held: what can begin within LANE_AHEAD_MS, or nothing but a probe. */
static int64_t held_most(const struct lane *lane, const struct lane_limits *limits, size_t most)
{
    int64_t held = (int64_t)most;

    if (lane->average_ms > 0 && concurrent(limits) * LANE_AHEAD_MS / lane->average_ms < held)
        held = concurrent(limits) * LANE_AHEAD_MS / lane->average_ms;
    if (limits->per_second > 0 && limits->per_second * LANE_AHEAD_MS / 1000 < held)
        held = limits->per_second * LANE_AHEAD_MS / 1000;
    return held < 1 || lane->breaker.state != BREAKER_CLOSED ? 1 : held;
}

size_t lane_room(const struct lane *lane, const struct lane_limits *limits, size_t most)
{
    int64_t room = held_most(lane, limits, most) - (int64_t)lane->waiting.count;

    return room > 0 ? (size_t)room : 0;
}

bool lane_is_behind(const struct lane *lane, const struct lane_limits *limits, size_t most)
{
    return lane->is_behind && (limits->per_second > 0 || held_most(lane, limits, most) < (int64_t)most);
}

bool lane_takes_ask(const struct lane *lane, const struct lane_limits *limits, size_t most)
{
    return (int64_t)lane->asking < held_most(lane, limits, most);
}

int64_t lane_wait_ms(const struct lane *lane, const struct lane_limits *limits)
{
    int64_t ahead = (int64_t)lane->asking, in_the_way = ahead + (int64_t)lane->in_flight - concurrent(limits) + 1;
    int64_t by_rate = limits->per_second > 0 ? ahead * 1000 / limits->per_second : 0;
    int64_t by_requests = in_the_way > 0 ? in_the_way * lane->average_ms / concurrent(limits) : 0;

    return by_rate > by_requests ? by_rate : by_requests;
}

/* Fills the bucket up to now. Its size is small: within any second no more than the limit and LANE_BURST_MS of it begin. */
static void refill(struct lane *lane, int64_t per_second, int64_t now_ms)
{
    double most = (double)per_second * LANE_BURST_MS / 1000;

    if (most < 1)
        most = 1;
    if (now_ms > lane->filled_at_ms)
        lane->tokens += (double)(now_ms - lane->filled_at_ms) * (double)per_second / 1000;
    if (lane->tokens > most)
        lane->tokens = most;
    lane->filled_at_ms = now_ms;
}

bool lane_is_full(const struct lane *lane, const struct lane_limits *limits)
{
    return (int64_t)lane->in_flight >= concurrent(limits);
}

bool lane_may_begin(struct lane *lane, const struct lane_limits *limits, size_t free_connections, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (lane->waiting.count == 0 || lane_is_full(lane, limits) || lane->in_flight >= free_connections)
        return false;
    if (limits->per_second <= 0)
        return true;
    refill(lane, limits->per_second, now_ms);
    if (lane->tokens >= 1)
        return true;
    *wait_ms = (int64_t)((1 - lane->tokens) * 1000 / (double)limits->per_second) + 1;
    return false;
}

void lane_begun(struct lane *lane, const struct lane_limits *limits)
{
    lane->in_flight++;
    if (limits->per_second > 0)
        lane->tokens -= 1;
}

void lane_ended(struct lane *lane, int64_t took_ms)
{
    must(lane->in_flight > 0);
    lane->in_flight--;
    if (took_ms < 1)
        took_ms = 1;
    lane->average_ms = lane->average_ms == 0 ? took_ms : (lane->average_ms * 7 + took_ms) / 8;
}
