/* test_turn.c - router/turn.c: shares are exact, nobody catches up, nobody starves. */
#include "router/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

/* Contracts a, b, c, …: what a database would keep of them, and what they have bought. */
struct market {
    int count;
    int64_t weights[MOST];
    int64_t credits[MOST];
    int64_t bought[MOST];
    char ids[MOST], buyers[MOST];
    char last; /* who bought first of the last lead */
};

static void open_market(struct market *market, int count, const int64_t *weights)
{
    *market = (struct market){.count = count};
    for (int i = 0; i < count; i++) {
        market->weights[i] = weights[i];
        market->ids[i] = market->buyers[i] = (char)('a' + i);
    }
}

/* Sells a lead to the first of the eligible (a bit each) that have not bought it. */
static void sell(struct market *market, unsigned eligible, int64_t sells)
{
    struct arena *arena = arena_new();
    struct turn turns[MOST];
    char seen[MOST + 1] = "";
    size_t count = 0;
    int64_t sum = 0, owes;

    for (int i = 0; i < market->count; i++)
        if (eligible >> i & 1)
            turns[count++] = (struct turn){.contract_id = {&market->ids[i], 1}, .buyer_id = {&market->buyers[i], 1},
                                           .weight = market->weights[i], .credit = market->credits[i], .place = (size_t)i};
    owes = turn_owe(arena, turns, count, sells);
    for (size_t i = 0; i < count; i++) {
        int place = (int)turns[i].place;

        sum += turns[i].owed - market->credits[place];
        assert_true(turns[i].owed >= market->credits[place] && turns[i].owed <= market->credits[place] + TURN_UNIT + 1);
        market->credits[place] = turns[i].owed;
        if (i == 0)
            market->last = market->ids[place];
        if ((int64_t)strlen(seen) < owes && strchr(seen, market->buyers[place]) == NULL) {
            seen[strlen(seen)] = market->buyers[place];
            market->credits[place] -= TURN_UNIT;
            market->bought[place]++;
        }
    }
    assert_int_equal(sum, owes * TURN_UNIT);
    assert_int_equal(strlen(seen), owes);
    arena_free(&arena);
}

/* How far, in leads, is this contract off its share of so many leads? More than 0: behind. */
static double off(const struct market *market, int i, int64_t leads)
{
    int64_t sum = 0;

    for (int j = 0; j < market->count; j++)
        sum += market->weights[j];
    return (double)leads * (double)market->weights[i] / (double)sum - (double)market->bought[i];
}

static const struct {
    const char *claim;
    int count;
    int64_t weights[MOST];
    int leads;
    int64_t want[MOST]; /* bought after these leads */
} share_rows[] = {
    {"50/30/20 of 1,000", 3, {50, 30, 20}, 1000, {500, 300, 200}},
    {"50/30/20 of 10: the same every ten leads", 3, {50, 30, 20}, 10, {5, 3, 2}},
    {"equal weights", 4, {7, 7, 7, 7}, 1000, {250, 250, 250, 250}},
    {"one alone", 1, {3}, 5, {5}},
    {"ninety-nine to one", 2, {99, 1}, 1000, {990, 10}},
    {"thirds do not divide 1,000: the first by id are ahead", 3, {1, 1, 1}, 1000, {334, 333, 333}},
    {"a million to one", 2, {1000000, 1}, 1000001, {1000000, 1}},
    {"weights that divide nothing", 3, {97, 89, 83}, 269000, {97000, 89000, 83000}},
    {"primes over the unit's", 2, {41, 43}, 84000, {41000, 43000}},
};

static void shares_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof share_rows / sizeof *share_rows; i++) {
        struct market market;

        open_market(&market, share_rows[i].count, share_rows[i].weights);
        for (int lead = 1; lead <= share_rows[i].leads; lead++) {
            sell(&market, ~0u, 1);
            for (int j = 0; j < market.count; j++)
                if (off(&market, j, lead) > 1 || off(&market, j, lead) < -1)
                    fail_msg("%s: %c is %f off after %d leads", share_rows[i].claim, 'a' + j, off(&market, j, lead), lead);
        }
        for (int j = 0; j < market.count; j++)
            if (market.bought[j] != share_rows[i].want[j])
                fail_msg("%s: %c bought %lld", share_rows[i].claim, 'a' + j, (long long)market.bought[j]);
    }
}

