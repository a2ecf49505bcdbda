/* One buyer's lane, and all of them: dispatcher/lane.h, dispatcher/lanes.h. */
#include "dispatcher/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { PLENTY = 1000 };

static const struct lane_limits unlimited = {.concurrent = 64};

/* The n-th delivery of a buyer. */
static struct delivery nth(const char *buyer_id, int n)
{
    struct delivery made = {.campaign_id = SPAN("c"), .sold_at_ms = 1};

    made.buyer_id = span_of(buyer_id);
    made.id.bytes[0] = (uint8_t)buyer_id[0];
    made.id.bytes[1] = (uint8_t)(n >> 8);
    made.id.bytes[2] = (uint8_t)n;
    return made;
}

static enum taken put(struct lanes *lanes, const char *buyer_id, int n)
{
    struct delivery delivery = nth(buyer_id, n);
    struct due *due;

    return lanes_take(lanes, &delivery, 0, lanes_of(lanes, span_of(buyer_id), 0), &unlimited, NULL, &due);
}

/* Takes the first out of its lane and says which it was. */
static int shift(struct lanes *lanes, struct lane *lane)
{
    struct due *due = lanes_shift(lanes, lane);
    int n = due->id.bytes[1] << 8 | due->id.bytes[2];

    lanes_forget(lanes, &due);
    return n;
}

static void first_in_is_first_out(void **state)
{
    struct lanes *lanes = lanes_new(100, 1 << 20);
    struct lane *lane = lanes_of(lanes, SPAN("b"), 0);

    (void)state;
    for (int n = 1; n <= 3; n++)
        assert_int_equal(put(lanes, "b", n), TAKEN_WAITS);
    for (int n = 1; n <= 3; n++)
        assert_int_equal(shift(lanes, lane), n);
    assert_int_equal(lanes_waiting(lanes), 0);
    assert_int_equal(lane->bytes, 0);
    lanes_free(&lanes);
}

static void what_is_in_hand_is_known(void **state)
{
    struct lanes *lanes = lanes_new(100, 1 << 20);
    struct lane *lane = lanes_of(lanes, SPAN("b"), 0);
    struct due *due;

    (void)state;
    assert_int_equal(put(lanes, "b", 1), TAKEN_WAITS);
    assert_int_equal(put(lanes, "b", 1), TAKEN_KNOWN);
    due = lanes_shift(lanes, lane); /* under way */
    assert_int_equal(put(lanes, "b", 1), TAKEN_KNOWN);
    lanes_forget(lanes, &due);
    assert_int_equal(put(lanes, "b", 1), TAKEN_WAITS);
    lanes_free(&lanes);
}

static void a_full_lane_leaves_room_for_others(void **state)
{
    struct lanes *lanes = lanes_new(2, 1 << 20);

    (void)state;
    assert_int_equal(put(lanes, "b", 1), TAKEN_WAITS);
    assert_int_equal(put(lanes, "b", 2), TAKEN_WAITS);
    assert_int_equal(put(lanes, "b", 3), TAKEN_NO_ROOM);
    assert_int_equal(put(lanes, "b", 3), TAKEN_KNOWN); /* until it was given back */
    assert_int_equal(put(lanes, "c", 1), TAKEN_WAITS);
    lanes_free(&lanes);
}

static void memory_is_shared_fairly(void **state)
{
    struct lanes *lanes = lanes_new(100000, 100000);
    int greedy = 0;

    (void)state;
    while (put(lanes, "b", greedy) == TAKEN_WAITS)
        greedy++;
    assert_in_range(greedy, 1, 99999);
    assert_in_range(lanes_of(lanes, SPAN("b"), 0)->bytes, 50000 - 1000, 50000 + 1000); /* one lane alone: half */
    assert_int_equal(put(lanes, "c", 1), TAKEN_WAITS);
    lanes_free(&lanes);
}

