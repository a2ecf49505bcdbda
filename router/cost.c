#include "router/cost.h"

#include "proto/money.h"

int64_t cost_cents(const struct cost *cost, int64_t price_cents)
{
    switch (cost->mode) {
    case COST_NONE:
        return 0;
    case COST_FIXED:
        return cost->cents;
    case COST_REVENUE_SHARE:
        return money_share(price_cents, cost->share_millionths);
    }
    return 0;
}

int64_t cost_least(const struct cost *cost)
{
    return cost->mode == COST_FIXED ? cost->cents : 0;
}
