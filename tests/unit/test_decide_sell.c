/* test_decide_sell.c - router/decide.c: money and turns. Who buys when budgets run out, and whose turn it is. */
#include "router/decide.h"
#include "router/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CONTRACTS = 4, LEADS_MOST = 12, OWNERS = CONTRACTS + 5 };
enum { BUYER_ONE = CONTRACTS, BUYER_TWO, SOURCE, SUPPLIER, CAMPAIGN };

/* A cap of the day; all zero: none. Of leads, or of cents, n + 1 stands for n. */
struct limit {
    int leads, cents;
};

/*
 * Contracts a, b, c, d in that order, a and b of buyer one, c and d of buyer two. A lead is a letter: '.' an ordinary one, 't' a
 * test lead. Wanted is a word for each: who bought, '-' unmatched, 'capped' rejected.
 */
static const struct {
    const char *claim;
    const char *leads, *want;
    int prices[CONTRACTS];       /* 0: the contract is paused */
    struct limit limits[OWNERS];
    struct cost cost;
    int max_sells;               /* 0: 1 */
    enum distribution distribution;
    int weights[CONTRACTS];
} rows[] = {
    {"a budget to the cent", "....", "a a a -", {2500}, .limits = {[0] = {0, 7501}}},
    {"a cent less than a price", "...", "a a -", {2500}, .limits = {[0] = {0, 7500}}},
    {"prices that do not divide it: a cheaper contract still fits", "....", "a b b -", {2500, 1000}, .limits = {[BUYER_ONE] = {0, 4901}}},
    {"the cheaper one may fill what is left", "...", "a b -", {2500, 700}, .limits = {[BUYER_ONE] = {0, 3201}}},
    {"the buyer's budget is over, another buyer goes on", "....", "a c c c", {2500, 0, 100}, .limits = {[BUYER_ONE] = {0, 2501}}},
    {"budget and leads together: leads are over first", "...", "a a -", {100}, .limits = {[0] = {3, 10001}}},
    {"budget and leads together: money is over first", "...", "a a -", {100}, .limits = {[0] = {100, 201}}},
    {"a budget of nothing", ".", "-", {100}, .limits = {[0] = {0, 1}}},
    {"each owner for itself", ".....", "a b c - -", {100, 90, 80}, .limits = {[0] = {0, 101}, [1] = {0, 91}, [2] = {0, 81}}},
    {"a test lead sees the budget and takes nothing", "tt.t", "a a a -", {100}, .limits = {[0] = {0, 101}}},

    {"the source's budget, at a fixed cost", "...", "a a capped", {2500}, .limits = {[SOURCE] = {0, 2001}}, .cost = {COST_FIXED, 1000, 0}},
    {"a cent less", "..", "a capped", {2500}, .limits = {[SOURCE] = {0, 2000}}, .cost = {COST_FIXED, 1000, 0}},
    {"the supplier's budget", "...", "a a capped", {2500}, .limits = {[SUPPLIER] = {0, 2900}}, .cost = {COST_FIXED, 1000, 0}},
    {"the supplier's leads", "...", "a a capped", {2500}, .limits = {[SUPPLIER] = {3, 0}}, .cost = {COST_FIXED, 1000, 0}},
    {"the campaign's leads", "...", "a a -", {2500}, .limits = {[CAMPAIGN] = {3, 0}}, .cost = {COST_FIXED, 1000, 0}},
    {"the campaign's budget", "...", "a a -", {2500}, .limits = {[CAMPAIGN] = {0, 2100}}, .cost = {COST_FIXED, 1000, 0}},
    {"a lead costs once, however many buy", "...", "a+c a+c capped", {2500, 0, 100}, .limits = {[SOURCE] = {0, 2001}}, .cost = {COST_FIXED, 1000, 0}, .max_sells = 2},
    {"a free source has no use for its budget", "...", "a a a", {2500}, .limits = {[SOURCE] = {0, 1}}, .cost = {COST_NONE, 0, 0}},
    {"a test lead is refused, too, and costs nothing", "t.tt", "a a capped capped", {2500}, .limits = {[SOURCE] = {0, 1001}}, .cost = {COST_FIXED, 1000, 0}},
    {"a full source is told even when nobody buys", "..", "a capped", {100}, .limits = {[0] = {2, 0}, [SOURCE] = {2, 0}}, .cost = {COST_FIXED, 10, 0}},

    {"a share of the revenue: a cheaper contract costs less and still fits", "....", "a c c capped", {1000, 0, 300}, .limits = {[SOURCE] = {0, 801}},
     .cost = {COST_REVENUE_SHARE, 0, 500000}},
    {"the same for the supplier's budget", "....", "a c c capped", {1000, 0, 300}, .limits = {[SUPPLIER] = {0, 801}}, .cost = {COST_REVENUE_SHARE, 0, 500000}},
    {"the same for the campaign's budget", "....", "a c c -", {1000, 0, 300}, .limits = {[CAMPAIGN] = {0, 801}}, .cost = {COST_REVENUE_SHARE, 0, 500000}},
    {"a second buyer whose share does not fit is passed over, the first is not", "...", "a+c a capped", {1000, 0, 300}, .limits = {[SOURCE] = {0, 1151}},
     .cost = {COST_REVENUE_SHARE, 0, 500000}, .max_sells = 2},
    {"the first one does not fit, the second does", "..", "c capped", {1000, 0, 300}, .limits = {[SOURCE] = {0, 151}}, .cost = {COST_REVENUE_SHARE, 0, 500000}, .max_sells = 2},
    {"half cents are rounded to even, on the sum: one alone costs nothing", "...", "a+c a+c a", {5, 0, 10}, .limits = {[SOURCE] = {0, 5}}, .cost = {COST_REVENUE_SHARE, 0, 100000}, .max_sells = 2},
    {"nobody would buy: the budget did not matter", "..", "a -", {1000}, .limits = {[0] = {2, 0}, [SOURCE] = {0, 501}}, .cost = {COST_REVENUE_SHARE, 0, 500000}},

    {"round robin", "......", "a b c a b c", {100, 100, 100}, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"round robin does not look at weights, prices or priorities", "....", "a c a c", {1, 0, 900}, .distribution = DISTRIBUTION_ROUND_ROBIN, .weights = {9, 9, 1}},
    {"weights", "..........", "a b c a a b a c b a", {100, 100, 100}, .distribution = DISTRIBUTION_WEIGHTED, .weights = {50, 30, 20}},
    {"test leads take no turn", "t.tt.t", "a a c c c a", {100, 0, 100}, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"who is full stands still, the others go on", ".......", "a b c b c b c", {100, 100, 100}, .limits = {[0] = {2, 0}}, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"a full buyer takes its contracts along", "......", "a b c d c d", {100, 100, 100, 100}, .limits = {[BUYER_ONE] = {3, 0}}, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"a budget that does not divide", "......", "a c a c c c", {300, 0, 100}, .limits = {[0] = {0, 801}}, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"two sells of three buyers' contracts", "....", "a+c b+d a+c b+d", {1, 1, 1, 1}, .max_sells = 2, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"money for one of two sells", "...", "a+c a capped", {100, 0, 100}, .limits = {[SOURCE] = {0, 151}}, .cost = {COST_REVENUE_SHARE, 0, 500000}, .max_sells = 2, .distribution = DISTRIBUTION_ROUND_ROBIN},
    {"a lead that is not sold takes no turn", "...", "a - -", {100, 0, 100}, .limits = {[CAMPAIGN] = {2, 0}}, .distribution = DISTRIBUTION_ROUND_ROBIN},
};

