/* test_cap.c - router/cap.c: windows that roll, room, counting. */
#include "router/cap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY(leads) {WINDOW_DAY, leads, -1}
#define BUDGET(window, cents) {window, -1, cents}
#define BOTH(window, leads, cents) {window, leads, cents}

/* hour, day, week, month, total */
static const struct {
    const char *claim;
    struct cap cap;
    int64_t leads[WINDOW_COUNT], cents[WINDOW_COUNT];
    int64_t room;
} room_rows[] = {
    {"an empty counter has all the room", DAY(5), {0}, {0}, 5},
    {"each window counts for itself", DAY(5), {9, 2, 9, 9, 9}, {0}, 3},
    {"the hour", {WINDOW_HOUR, 4, -1}, {1, 2, 3, 4, 5}, {0}, 3},
    {"the week", {WINDOW_WEEK, 4, -1}, {1, 2, 3, 4, 5}, {0}, 1},
    {"the month", {WINDOW_MONTH, 5, -1}, {1, 2, 3, 4, 5}, {0}, 1},
    {"all time", {WINDOW_TOTAL, 6, -1}, {1, 2, 3, 4, 5}, {0}, 1},
    {"full", DAY(5), {0, 5}, {0}, 0},
    {"over, because the cap was lowered", DAY(5), {0, 8}, {0}, 0},
    {"none at all", DAY(0), {0}, {0}, 0},
    {"a budget", BUDGET(WINDOW_MONTH, 10000), {0}, {0, 0, 0, 2500}, 7500},
    {"a budget that is spent", BUDGET(WINDOW_MONTH, 10000), {0}, {0, 0, 0, 10000}, 0},
    {"a budget that is overspent", BUDGET(WINDOW_MONTH, 10000), {0}, {0, 0, 0, 10001}, 0},
};

static void rooms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof room_rows / sizeof *room_rows; i++) {
        struct counter counter = {.id = 1};

        for (int window = 0; window < WINDOW_COUNT; window++) {
            counter.leads[window] = room_rows[i].leads[window];
            counter.cents[window] = room_rows[i].cents[window];
        }
        if (cap_room(&room_rows[i].cap, &counter) != room_rows[i].room)
            fail_msg("%s: %lld", room_rows[i].claim, (long long)cap_room(&room_rows[i].cap, &counter));
    }
}

static const struct {
    const char *claim;
    struct cap caps[3];
    size_t cap_count;
    int64_t day_leads, month_cents, amount;
    int full; /* which cap; -1: none */
} full_rows[] = {
    {"no caps, never full", {DAY(0)}, 0, 99, 99, 99, -1},
    {"one place left", {DAY(3)}, 1, 2, 0, 2500, -1},
    {"no place left", {DAY(3)}, 1, 3, 0, 2500, 0},
    {"all caps count: the second is full", {{WINDOW_HOUR, 9, -1}, DAY(3)}, 2, 3, 0, 0, 1},
    {"the first full one is told", {DAY(3), {WINDOW_MONTH, 0, -1}}, 2, 3, 0, 0, 0},
    {"a budget that the amount just fills", {BUDGET(WINDOW_MONTH, 10000)}, 1, 0, 7500, 2500, -1},
    {"a budget that the amount passes by a cent", {BUDGET(WINDOW_MONTH, 10000)}, 1, 0, 7501, 2500, 0},
    {"a budget that is spent has room for what costs nothing", {BUDGET(WINDOW_MONTH, 10000)}, 1, 0, 10000, 0, -1},
    {"a cap on both: by leads", {BOTH(WINDOW_DAY, 3, 1000000)}, 1, 3, 0, 1, 0},
    {"a cap on both: by money", {BOTH(WINDOW_MONTH, 3, 10000)}, 1, 0, 9999, 2, 0},
};

static void full_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof full_rows / sizeof *full_rows; i++) {
        struct counter counter = {.id = 1};
        struct cap caps[3];
        struct cap_owner owner = {.caps = caps, .cap_count = full_rows[i].cap_count, .counter_id = 1};
        const struct cap *full;

        for (size_t j = 0; j < 3; j++)
            caps[j] = full_rows[i].caps[j];
        counter.leads[WINDOW_DAY] = full_rows[i].day_leads;
        counter.cents[WINDOW_MONTH] = full_rows[i].month_cents;
        full = caps_full(&owner, &counter, 1, full_rows[i].amount);
        if (full != (full_rows[i].full < 0 ? NULL : &caps[full_rows[i].full]))
            fail_msg("%s", full_rows[i].claim);
    }
}

