#include "router/rank.h"

#include "proto/filter.h"

#include <stdlib.h>

static const char *const words[] = {
    [PASS_NONE] = "", [PASS_CONTRACT_PAUSED] = "contract_paused", [PASS_BUYER_PAUSED] = "buyer_paused",
    [PASS_ENDPOINT_OFF] = "endpoint_off",
    [PASS_STATE] = "state", [PASS_ZIP] = "zip", [PASS_FILTER] = "filter", [PASS_SCHEDULE] = "schedule",
    [PASS_SUPPRESSED] = "suppressed", [PASS_DUPLICATE] = "duplicate", [PASS_CONTRACT_CAP] = "contract_cap", [PASS_BUYER_CAP] = "buyer_cap",
    [PASS_SOURCE_CAP] = "source_cap", [PASS_SUPPLIER_CAP] = "supplier_cap", [PASS_CAMPAIGN_CAP] = "campaign_cap",
    [PASS_OTHER_BUYER] = "other_buyer", [PASS_NOT_OFFERED] = "not_offered", [PASS_NO_BID] = "no_bid", [PASS_EXCLUSIVE] = "exclusive",
    [PASS_SAME_BUYER] = "same_buyer", [PASS_SOLD_OUT] = "sold_out",
    [PASS_NO_ENDPOINT] = "no_endpoint", [PASS_NO_TIME] = "no_time", [PASS_ASKED] = "", [PASS_LATER] = "",
};

const char *pass_word(enum pass pass)
{
    return words[pass];
}

bool pass_is_full(enum pass pass)
{
    switch (pass) {
    case PASS_CONTRACT_CAP:
    case PASS_BUYER_CAP:
    case PASS_SOURCE_CAP:
    case PASS_SUPPLIER_CAP:
    case PASS_CAMPAIGN_CAP:
        return true;
    case PASS_NONE:
    case PASS_CONTRACT_PAUSED:
    case PASS_BUYER_PAUSED:
    case PASS_STATE:
    case PASS_ZIP:
    case PASS_FILTER:
    case PASS_SCHEDULE:
    case PASS_SUPPRESSED:
    case PASS_ENDPOINT_OFF:
    case PASS_NO_ENDPOINT:
    case PASS_NO_TIME:
    case PASS_ASKED:
    case PASS_LATER:
    case PASS_OTHER_BUYER:
    case PASS_NOT_OFFERED:
    case PASS_NO_BID:
    case PASS_DUPLICATE:
    case PASS_EXCLUSIVE:
    case PASS_SAME_BUYER:
    case PASS_SOLD_OUT:
        break;
    }
    return false;
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
    if (contract->buyer->is_endpoint_off)
        return PASS_ENDPOINT_OFF;
    if (!has_state(contract, state))
        return PASS_STATE;
    if (!has_zip(contract, zip))
        return PASS_ZIP;
    return PASS_NONE;
}

/* Rules --------------------------------------------------------------------------------------------------------------- */

enum { FAILURES_TOLD = 3 };

/* "age >=, state IN" */
static struct span failures_text(struct arena *arena, const struct filter_failures *failures)
{
    struct span text = SPAN("");

    for (size_t i = 0; i < failures->count; i++)
        text = arena_printf(arena, "%.*s%s%.*s %s", SPAN_FMT(text), i > 0 ? ", " : "", SPAN_FMT(failures->rules[i]->field_name),
                            filter_op_word(failures->rules[i]->op));
    return text;
}

static enum pass judge_filters(struct candidate *candidate, struct filter_view *view)
{
    const struct filter *rules[FAILURES_TOLD];
    struct filter_failures failures = {rules, FAILURES_TOLD, 0};

    if (filter_judge(candidate->contract->filters, view, &failures))
        return PASS_NONE;
    candidate->detail = failures_text(view->arena, &failures);
    return PASS_FILTER;
}

static void set_price(struct candidate *candidate, struct filter_view *view)
{
    const struct contract *contract = candidate->contract;

    if (candidate->is_fixed)
        return;
    for (size_t i = 0; i < contract->price_rule_count; i++)
        if (filter_matches(contract->price_rules[i].filter, view)) {
            candidate->price_cents = contract->price_rules[i].price_cents;
            return;
        }
}

/* What the rules say at any time. */
static enum pass judge_rules(struct candidate *candidate, struct filter_view *view)
{
    const struct contract *contract = candidate->contract;
    enum pass pass = contract->filters != NULL && !contract->filters->is_timed ? judge_filters(candidate, view) : PASS_NONE;

