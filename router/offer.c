#include "router/offer.h"

#include <stdlib.h>

static int by_place(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

/* Puts those that are passed over now behind the others, whose order stays. */
static void part(struct candidate *list, size_t *eligible)
{
    size_t kept = 0;

    for (size_t i = 0; i < *eligible; i++) {
        struct candidate candidate = list[i];

        if (candidate.pass != PASS_NONE)
            continue;
        for (size_t j = i; j > kept; j--)
            list[j] = list[j - 1];
        list[kept++] = candidate;
    }
    *eligible = kept;
}

static size_t place_of(const struct ping_token *ping, const struct contract *contract)
{
    for (size_t i = 0; i < ping->offer_count; i++)
        if (span_equal(ping->offers[i].contract_id, contract->id))
            return i + 1;
    return 0;
}

void offer_lock(const struct ping_token *ping, struct candidate *list, size_t *eligible)
{
    for (size_t i = 0; i < *eligible; i++) {
        list[i].place = place_of(ping, list[i].contract);
        if (list[i].place == 0)
            list[i].pass = PASS_NOT_OFFERED;
        else
            list[i].price_cents = ping->offers[list[i].place - 1].price_cents;
    }
    part(list, eligible);
    if (*eligible > 0)
        qsort(list, *eligible, sizeof *list, by_place);
}

void offer_only(struct span buyer_id, struct candidate *list, size_t *eligible)
{
    for (size_t i = 0; i < *eligible; i++)
        if (!span_equal(list[i].contract->buyer->id, buyer_id))
            list[i].pass = PASS_OTHER_BUYER;
    part(list, eligible);
}