struct world {
    struct arena *arena;
    struct cap caps[OWNERS];
    struct counter counters[OWNERS];
    struct buyer buyers[2];
    struct contract contracts[CONTRACTS];
    struct supplier supplier;
    struct source source;
    struct campaign campaign;
    struct lead leads[LEADS_MOST];
    struct plan plans[LEADS_MOST];
    struct decision decisions[LEADS_MOST];
    struct facts facts;
};

static void own(struct world *world, struct cap_owner *owner, int place, struct limit limit)
{
    struct counter *counter = &world->counters[place];

    counter->id = 100 + place;
    map_put(world->facts.counters, (struct span){(const char *)&counter->id, sizeof counter->id}, counter);
    world->caps[place] = (struct cap){WINDOW_DAY, limit.leads - 1, limit.cents - 1};
    *owner = (struct cap_owner){&world->caps[place], limit.leads != 0 || limit.cents != 0, counter->id, 0};
}

static void open_world(struct world *world, size_t i)
{
    static const char ids[] = "abcd";
    int64_t now_us = INT64_C(1800000000000000);

    memset(world, 0, sizeof *world);
    world->arena = arena_new();
    world->facts = (struct facts){.now_us = now_us, .counters = map_new(), .holders = map_new(), .recorded = map_new(), .idempotent = map_new()};
    for (int n = 0; n < 2; n++) {
        world->buyers[n] = (struct buyer){.id = n == 0 ? SPAN("one") : SPAN("two"), .is_active = true, .url = ""};
        own(world, &world->buyers[n].caps, BUYER_ONE + n, rows[i].limits[BUYER_ONE + n]);
    }
    for (int n = 0; n < CONTRACTS; n++) {
        world->contracts[n] = (struct contract){.id = {&ids[n], 1}, .buyer = &world->buyers[n / 2], .is_active = rows[i].prices[n] > 0,
                                                .price_cents = rows[i].prices[n], .priority = n, .weight = rows[i].weights[n] > 0 ? rows[i].weights[n] : 1};
        own(world, &world->contracts[n].caps, n, rows[i].limits[n]);
    }
    world->supplier = (struct supplier){.id = SPAN("acme"), .is_active = true};
    world->source = (struct source){.supplier_id = SPAN("acme"), .supplier = &world->supplier, .is_active = true, .cost = rows[i].cost};
    world->campaign = (struct campaign){.id = SPAN("campaign"), .is_active = true, .contracts = world->contracts, .contract_count = CONTRACTS,
                                        .distribution = rows[i].distribution, .max_sells = rows[i].max_sells > 0 ? rows[i].max_sells : 1};
    own(world, &world->source.caps, SOURCE, rows[i].limits[SOURCE]);
    own(world, &world->supplier.caps, SUPPLIER, rows[i].limits[SUPPLIER]);
    own(world, &world->campaign.caps, CAMPAIGN, rows[i].limits[CAMPAIGN]);
    for (int n = 0; rows[i].leads[n] != '\0'; n++) {
        struct plan *plan = &world->plans[n];

        for (int byte = 0; byte < 6; byte++)
            world->leads[n].id.bytes[byte] = (uint8_t)(now_us / 1000 >> (40 - 8 * byte));
        world->leads[n].id.bytes[15] = (uint8_t)n;
        world->leads[n].supplier_id = SPAN("acme");
        world->leads[n].is_test = rows[i].leads[n] == 't';
        *plan = (struct plan){.lead = &world->leads[n], .campaign = &world->campaign, .source = &world->source, .verdict = REASON_NONE};
        plan->candidates = rank_candidates(world->arena, plan->campaign, &world->leads[n].fields, &plan->candidate_count, &plan->eligible_count);
    }
    decide_batch(world->arena, &world->facts, world->plans, strlen(rows[i].leads), world->decisions);
}