static void any_weights_stay_near(void **state)
{
    (void)state;
    srandom(4701);
    for (int round = 0; round < 300; round++) {
        int count = 2 + round % 9;
        double most = count <= 3 ? 1 : 1.5; /* behind; nobody is ever a lead ahead */
        int64_t weights[MOST];
        struct market market;

        for (int i = 0; i < count; i++)
            weights[i] = round % 2 ? 1 + random() % 100 : (int64_t[]){1, 1, 5, 10, 100}[random() % 5];
        open_market(&market, count, weights);
        for (int lead = 1; lead <= 500; lead++) {
            sell(&market, ~0u, 1);
            for (int i = 0; i < count; i++)
                assert_true(off(&market, i, lead) < most && off(&market, i, lead) > -1);
        }
    }
}

static void nothing_drifts(void **state)
{
    static const int64_t weights[] = {47, 43, 41};
    struct market market;

    (void)state;
    open_market(&market, 3, weights);
    for (int lead = 1; lead <= 131 * 1000; lead++)
        sell(&market, ~0u, 1);
    assert_int_equal(market.credits[0] + market.credits[1] + market.credits[2], 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(market.bought[i], weights[i] * 1000);
        assert_true(llabs(market.credits[i]) <= 131 * 1000); /* a unit a lead, of 10^14 */
    }
}

static void equal_weights_go_round(void **state)
{
    static const int64_t weights[] = {1, 1, 1};
    struct market market;
    char order[10] = "";

    (void)state;
    open_market(&market, 3, weights);
    for (int i = 0; i < 9; i++) {
        sell(&market, 7, 1);
        order[i] = market.last;
    }
    assert_string_equal(order, "abcabcabc");
}

static void who_drops_out_leaves_the_others_in_proportion(void **state)
{
    static const int64_t weights[] = {50, 30, 20};
    struct market market;

    (void)state;
    open_market(&market, 3, weights);
    for (int lead = 1; lead <= 137; lead++)
        sell(&market, 7, 1);
    memset(market.bought, 0, sizeof market.bought);
    for (int lead = 1; lead <= 500; lead++) {
        sell(&market, 6, 1);
        assert_true(llabs(market.bought[1] * 50 - lead * 30) < 2 * 50);
    }
    assert_int_equal(market.bought[0], 0);
    assert_true(llabs(market.bought[1] - 300) <= 1 && llabs(market.bought[2] - 200) <= 1);
}

static void who_comes_back_does_not_catch_up(void **state)
{
    static const int64_t weights[] = {1, 1, 1};
    struct market market;

    (void)state;
    open_market(&market, 3, weights);
    for (int lead = 0; lead < 10; lead++)
        sell(&market, 7, 1);
    for (int lead = 0; lead < 1001; lead++)
        sell(&market, 6, 1);
    memset(market.bought, 0, sizeof market.bought);
    for (int lead = 1; lead <= 300; lead++) {
        sell(&market, 7, 1);
        for (int i = 0; i < 3; i++)
            assert_true(llabs(3 * market.bought[i] - lead) <= 2 * 3);
    }
    for (int i = 0; i < 3; i++)
        assert_true(llabs(market.bought[i] - 100) <= 1);
}

