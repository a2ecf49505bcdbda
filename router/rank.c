#include "router/rank.h"

#include <stdlib.h>

static const char *const words[] = {
    [PASS_NONE] = "", [PASS_CONTRACT_PAUSED] = "contract_paused", [PASS_BUYER_PAUSED] = "buyer_paused",
    [PASS_STATE] = "state", [PASS_ZIP] = "zip", [PASS_CONTRACT_CAP] = "contract_cap", [PASS_BUYER_CAP] = "buyer_cap",
    [PASS_SOURCE_CAP] = "source_cap", [PASS_SUPPLIER_CAP] = "supplier_cap", [PASS_CAMPAIGN_CAP] = "campaign_cap",
    [PASS_SAME_BUYER] = "same_buyer", [PASS_SOLD_OUT] = "sold_out",
};

const char *pass_word(enum pass pass)
{
    return words[pass];
}

static bool has_state(const struct contract *contract, const struct field *state)
{
    for (size_t i = 0; i < contract->state_count; i++)
        if (state != NULL && span_equal(contract->states[i], state->text))
            return true;
    return contract->state_count == 0;
}

static bool has_zip(const struct contract *contract, const struct field *zip)
{
    for (size_t i = 0; i < contract->zip_count; i++)
        if (zip != NULL && span_starts(zip->text, contract->zips[i]))
            return true;
    return contract->zip_count == 0;
}

static enum pass judge(const struct contract *contract, const struct field *state, const struct field *zip)
{
    if (!contract->is_active)
        return PASS_CONTRACT_PAUSED;
    if (!contract->buyer->is_active)
        return PASS_BUYER_PAUSED;
    if (!has_state(contract, state))
        return PASS_STATE;
    if (!has_zip(contract, zip))
        return PASS_ZIP;
    return PASS_NONE;
}

/* SPEC.md, 6: priority, lowest first; ties: higher price, then id. */
static int by_waterfall(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->contract->priority != y->contract->priority)
        return x->contract->priority < y->contract->priority ? -1 : 1;
    if (x->price_cents != y->price_cents)
        return x->price_cents > y->price_cents ? -1 : 1;
    return span_compare(x->contract->id, y->contract->id);
}

/* SPEC.md, 6: price, highest first; ties: priority, then id. */
static int by_highest_bid(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->price_cents != y->price_cents)
        return x->price_cents > y->price_cents ? -1 : 1;
    if (x->contract->priority != y->contract->priority)
        return x->contract->priority < y->contract->priority ? -1 : 1;
    return span_compare(x->contract->id, y->contract->id);
}

struct candidate *rank_candidates(struct arena *arena, const struct campaign *campaign, const struct field_list *fields,
                                  size_t *count, size_t *eligible)
{
    struct candidate *list = arena_alloc(arena, campaign->contract_count * sizeof *list);
    const struct field *state = field_find(fields, SPAN("state")), *zip = field_find(fields, SPAN("zip_code"));
    size_t end = campaign->contract_count;

    *count = campaign->contract_count;
    *eligible = 0;
    for (size_t i = 0; i < campaign->contract_count; i++) {
        const struct contract *contract = &campaign->contracts[i];
        enum pass pass = judge(contract, state, zip);

        list[pass == PASS_NONE ? (*eligible)++ : --end] = (struct candidate){contract, contract->price_cents, pass, NULL};
    }
    qsort(list, *eligible, sizeof *list, campaign->distribution == DISTRIBUTION_HIGHEST_BID ? by_highest_bid : by_waterfall);
    return list;
}