    if (pass == PASS_NONE && !contract->is_timed)
        set_price(candidate, view);
    return pass;
}

/* What they say at the view's moment. */
static enum pass judge_timed(struct candidate *candidate, struct filter_view *view)
{
    const struct contract *contract = candidate->contract;
    const struct zone *zone = contract->buyer->zone;
    char text[MOMENT_TEXT_BYTES];
    enum pass pass = PASS_NONE;

    if (contract->schedule != NULL && !schedule_is_open(contract->schedule, &view->now)) {
        candidate->detail = arena_printf(view->arena, "%s %.*s", moment_text(&view->now, text), SPAN_FMT(zone != NULL ? zone->name : SPAN("UTC")));
        return PASS_SCHEDULE;
    }
    if (contract->filters != NULL && contract->filters->is_timed)
        pass = judge_filters(candidate, view);
    if (pass == PASS_NONE)
        set_price(candidate, view);
    return pass;
}

/* Order --------------------------------------------------------------------------------------------------------------- */

/* Whoever is passed over comes last; offers come as they were offered. */
static int by_pass(const struct candidate *x, const struct candidate *y)
{
    if ((x->pass != PASS_NONE) != (y->pass != PASS_NONE))
        return x->pass != PASS_NONE ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

/* SPEC.md, 6: priority, lowest first; ties: higher price, then id. */
static int by_waterfall(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (by_pass(x, y) != 0)
        return by_pass(x, y);
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

    if (by_pass(x, y) != 0)
        return by_pass(x, y);
    if (x->price_cents != y->price_cents)
        return x->price_cents > y->price_cents ? -1 : 1;
    if (x->contract->priority != y->contract->priority)
        return x->contract->priority < y->contract->priority ? -1 : 1;
    return span_compare(x->contract->id, y->contract->id);
}

void rank_order(const struct campaign *campaign, struct candidate *list, size_t eligible)
{
    if (eligible > 0)
        qsort(list, eligible, sizeof *list, campaign->distribution == DISTRIBUTION_HIGHEST_BID ? by_highest_bid : by_waterfall);
}

static void reverse(struct candidate *list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct candidate other = list[i];

        list[i] = list[count - 1 - i];
        list[count - 1 - i] = other;
    }
}

struct candidate *rank_candidates(struct arena *arena, const struct campaign *campaign, const struct field_list *fields,
                                  size_t *count, size_t *eligible)
{
    struct candidate *list = arena_alloc(arena, campaign->contract_count * sizeof *list);
    const struct field *state = field_find(fields, SPAN("state")), *zip = field_find(fields, SPAN("zip_code"));
    struct filter_view view = {.arena = arena, .values = campaign->has_rules ? filter_values(arena, campaign, fields) : NULL};
    size_t end = campaign->contract_count;

    *count = campaign->contract_count;
    *eligible = 0;
    for (size_t i = 0; i < campaign->contract_count; i++) {
        const struct contract *contract = &campaign->contracts[i];
        struct candidate candidate = {.contract = contract, .price_cents = contract->price_cents,
                                      .exclusive_cents = contract->exclusive_cents, .pass = judge(contract, state, zip)};

        if (candidate.pass == PASS_NONE && campaign->has_rules) {
            view.gave_up = 0;
            candidate.pass = judge_rules(&candidate, &view);
            candidate.gave_up = view.gave_up;
        }
        list[candidate.pass == PASS_NONE ? (*eligible)++ : --end] = candidate;
    }
    rank_order(campaign, list, *eligible);
    reverse(list + *eligible, *count - *eligible);
    return list;
}

void rank_at(struct arena *arena, const struct campaign *campaign, const struct field_list *fields, int64_t now_us,
             struct candidate *list, size_t eligible)
{
    struct filter_view view = {.arena = arena};

    if (!campaign->is_timed)
        return;
    view.values = campaign->has_rules ? filter_values(arena, campaign, fields) : NULL;
    for (size_t i = 0; i < eligible; i++) {
        if (!list[i].contract->is_timed)
            continue;
        view.now = moment_at(list[i].contract->buyer->zone, now_us);
        view.gave_up = 0;
        list[i].pass = judge_timed(&list[i], &view);
        list[i].gave_up += view.gave_up;
    }
    rank_order(campaign, list, eligible);
}
