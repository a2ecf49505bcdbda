#include "dispatcher/lanes.h"

#include "common/map.h"
#include "common/must.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 15000 }; /* of a buyer that has none of its own */

struct lanes {
    size_t lane_most, bytes_most;
    size_t waiting, bytes;   /* over all lanes */
    struct map *by_buyer;    /* struct lane */
    struct map *in_hand;     /* struct due, by id */
    struct lane *last;       /* of the ring of lanes in which something waits; its next is the first */
    size_t ring_count;
};

struct lanes *lanes_new(size_t lane_most, size_t bytes_most)
{
    struct lanes *lanes = must_zalloc(sizeof *lanes);

    lanes->lane_most = lane_most;
    lanes->bytes_most = bytes_most;
    lanes->by_buyer = map_new();
    lanes->in_hand = map_new();
    return lanes;
}

void lanes_free(struct lanes **all)
{
    struct lanes *lanes = *all;
    struct due *due;
    struct lane *lane;
    size_t at = 0;

    if (lanes == NULL)
        return;
    while ((due = map_next(lanes->in_hand, &at)) != NULL)
        due_free(&due);
    at = 0;
    while ((lane = map_next(lanes->by_buyer, &at)) != NULL) {
        lane->waiting = (struct due_list){NULL, NULL, 0};
        lane->in_flight = 0;
        lane_free(&lane);
    }
    map_free(&lanes->in_hand);
    map_free(&lanes->by_buyer);
    free(lanes);
    *all = NULL;
}

struct lane *lanes_of(struct lanes *lanes, struct span buyer_id, int64_t now_ms)
{
    struct lane *lane = map_get(lanes->by_buyer, buyer_id);

    if (lane == NULL) {
        lane = lane_new(buyer_id, now_ms);
        map_put(lanes->by_buyer, lane->buyer_id, lane);
    }
    return lane;
}

int64_t lanes_timeout_ms(const struct buyer *buyer)
{
    return buyer->timeout_ms > 0 ? buyer->timeout_ms : TIMEOUT_MS;
}

struct lane_limits lanes_limits(const struct buyer *buyer)
{
    return (struct lane_limits){.concurrent = buyer->concurrent, .per_second = buyer->per_second};
}

size_t lanes_room(const struct lanes *lanes, const struct lane *lane, const struct lane_limits *limits)
{
    if (lanes->bytes >= lanes->bytes_most || lane->bytes >= lanes->bytes_most - lanes->bytes)
        return 0;
    return lane_room(lane, limits, lanes->lane_most);
}

bool lanes_is_behind(const struct lanes *lanes, const struct lane *lane, const struct lane_limits *limits)
{
    return lane_is_behind(lane, limits, lanes->lane_most);
}

/* A quarter more than others have. */
static bool takes_ask(const struct lanes *lanes, const struct lane *lane, const struct lane_limits *limits)
{
    return lanes->bytes < lanes->bytes_most + lanes->bytes_most / 4 && lane_takes_ask(lane, limits, lanes->lane_most);
}

static void join_ring(struct lanes *lanes, struct lane *lane)
{
    if (lane->is_in_ring || lane->is_parked)
        return;
    lane->is_in_ring = true;
    lane->next = lanes->last != NULL ? lanes->last->next : lane;
    if (lanes->last != NULL)
        lanes->last->next = lane;
    lanes->last = lane;
    lanes->ring_count++;
}

static void leave_ring(struct lanes *lanes)
{
    struct lane *first = lanes->last->next;

    first->is_in_ring = false;
    lanes->last->next = first->next;
    if (first == lanes->last)
        lanes->last = NULL;
    first->next = NULL;
    lanes->ring_count--;
}

enum taken lanes_take(struct lanes *lanes, const struct delivery *delivery, int64_t lease_until_ms, struct lane *lane,
                      const struct lane_limits *limits, const struct format *format, struct due **due)
{
    bool has_room;

    *due = map_get(lanes->in_hand, uuid_span(&delivery->id));
    if (*due != NULL)
        return TAKEN_KNOWN;
    has_room = lane != NULL && (delivery->confirm_ms > 0 ? takes_ask(lanes, lane, limits) : lanes_room(lanes, lane, limits) > 0);
    *due = due_new(delivery, lease_until_ms, has_room ? lane : NULL, format);
    map_put(lanes->in_hand, uuid_span(&(*due)->id), *due);
    if (!has_room)
        return TAKEN_NO_ROOM;
    lane_add(lane, *due);
    lanes->waiting++;
    lanes->bytes += due_bytes(*due);
    join_ring(lanes, lane);
    return TAKEN_WAITS;
}

void lanes_forget(struct lanes *lanes, struct due **due)
{
    map_remove(lanes->in_hand, uuid_span(&(*due)->id));
    due_free(due);
}

struct lane *lanes_turn(struct lanes *lanes)
{
    while (lanes->last != NULL && (lanes->last->next->waiting.count == 0 || lanes->last->next->is_parked))
        leave_ring(lanes);
    if (lanes->last == NULL)
        return NULL;
    lanes->last = lanes->last->next;
    return lanes->last;
}

void lanes_park(struct lane *lane)
{
    lane->is_parked = true;
}

void lanes_unpark(struct lanes *lanes, struct lane *lane)
{
    lane->is_parked = false;
    if (lane->waiting.count > 0)
        join_ring(lanes, lane);
}

size_t lanes_turns(const struct lanes *lanes)
{
    return lanes->ring_count;
}

struct due *lanes_shift(struct lanes *lanes, struct lane *lane)
{
    struct due *due = lane_shift(lane);

    lanes->waiting--;
    lanes->bytes -= due_bytes(due);
    return due;
}

void lanes_remove(struct lanes *lanes, struct due *due)
{
    lanes->waiting--;
    lanes->bytes -= due_bytes(due);
    lane_remove(due->lane, due);
}

static bool is_used(const struct lane *lane)
{
    return lane->waiting.count > 0 || lane->in_flight > 0 || lane->is_in_ring || lane->is_hungry || lane->asked > 0 || lane->is_gone ||
           lane->is_told_paused;
}

void lanes_prune(struct lanes *lanes, const struct catalog *catalog)
{
    struct lane **gone = must_alloc((map_count(lanes->by_buyer) + 1) * sizeof *gone);
    struct lane *lane;
    size_t count = 0, at = 0;

    while ((lane = map_next(lanes->by_buyer, &at)) != NULL)
        if (!is_used(lane) && catalog_buyer(catalog, lane->buyer_id) == NULL)
            gone[count++] = lane;
    for (size_t i = 0; i < count; i++) {
        map_remove(lanes->by_buyer, gone[i]->buyer_id);
        lane_free(&gone[i]);
    }
    free(gone);
}

struct lane *lanes_each(const struct lanes *lanes, size_t *at)
{
    return map_next(lanes->by_buyer, at);
}

size_t lanes_waiting(const struct lanes *lanes)
{
    return lanes->waiting;
}

size_t lanes_in_hand(const struct lanes *lanes)
{
    return map_count(lanes->in_hand);
}