static void who_comes_and_goes_does_not_starve(void **state)
{
    static const struct {
        const char *claim;
        int64_t weights[3];
        unsigned eligible[4]; /* by lead, in turn; 0: the end */
        double want[3];       /* of each round of them */
    } rows[] = {
        {"b every second lead", {1, 1}, {1, 3}, {1.5, 0.5}},
        {"b every second lead, a the others only", {1, 1}, {1, 2}, {1, 1}},
        {"b is light and comes every second lead", {9, 1}, {1, 3}, {1.9, 0.1}},
        {"a and b, b and c, c and a", {1, 1, 1}, {3, 6, 5}, {1, 1, 1}},
        {"all, then two", {50, 30, 20}, {7, 6}, {0.5, 0.9, 0.6}},
        {"b every fourth lead", {1, 1, 1}, {5, 5, 5, 7}, {1.5 + 1. / 3, 1. / 3, 1.5 + 1. / 3}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct market market;
        int length = 0, rounds = 1000;

        while (length < 4 && rows[i].eligible[length] != 0)
            length++;
        open_market(&market, 3, rows[i].weights);
        for (int lead = 0; lead < rounds * length; lead++)
            sell(&market, rows[i].eligible[lead % length], 1);
        for (int j = 0; j < 3; j++)
            if (market.bought[j] - rows[i].want[j] * rounds > 2 || market.bought[j] - rows[i].want[j] * rounds < -2)
                fail_msg("%s: %c bought %lld", rows[i].claim, 'a' + j, (long long)market.bought[j]);
    }
}

static const struct {
    const char *claim;
    int count;
    int64_t weights[MOST];
    const char *buyers;
    int64_t sells;
    int leads;
    int64_t want[MOST];
} many_rows[] = {
    {"two sells of three equals", 3, {1, 1, 1}, "abc", 2, 300, {200, 200, 200}},
    {"two sells, two contracts: both, always", 2, {90, 10}, "ab", 2, 100, {100, 100}},
    {"more sells than contracts", 2, {90, 10}, "ab", 9, 100, {100, 100}},
    {"one so heavy that it buys every lead; the others share the second place", 3, {98, 1, 1}, "abc", 2, 100, {100, 50, 50}},
    {"a share of exactly one", 3, {2, 1, 1}, "abc", 2, 100, {100, 50, 50}},
    {"two sells by weight, nobody too heavy", 4, {40, 30, 20, 10}, "abcd", 2, 1000, {800, 600, 400, 200}},
    {"the second heaviest is too heavy once the first has its part", 4, {100, 10, 1, 1}, "abcd", 3, 100, {100, 100, 50, 50}},
    {"two contracts of one buyer share its part", 3, {1, 1, 1}, "aab", 2, 100, {50, 50, 100}},
    {"two contracts of one buyer, by weight", 3, {3, 1, 1}, "aab", 2, 100, {75, 25, 100}},
    {"one sale: buyers do not matter", 3, {2, 1, 1}, "aab", 1, 100, {50, 25, 25}},
};

static void several_sells_owe_as_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof many_rows / sizeof *many_rows; i++) {
        struct market market;

        open_market(&market, many_rows[i].count, many_rows[i].weights);
        memcpy(market.buyers, many_rows[i].buyers, (size_t)market.count);
        for (int lead = 0; lead < many_rows[i].leads; lead++)
            sell(&market, ~0u, many_rows[i].sells);
        for (int j = 0; j < market.count; j++)
            if (llabs(market.bought[j] - many_rows[i].want[j]) > 1 || llabs(market.credits[j]) >= 2 * TURN_UNIT)
                fail_msg("%s: %c bought %lld", many_rows[i].claim, 'a' + j, (long long)market.bought[j]);
    }
}

/* Nobody is eligible; and a thousand contracts of the greatest weight. */
static void the_ends_of_the_range(void **state)
{
    static struct turn turns[1000];
    static char ids[1000][4];
    struct arena *arena = arena_new();
    int64_t sum = 0;

    (void)state;
    assert_int_equal(turn_owe(arena, turns, 0, 1), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(ids[i], sizeof ids[i], "%03d", i);
        turns[i] = (struct turn){.contract_id = {ids[i], 3}, .buyer_id = {ids[i], 3}, .weight = 1000000};
    }
    assert_int_equal(turn_owe(arena, turns, 1000, 100), 100);
    for (int i = 0; i < 1000; i++)
        sum += turns[i].owed;
    assert_int_equal(sum, 100 * TURN_UNIT);
    assert_memory_equal(turns[0].contract_id.ptr, "000", 3);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_exact),
        cmocka_unit_test(any_weights_stay_near),
        cmocka_unit_test(nothing_drifts),
        cmocka_unit_test(equal_weights_go_round),
        cmocka_unit_test(who_drops_out_leaves_the_others_in_proportion),
        cmocka_unit_test(who_comes_back_does_not_catch_up),
        cmocka_unit_test(who_comes_and_goes_does_not_starve),
        cmocka_unit_test(several_sells_owe_as_many),
        cmocka_unit_test(the_ends_of_the_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
