/* test_cost.c - router/cost.c: what a supplier gets. */
#include "router/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *claim;
    struct cost cost;
    int64_t price_cents, want;
} rows[] = {
    {"nothing", {COST_NONE, 0, 0}, 2500, 0},
    {"nothing, whatever stands beside", {COST_NONE, 1000, 125000}, 2500, 0},
    {"always the same", {COST_FIXED, 1000, 0}, 2500, 1000},
    {"the same when the price is lower", {COST_FIXED, 1000, 0}, 1, 1000},
    {"a share", {COST_REVENUE_SHARE, 0, 500000}, 2500, 1250},
    {"a share of 12.5 %, half to even: down", {COST_REVENUE_SHARE, 0, 125000}, 2500, 312},
    {"a share of 12.5 %, half to even: up", {COST_REVENUE_SHARE, 0, 125000}, 2508, 314},
    {"a share of nothing", {COST_REVENUE_SHARE, 0, 125000}, 0, 0},
    {"all of it", {COST_REVENUE_SHARE, 0, 1000000}, 4999, 4999},
};

static void costs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (cost_cents(&rows[i].cost, rows[i].price_cents) != rows[i].want)
            fail_msg("%s: %lld", rows[i].claim, (long long)cost_cents(&rows[i].cost, rows[i].price_cents));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(costs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
