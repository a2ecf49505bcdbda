/* test_bidder.c - dispatcher/bidder.c: who is asked, how often, and who is left alone. */
#include "dispatcher/bidder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct bidder_limits wide = {1000, 0};

static struct bidder *begin(void **state)
{
    (void)state;
    return bidder_new(SPAN("buyer_abc"), 0);
}

/* So many answers of one kind, each to a question of its own. */
static void answer(struct bidder *bidder, int count, enum bid_outcome outcome, bool is_fair)
{
    for (int i = 0; i < count; i++) {
        bidder_asked(bidder, &wide, 0);
        bidder_answered(bidder, outcome, is_fair);
    }
}

/* How many of so many questions are asked, all at one time? None is answered by more than no bid. */
static int asked_of(struct bidder *bidder, int count, int64_t now_ms)
{
    int asked = 0;

    for (int i = 0; i < count; i++)
        if (bidder_turn(bidder, &wide, 1000, now_ms) == BIDDER_ASK) {
            asked++;
            bidder_asked(bidder, &wide, now_ms);
            bidder_answered(bidder, BID_OUTCOME_LATE, true);
        }
    return asked;
}

/* good answers first, then bad ones: is the buyer poor? */
static const struct { const char *claim; int good, bad; enum bid_outcome how; bool is_fair, want; } healths[] = {
    {"nothing is known", 0, 0, BID_OUTCOME_LATE, true, false},
    {"nine bad ones are too few", 0, 9, BID_OUTCOME_LATE, true, false},
    {"ten are enough", 0, 10, BID_OUTCOME_LATE, true, true},
    {"wrong answers count", 0, 10, BID_OUTCOME_WRONG, true, true},
    {"failures count", 0, 10, BID_OUTCOME_FAILED, true, true},
    {"no bids are fine", 0, 50, BID_OUTCOME_NO_BID, true, false},
    {"what was not asked says nothing", 0, 50, BID_OUTCOME_SKIPPED, true, false},
    {"who had no time is not blamed", 0, 50, BID_OUTCOME_LATE, false, false},
    {"but for being wrong", 0, 10, BID_OUTCOME_WRONG, false, true},
    {"one of ten", 9, 1, BID_OUTCOME_LATE, true, false},
    {"two of ten", 8, 2, BID_OUTCOME_LATE, true, true},
    {"15 % are not more than 15 %", 17, 3, BID_OUTCOME_LATE, true, false},
    {"7 of 50", 43, 7, BID_OUTCOME_LATE, true, false},
    {"8 of 50", 42, 8, BID_OUTCOME_LATE, true, true},
    {"only the last 50 count", 1000, 8, BID_OUTCOME_LATE, true, true},
};

static void health_is_of_the_last_answers(void **state)
{
    for (size_t i = 0; i < sizeof healths / sizeof *healths; i++) {
        struct bidder *bidder = begin(state);

        answer(bidder, healths[i].good, BID_OUTCOME_BID, true);
        answer(bidder, healths[i].bad, healths[i].how, healths[i].is_fair);
        if (bidder_is_poor(bidder) != healths[i].want)
            fail_msg("%s", healths[i].claim);
        bidder_free(&bidder);
        assert_null(bidder);
    }
}

static void a_poor_one_is_asked_every_tenth_question(void **state)
{
    struct bidder *bidder = begin(state);

    answer(bidder, 10, BID_OUTCOME_FAILED, true);
    for (int i = 1; i <= 9; i++)
        assert_int_equal(bidder_turn(bidder, &wide, 1000, 5), BIDDER_POOR);
    assert_int_equal(bidder_turn(bidder, &wide, 1000, 5), BIDDER_ASK);
    bidder_asked(bidder, &wide, 5);
    assert_int_equal(bidder_turn(bidder, &wide, 1000, 5), BIDDER_POOR);
    bidder_answered(bidder, BID_OUTCOME_LATE, true);
    assert_int_equal(asked_of(bidder, 1000, 5), 100);
    bidder_free(&bidder);
}

static void and_when_it_was_long_alone(void **state)
{
    struct bidder *bidder = begin(state);

    answer(bidder, 10, BID_OUTCOME_FAILED, true);
    assert_int_equal(bidder_turn(bidder, &wide, 1000, BIDDER_PROBE_MS - 1), BIDDER_POOR);
    assert_int_equal(bidder_turn(bidder, &wide, 1000, BIDDER_PROBE_MS), BIDDER_ASK);
    bidder_asked(bidder, &wide, BIDDER_PROBE_MS);
    assert_int_equal(bidder_turn(bidder, &wide, 1000, 2 * BIDDER_PROBE_MS - 1), BIDDER_POOR);
    bidder_answered(bidder, BID_OUTCOME_FAILED, true);
    bidder_free(&bidder);
}