static void taking_counts_in_every_window(void **state)
{
    struct counter counter = {.id = 1, .leads = {1, 2, 3, 4, 5}, .cents = {10, 20, 30, 40, 50}};

    (void)state;
    assert_false(counter.is_changed);
    counter_change(&counter, 1, 2500, COUNTED_NOW);
    counter_change(&counter, 1, 0, COUNTED_NOW);
    assert_true(counter.is_changed);
    for (int window = 0; window < WINDOW_COUNT; window++) {
        assert_int_equal(counter.leads[window], window + 3);
        assert_int_equal(counter.cents[window], (window + 1) * 10 + 2500);
    }
}

static void a_place_goes_back_to_the_windows_that_it_was_taken_from(void **state)
{
    struct counter counter = {.id = 1, .start_us = {100, 90, 80, 70}, .leads = {9, 9, 9, 9, 9}, .cents = {90, 90, 90, 90, 90}};

    (void)state;
    counter_change(&counter, -1, -10, 85); /* hour and day have turned since */
    for (int window = 0; window < WINDOW_COUNT; window++) {
        assert_int_equal(counter.leads[window], window < WINDOW_WEEK ? 9 : 8);
        assert_int_equal(counter.cents[window], window < WINDOW_WEEK ? 90 : 80);
    }
    counter_change(&counter, 1, 10, COUNTED_NOW); /* whatever the clock says */
    for (int window = 0; window < WINDOW_COUNT; window++)
        assert_int_equal(counter.leads[window], window < WINDOW_WEEK ? 10 : 9);
}

/* Starts of hour, day, week and month before and now; which windows begin anew is one bit each. */
static const struct {
    const char *claim;
    int64_t before[WINDOW_COUNT], now[WINDOW_COUNT];
    unsigned anew;
} roll_rows[] = {
    {"nothing has ended", {100, 90, 80, 70, 0}, {100, 90, 80, 70, 0}, 0},
    {"the hour has", {100, 90, 80, 70, 0}, {101, 90, 80, 70, 0}, 1},
    {"hour and day", {100, 90, 80, 70, 0}, {200, 200, 80, 70, 0}, 3},
    {"the week, not the month", {100, 90, 80, 70, 0}, {300, 300, 300, 70, 0}, 7},
    {"the month, not the week", {100, 90, 80, 70, 0}, {300, 300, 80, 300, 0}, 11},
    {"all", {100, 90, 80, 70, 0}, {400, 400, 400, 400, 0}, 15},
    {"never used before", {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, 0}, {400, 300, 200, 100, 0}, 15},
    {"a clock that was set back ends nothing", {100, 90, 80, 70, 0}, {99, 1, 1, 1, 0}, 0},
    {"back for the day, on for the hour", {100, 90, 80, 70, 0}, {101, 89, 80, 70, 0}, 1},
    {"all time never ends", {100, 90, 80, 70, 5}, {100, 90, 80, 70, 99}, 0},
};

static void windows_roll_and_never_backwards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof roll_rows / sizeof *roll_rows; i++) {
        struct counter counter = {.id = 1, .leads = {1, 2, 3, 4, 5}, .cents = {10, 20, 30, 40, 50}};

        for (int window = 0; window < WINDOW_COUNT; window++)
            counter.start_us[window] = roll_rows[i].before[window];
        counter_roll(&counter, roll_rows[i].now);
        for (int window = 0; window < WINDOW_COUNT; window++) {
            bool is_new = roll_rows[i].anew >> window & 1;

            if (counter.leads[window] != (is_new ? 0 : window + 1) || counter.cents[window] != (is_new ? 0 : (window + 1) * 10) ||
                counter.start_us[window] != (is_new ? roll_rows[i].now[window] : roll_rows[i].before[window]))
                fail_msg("%s: window %d", roll_rows[i].claim, window);
        }
        assert_false(counter.is_changed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rooms),
        cmocka_unit_test(full_or_not),
        cmocka_unit_test(taking_counts_in_every_window),
        cmocka_unit_test(a_place_goes_back_to_the_windows_that_it_was_taken_from),
        cmocka_unit_test(windows_roll_and_never_backwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