static void lanes_come_in_turn(void **state)
{
    struct lanes *lanes = lanes_new(100, 1 << 20);
    char seen[7] = "";

    (void)state;
    for (int n = 0; n < 2; n++) {
        put(lanes, "a", n);
        put(lanes, "b", n);
        put(lanes, "c", n);
    }
    for (int i = 0; i < 6; i++) {
        struct lane *lane = lanes_turn(lanes);

        assert_non_null(lane);
        seen[i] = lane->buyer_id.ptr[0];
        shift(lanes, lane);
    }
    assert_string_equal(seen, "abcabc");
    assert_null(lanes_turn(lanes));
    lanes_free(&lanes);
}

static void a_parked_lane_has_no_turn(void **state)
{
    struct lanes *lanes = lanes_new(100, 1 << 20);
    struct lane *a = lanes_of(lanes, SPAN("a"), 0);

    (void)state;
    put(lanes, "a", 1);
    put(lanes, "b", 1);
    lanes_park(a);
    assert_ptr_equal(lanes_turn(lanes), lanes_of(lanes, SPAN("b"), 0));
    assert_ptr_equal(lanes_turn(lanes), lanes_of(lanes, SPAN("b"), 0));
    put(lanes, "a", 2);
    assert_ptr_equal(lanes_turn(lanes), lanes_of(lanes, SPAN("b"), 0));
    lanes_unpark(lanes, a); /* behind the others */
    assert_ptr_equal(lanes_turn(lanes), lanes_of(lanes, SPAN("b"), 0));
    assert_ptr_equal(lanes_turn(lanes), a);
    assert_int_equal(shift(lanes, a), 1);
    lanes_free(&lanes);
}

static struct lane *lane_with(int count)
{
    struct lane *lane = lane_new(SPAN("b"), 0);

    for (int n = 0; n < count; n++) {
        struct delivery delivery = nth("b", n);

        lane_add(lane, due_new(&delivery, 0, lane, NULL));
    }
    return lane;
}

static void lane_end(struct lane *lane)
{
    while (lane->waiting.count > 0) {
        struct due *due = lane_shift(lane);

        due_free(&due);
    }
    lane->in_flight = 0;
    lane_free(&lane);
}

static void begin_one(struct lane *lane, const struct lane_limits *limits)
{
    struct due *due = lane_shift(lane);

    lane_begun(lane, limits);
    due_free(&due);
}

static void requests_at_once_are_limited(void **state)
{
    static const struct lane_limits two = {.concurrent = 2};
    struct lane *lane = lane_with(5);
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(lane_may_begin(lane, &two, PLENTY, 0, &wait_ms));
        begin_one(lane, &two);
    }
    assert_false(lane_may_begin(lane, &two, PLENTY, 0, &wait_ms));
    assert_int_equal(wait_ms, 0);
    lane_ended(lane, 10);
    assert_true(lane_may_begin(lane, &two, PLENTY, 0, &wait_ms));
    lane_end(lane);
}

static void a_buyer_without_limits_gets_the_usual_ones(void **state)
{
    static const struct lane_limits none = {0, 0};
    struct lane *lane = lane_with(LANE_CONCURRENT + 1);
    int64_t wait_ms;
    int begun = 0;

    (void)state;
    for (; lane_may_begin(lane, &none, PLENTY, 0, &wait_ms); begun++)
        begin_one(lane, &none);
    assert_int_equal(begun, LANE_CONCURRENT);
    lane_end(lane);
}

/* Eight buyers that hang, 512 connections: something is left for the ninth. */
static void hanging_lanes_leave_connections_free(void **state)
{
    enum { CONNECTIONS = 512, HANGING = 8 };
    struct lane *lanes[HANGING + 1];
    size_t in_flight = 0;
    bool has_begun = true;
    int64_t wait_ms;

    (void)state;
    for (int i = 0; i <= HANGING; i++)
        lanes[i] = lane_with(100);
    while (has_begun) {
        has_begun = false;
        for (int i = 0; i < HANGING; i++)
            if (lane_may_begin(lanes[i], &unlimited, CONNECTIONS - in_flight, 0, &wait_ms)) {
                begin_one(lanes[i], &unlimited);
                in_flight++;
                has_begun = true;
            }
    }
    assert_in_range(in_flight, 8 * 48, CONNECTIONS - 32);
    assert_true(lane_may_begin(lanes[HANGING], &unlimited, CONNECTIONS - in_flight, 0, &wait_ms));
    for (int i = 0; i <= HANGING; i++)
        lane_end(lanes[i]);
}