static void good_answers_bring_it_back(void **state)
{
    struct bidder *bidder = begin(state);

    answer(bidder, 50, BID_OUTCOME_FAILED, true);
    answer(bidder, 42, BID_OUTCOME_NO_BID, true);
    assert_true(bidder_is_poor(bidder));
    answer(bidder, 1, BID_OUTCOME_BID, true);
    assert_false(bidder_is_poor(bidder));
    assert_int_equal(bidder_turn(bidder, &wide, 1000, 0), BIDDER_ASK);
    bidder_free(&bidder);
}

static void another_endpoint_begins_anew(void **state)
{
    struct bidder *bidder = begin(state);

    answer(bidder, 50, BID_OUTCOME_FAILED, true);
    bidder_forget(bidder);
    assert_false(bidder_is_poor(bidder));
    answer(bidder, 9, BID_OUTCOME_FAILED, true);
    assert_false(bidder_is_poor(bidder));
    answer(bidder, 1, BID_OUTCOME_FAILED, true);
    assert_true(bidder_is_poor(bidder));
    bidder_free(&bidder);
}

static void so_many_questions_are_open_at_once(void **state)
{
    const struct bidder_limits two = {2, 0};
    struct bidder *bidder = begin(state);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(bidder_turn(bidder, &two, 1000, 0), BIDDER_ASK);
        bidder_asked(bidder, &two, 0);
    }
    assert_int_equal(bidder_turn(bidder, &two, 1000, 0), BIDDER_FULL);
    bidder_answered(bidder, BID_OUTCOME_BID, true);
    assert_int_equal(bidder_turn(bidder, &two, 1000, 0), BIDDER_ASK);
    bidder_answered(bidder, BID_OUTCOME_BID, true);
    bidder_free(&bidder);
}

static void many_that_hang_leave_room_for_others(void **state)
{
    struct bidder *bidder = begin(state);
    size_t all = 100, open = 0;

    while (bidder_turn(bidder, &wide, all - open, 0) == BIDDER_ASK) {
        bidder_asked(bidder, &wide, 0);
        open++;
    }
    assert_int_equal(open, 50);
    assert_int_equal(bidder_turn(bidder, &wide, 0, 0), BIDDER_FULL);
    while (open-- > 0)
        bidder_answered(bidder, BID_OUTCOME_BID, true);
    bidder_free(&bidder);
}

static void no_connection_is_free(void **state)
{
    struct bidder *bidder = begin(state);

    assert_int_equal(bidder_turn(bidder, &wide, 0, 0), BIDDER_FULL);
    bidder_free(&bidder);
}

static void the_rate_limit_holds_in_every_second(void **state)
{
    const struct bidder_limits rate = {1000, 50};
    struct bidder *bidder = begin(state);
    int asked = 0;

    for (int64_t now_ms = 0; now_ms < 10000; now_ms++) {
        enum bidder_turn turn = bidder_turn(bidder, &rate, 1000, now_ms);

        if (turn == BIDDER_ASK) {
            asked++;
            bidder_asked(bidder, &rate, now_ms);
            bidder_answered(bidder, BID_OUTCOME_BID, true);
        } else {
            assert_int_equal(turn, BIDDER_FAST);
        }
    }
    assert_in_range(asked, 495, 505);
    asked = 0; /* after a silence, a burst of 100 ms */
    while (bidder_turn(bidder, &rate, 1000, 60000) == BIDDER_ASK) {
        asked++;
        bidder_asked(bidder, &rate, 60000);
        bidder_answered(bidder, BID_OUTCOME_BID, true);
    }
    assert_int_equal(asked, 5);
    bidder_free(&bidder);
}

static void a_rate_below_one_in_its_burst_still_lets_one_through(void **state)
{
    const struct bidder_limits rate = {1000, 1};
    struct bidder *bidder = begin(state);

    assert_int_equal(bidder_turn(bidder, &rate, 1000, 0), BIDDER_ASK);
    bidder_asked(bidder, &rate, 0);
    bidder_answered(bidder, BID_OUTCOME_BID, true);
    assert_int_equal(bidder_turn(bidder, &rate, 1000, 999), BIDDER_FAST);
    assert_int_equal(bidder_turn(bidder, &rate, 1000, 1000), BIDDER_ASK);
    bidder_free(&bidder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_of_the_last_answers),
        cmocka_unit_test(a_poor_one_is_asked_every_tenth_question),
        cmocka_unit_test(and_when_it_was_long_alone),
        cmocka_unit_test(good_answers_bring_it_back),
        cmocka_unit_test(another_endpoint_begins_anew),
        cmocka_unit_test(so_many_questions_are_open_at_once),
        cmocka_unit_test(many_that_hang_leave_room_for_others),
        cmocka_unit_test(no_connection_is_free),
        cmocka_unit_test(the_rate_limit_holds_in_every_second),
        cmocka_unit_test(a_rate_below_one_in_its_burst_still_lets_one_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