static void close_world(struct world *world)
{
    map_free(&world->facts.counters);
    map_free(&world->facts.holders);
    map_free(&world->facts.recorded);
    map_free(&world->facts.idempotent);
    arena_free(&world->arena);
}

static void say(const struct decision *decision, char *out)
{
    if (decision->state == LEAD_UNMATCHED)
        strcat(out, "-");
    else if (decision->state == LEAD_REJECTED)
        strcat(out, decision->reason == REASON_SOURCE_CAPPED && decision->full != NULL ? "capped" : "bad");
    for (size_t i = 0; i < decision->sale_count; i++) {
        strcat(out, i > 0 ? "+" : "");
        strncat(out, decision->sales[i].contract_id.ptr, 1);
    }
}

/* What holds whatever was decided: counters are the sums of the sales, no cap is passed, credits are what was owed. */
static void check_sums(const struct world *world, size_t i)
{
    int64_t leads[OWNERS] = {0}, cents[OWNERS] = {0}, credit = 0;

    for (size_t n = 0; n < strlen(rows[i].leads); n++) {
        const struct decision *decision = &world->decisions[n];

        if (decision->sale_count == 0 || decision->plan->lead->is_test)
            continue;
        for (int owner = SOURCE; owner <= CAMPAIGN; owner++) {
            leads[owner]++;
            cents[owner] += decision->cost_cents;
        }
        for (size_t j = 0; j < decision->sale_count; j++) {
            int contract = decision->sales[j].contract_id.ptr[0] - 'a', buyer = BUYER_ONE + contract / 2;

            leads[contract]++, leads[buyer]++;
            cents[contract] += decision->sales[j].price_cents;
            cents[buyer] += decision->sales[j].price_cents;
        }
    }
    for (int owner = 0; owner < OWNERS; owner++) {
        const struct counter *counter = &world->counters[owner];

        credit += counter->turn_credit;
        if (counter->leads[WINDOW_DAY] != leads[owner] || counter->cents[WINDOW_DAY] != cents[owner])
            fail_msg("%s: owner %d has counted %lld and %lld", rows[i].claim, owner, (long long)counter->leads[WINDOW_DAY], (long long)counter->cents[WINDOW_DAY]);
        assert_true(world->caps[owner].leads < 0 || leads[owner] <= world->caps[owner].leads);
        assert_true(world->caps[owner].cents < 0 || cents[owner] <= world->caps[owner].cents);
        assert_true(counter->is_changed || counter->turn_credit == 0);
    }
    assert_int_equal(credit, 0);
}