static void requests_per_second_are_limited(void **state)
{
    static const struct lane_limits hundred = {.concurrent = 1000, .per_second = 100};
    struct lane *lane = lane_with(1000);
    int64_t now_ms = 0, wait_ms;
    int in_second[3] = {0, 0, 0};

    (void)state;
    while (now_ms < 3000) {
        if (lane_may_begin(lane, &hundred, PLENTY * 2, now_ms, &wait_ms)) {
            begin_one(lane, &hundred);
            in_second[now_ms / 1000]++;
        } else {
            assert_in_range(wait_ms, 1, 11);
            now_ms += wait_ms;
        }
    }
    for (int second = 0; second < 3; second++)
        assert_in_range(in_second[second], 85, 102);
    lane_end(lane);
}

static void a_pause_is_not_saved_up(void **state)
{
    static const struct lane_limits hundred = {.concurrent = 1000, .per_second = 100};
    struct lane *lane = lane_with(100);
    int64_t wait_ms;
    int begun = 0;

    (void)state;
    for (; lane_may_begin(lane, &hundred, PLENTY, 60000, &wait_ms); begun++)
        begin_one(lane, &hundred);
    assert_int_equal(begun, 2); /* LANE_BURST_MS of it */
    lane_end(lane);
}

static void a_slow_rate_still_moves(void **state)
{
    static const struct lane_limits one = {.concurrent = 10, .per_second = 1};
    struct lane *lane = lane_with(3);
    int64_t wait_ms;

    (void)state;
    assert_true(lane_may_begin(lane, &one, PLENTY, 0, &wait_ms));
    begin_one(lane, &one);
    assert_false(lane_may_begin(lane, &one, PLENTY, 500, &wait_ms));
    assert_in_range(wait_ms, 400, 502);
    assert_true(lane_may_begin(lane, &one, PLENTY, 1001, &wait_ms));
    lane_end(lane);
}

static void a_slow_buyer_holds_little(void **state)
{
    static const struct lane_limits ten = {.concurrent = 10};
    static const struct lane_limits slow_rate = {.concurrent = 64, .per_second = 2};
    struct lane *lane = lane_new(SPAN("b"), 0);

    (void)state;
    assert_int_equal(lane_room(lane, &ten, 512), 512); /* nothing is known yet */
    assert_int_equal(lane_room(lane, &slow_rate, 512), 10);
    lane->in_flight = 20;
    for (int i = 0; i < 20; i++)
        lane_ended(lane, 15000);
    assert_int_equal(lane_room(lane, &ten, 512), 3); /* ten at once, a third of 15 s ahead */
    lane->average_ms = 1000000;
    assert_int_equal(lane_room(lane, &ten, 512), 1);
    lane->average_ms = 2;
    assert_int_equal(lane_room(lane, &ten, 512), 512);
    lane_end(lane);
}

/* The n-th delivery on whose answer a sale depends. */
static enum taken put_ask(struct lanes *lanes, const char *buyer_id, int n, struct due **due)
{
    struct delivery delivery = nth(buyer_id, n);

    delivery.confirm_ms = 1000;
    return lanes_take(lanes, &delivery, 0, lanes_of(lanes, span_of(buyer_id), 0), &unlimited, NULL, due);
}

static void what_a_sale_depends_on_goes_first(void **state)
{
    static const int order[] = {10, 12, 13, 1, 2, 3};
    struct lanes *lanes = lanes_new(100, 1 << 20);
    struct lane *lane = lanes_of(lanes, SPAN("b"), 0);
    struct due *due, *gone[2];

    (void)state;
    put(lanes, "b", 1);
    put_ask(lanes, "b", 10, &due);
    put(lanes, "b", 2);
    put_ask(lanes, "b", 11, &gone[0]);
    put_ask(lanes, "b", 12, &due);
    put_ask(lanes, "b", 14, &gone[1]);
    lanes_remove(lanes, gone[1]); /* the last of them */
    put(lanes, "b", 3);
    put_ask(lanes, "b", 13, &due);
    lanes_remove(lanes, gone[0]); /* from the middle */
    for (int i = 0; i < 2; i++)
        lanes_forget(lanes, &gone[i]);
    assert_int_equal(lanes_waiting(lanes), 6);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_int_equal(lane->asking, i < 3 ? 3 - i : 0);
        assert_int_equal(shift(lanes, lane), order[i]);
    }
    assert_int_equal(lane->bytes, 0);
    put(lanes, "b", 4);
    put_ask(lanes, "b", 15, &due);
    assert_int_equal(shift(lanes, lane), 15);
    assert_int_equal(shift(lanes, lane), 4);
    put_ask(lanes, "b", 16, &due);
    lanes_remove(lanes, due); /* the only one */
    lanes_forget(lanes, &due);
    assert_int_equal(lane->waiting.count + lane->asking + lane->bytes, 0);
    assert_null(lane->last_asking);
    lanes_free(&lanes);
}