static void leads_are_sold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        char got[256] = "";

        open_world(&world, i);
        for (size_t n = 0; n < strlen(rows[i].leads); n++) {
            if (n > 0)
                strcat(got, " ");
            say(&world.decisions[n], got);
        }
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %s, not %s", rows[i].claim, got, rows[i].want);
        check_sums(&world, i);
        close_world(&world);
    }
}

/* The trail's reason for a contract of a lead. */
static void who_was_passed_over_is_told_why(void **state)
{
    static const struct {
        const char *claim;
        int lead;
        const char *contract;
        enum pass want;
    } told[] = {
        {"a cent less than a price", 2, "a", PASS_CONTRACT_CAP},
        {"prices that do not divide it: a cheaper contract still fits", 1, "a", PASS_BUYER_CAP},
        {"the campaign's leads", 2, "a", PASS_CAMPAIGN_CAP},
        {"the campaign's budget", 2, "a", PASS_CAMPAIGN_CAP},
        {"a share of the revenue: a cheaper contract costs less and still fits", 1, "a", PASS_SOURCE_CAP},
        {"the same for the supplier's budget", 1, "a", PASS_SUPPLIER_CAP},
        {"the same for the campaign's budget", 1, "a", PASS_CAMPAIGN_CAP},
        {"a second buyer whose share does not fit is passed over, the first is not", 1, "c", PASS_SOURCE_CAP},
        {"round robin", 1, "a", PASS_SOLD_OUT},
        {"who is full stands still, the others go on", 1, "a", PASS_CONTRACT_CAP},
        {"two sells of three buyers' contracts", 0, "b", PASS_SAME_BUYER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const struct plan *plan;
        struct world world;
        size_t row = 0;
        bool is_seen = false;

        while (strcmp(rows[row].claim, told[i].claim) != 0)
            row++;
        open_world(&world, row);
        plan = &world.plans[told[i].lead];
        for (size_t j = 0; j < plan->candidate_count; j++) {
            const struct candidate *candidate = &plan->candidates[j];

            if (!span_is(candidate->contract->id, told[i].contract))
                continue;
            is_seen = true;
            if (candidate->pass != told[i].want)
                fail_msg("%s: %s", told[i].claim, pass_word(candidate->pass));
            assert_true((candidate->full != NULL) == (candidate->pass != PASS_SOLD_OUT && candidate->pass != PASS_SAME_BUYER));
        }
        assert_true(is_seen);
        close_world(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_are_sold),
        cmocka_unit_test(who_was_passed_over_is_told_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