static void it_finds_room_where_others_have_filled_theirs(void **state)
{
    struct lanes *lanes = lanes_new(2, 1 << 20), *small = lanes_new(100000, 100000);
    struct due *due;
    int count = 0;

    (void)state;
    for (int n = 1; n <= 2; n++)
        assert_int_equal(put(lanes, "b", n), TAKEN_WAITS);
    assert_int_equal(put(lanes, "b", 3), TAKEN_NO_ROOM);
    assert_int_equal(put_ask(lanes, "b", 10, &due), TAKEN_WAITS);
    assert_int_equal(put_ask(lanes, "b", 11, &due), TAKEN_WAITS);
    assert_int_equal(put_ask(lanes, "b", 12, &due), TAKEN_NO_ROOM);
    lanes_free(&lanes);
    for (int letter = 'a'; letter <= 'z'; letter++) {
        char buyer_id[2] = {(char)letter, '\0'};

        for (int n = 0; put(small, buyer_id, n) == TAKEN_WAITS; n++)
            ;
    }
    while (put_ask(small, "b", 30000 + count, &due) == TAKEN_WAITS)
        count++;
    assert_in_range(count, 1, 1000); /* bounded, too */
    lanes_free(&small);
}

static void how_long_a_turn_takes(void **state)
{
    static const struct {
        const char *claim;
        size_t asking, in_flight;
        int64_t concurrent, per_second, average_ms, want_ms;
    } rows[] = {
        {"an idle lane: at once", 0, 0, 2, 0, 1000, 0},
        {"one request is free", 0, 1, 2, 0, 1000, 0},
        {"all are taken: half a request's time until one of two is free", 0, 2, 2, 0, 1000, 500},
        {"one before us", 1, 2, 2, 0, 1000, 1000},
        {"nothing is known of the buyer's time", 5, 2, 2, 0, 0, 0},
        {"ten a second", 5, 0, 64, 10, 0, 500},
        {"the slower of both holds", 5, 2, 2, 10, 1000, 3000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lane lane = {.asking = rows[i].asking, .in_flight = rows[i].in_flight, .average_ms = rows[i].average_ms};
        struct lane_limits limits = {.concurrent = rows[i].concurrent, .per_second = rows[i].per_second};

        if (lane_wait_ms(&lane, &limits) != rows[i].want_ms)
            fail_msg("%s: got %lld", rows[i].claim, (long long)lane_wait_ms(&lane, &limits));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out), cmocka_unit_test(what_is_in_hand_is_known),
        cmocka_unit_test(a_full_lane_leaves_room_for_others), cmocka_unit_test(memory_is_shared_fairly),
        cmocka_unit_test(lanes_come_in_turn), cmocka_unit_test(a_parked_lane_has_no_turn),
        cmocka_unit_test(requests_at_once_are_limited), cmocka_unit_test(a_buyer_without_limits_gets_the_usual_ones),
        cmocka_unit_test(hanging_lanes_leave_connections_free), cmocka_unit_test(requests_per_second_are_limited),
        cmocka_unit_test(a_pause_is_not_saved_up), cmocka_unit_test(a_slow_rate_still_moves),
        cmocka_unit_test(a_slow_buyer_holds_little), cmocka_unit_test(what_a_sale_depends_on_goes_first),
        cmocka_unit_test(it_finds_room_where_others_have_filled_theirs), cmocka_unit_test(how_long_a_turn_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
