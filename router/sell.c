#include "router/sell.h"

#include "router/cost.h"
#include "router/duplicate.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

const struct cap *sell_full_cap(const struct facts *facts, const struct cap_owner *owner, int64_t leads, int64_t cents)
{
    const struct counter *counter = facts_counter(facts, &owner->counter_id);

    return counter != NULL ? caps_full(owner, counter, leads, cents) : NULL;
}

void sell_take(const struct facts *facts, const struct cap_owner *owner, int64_t cents)
{
    struct counter *counter = facts_counter(facts, &owner->counter_id);

    if (counter != NULL)
        counter_change(counter, 1, cents, COUNTED_NOW);
}

static bool has_buyer(const struct decision *decision, const struct buyer *buyer)
{
    for (size_t i = 0; i < decision->sale_count; i++)
        if (span_equal(decision->sales[i].buyer_id, buyer->id))
            return true;
    return false;
}

/* What the supplier would get if this one bought, too, and who has no room for that. */
static enum pass judge_cost(const struct facts *facts, const struct decision *decision, struct candidate *candidate)
{
    const struct plan *plan = decision->plan;
    int64_t cents = cost_cents(&plan->source->cost, decision->price_cents + candidate->price_cents) - decision->counted_cents;
    int64_t leads = decision->is_counted ? 0 : 1;

    candidate->full = sell_full_cap(facts, &plan->source->caps, leads, cents);
    if (candidate->full != NULL)
        return PASS_SOURCE_CAP;
    candidate->full = sell_full_cap(facts, &plan->source->supplier->caps, leads, cents);
    if (candidate->full != NULL)
        return PASS_SUPPLIER_CAP;
    candidate->full = sell_full_cap(facts, &plan->campaign->caps, leads, cents);
    return candidate->full != NULL ? PASS_CAMPAIGN_CAP : PASS_NONE;
}

enum pass sell_judge(struct arena *arena, const struct facts *facts, const struct decision *decision, struct candidate *candidate)
{
    if ((int64_t)decision->sale_count >= decision->plan->campaign->max_sells)
        return PASS_SOLD_OUT;
    if (has_buyer(decision, candidate->contract->buyer))
        return PASS_SAME_BUYER;
    if (decision->plan->campaign->is_confirmed && candidate->contract->buyer->url[0] == '\0')
        return PASS_NO_ENDPOINT;
    if (!duplicate_judge_contract(arena, facts, &decision->plan->lead->id, candidate))
        return PASS_DUPLICATE;
    candidate->full = sell_full_cap(facts, &candidate->contract->caps, 1, candidate->price_cents);
    if (candidate->full != NULL)
        return PASS_CONTRACT_CAP;
    candidate->full = sell_full_cap(facts, &candidate->contract->buyer->caps, 1, candidate->price_cents);
    if (candidate->full != NULL)
        return PASS_BUYER_CAP;
    return judge_cost(facts, decision, candidate);
}

static int by_place(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

struct turn sell_turn(const struct facts *facts, const struct plan *plan, size_t place)
{
    const struct contract *contract = plan->candidates[place].contract;

    return (struct turn){
        .contract_id = contract->id, .buyer_id = contract->buyer->id, .place = place,
        .weight = plan->campaign->distribution == DISTRIBUTION_WEIGHTED ? contract->weight : 1,
        .credit = facts_counter(facts, &contract->caps.counter_id)->turn_credit,
    };
}

/*
 * Sorts the candidates that have room by their turns (those of a ping as they were offered), in front of those that have none, which
 * stay in their order.
 */
static void take_turns(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns)
{
    const struct plan *plan = decision->plan;
    struct candidate *sorted = arena_alloc(arena, plan->eligible_count * sizeof *sorted);
    struct candidate *passed = arena_alloc(arena, plan->eligible_count * sizeof *passed);
    size_t count = 0, passed_count = 0;

    turns->list = arena_alloc(arena, plan->eligible_count * sizeof *turns->list);
    for (size_t i = 0; i < plan->eligible_count; i++) {
        struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass == PASS_NONE)
            candidate->pass = sell_judge(arena, facts, decision, candidate);
        if (candidate->pass != PASS_NONE)
            passed[passed_count++] = *candidate;
        else
            turns->list[count++] = sell_turn(facts, plan, i);
    }
    turns->count = count;
    turns->owes = turn_owe(arena, turns->list, count, plan->campaign->max_sells);
    if (plan->ping != NULL && count > 0)
        qsort(turns->list, count, sizeof *turns->list, by_place);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = plan->candidates[turns->list[i].place];
        turns->list[i].place = i;
    }
    if (count > 0)
        memcpy(plan->candidates, sorted, count * sizeof *sorted);
    if (passed_count > 0)
        memcpy(plan->candidates + count, passed, passed_count * sizeof *passed);
}

size_t sell_order(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns)
{
    const struct plan *plan = decision->plan;

    rank_at(arena, plan->campaign, &plan->lead->fields, facts->now_us, plan->candidates, plan->eligible_count);
    if (!distribution_has_turns(plan->campaign->distribution))
        return plan->eligible_count;
    take_turns(arena, facts, decision, turns);
    return turns->count;
}

bool sell_has_bought(const struct decision *decision, struct span contract_id)
{
    for (size_t i = 0; i < decision->sale_count; i++)
        if (span_equal(decision->sales[i].contract_id, contract_id))
            return true;
    return false;
}

void sell_pay_turns(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns)
{
    int64_t sold = 0;

    for (size_t i = 0; i < turns->count; i++)
        sold += sell_has_bought(decision, turns->list[i].contract_id);
    if (turns->owes != sold)
        turn_owe(arena, turns->list, turns->count, sold);
    for (size_t i = 0; sold > 0 && i < turns->count; i++) {
        const struct contract *contract = decision->plan->candidates[turns->list[i].place].contract;
        struct counter *counter = facts_counter(facts, &contract->caps.counter_id);

        counter->turn_credit = turns->list[i].owed - (sell_has_bought(decision, contract->id) ? TURN_UNIT : 0);
        counter->is_changed = true;
    }
}

void sell_to_nobody(struct decision *decision)
{
    const struct plan *plan = decision->plan;

    for (size_t i = 0; i < plan->eligible_count; i++) {
        const struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass != PASS_SOURCE_CAP && candidate->pass != PASS_SUPPLIER_CAP)
            continue;
        decision->state = LEAD_REJECTED;
        decision->reason = REASON_SOURCE_CAPPED;
        decision->whose = candidate->pass == PASS_SOURCE_CAP ? "source" : "supplier";
        decision->full = candidate->full;
        return;
    }
    decision->state = LEAD_UNMATCHED;
    decision->reason = REASON_UNMATCHED;
}

void sell_use_ping(struct arena *arena, struct facts *facts, const struct decision *decision, struct span buyer_id)
{
    const struct plan *plan = decision->plan;
    struct ping_use *use;

    if (plan->ping == NULL)
        return;
    use = arena_alloc(arena, sizeof *use);
    *use = (struct ping_use){
        .ping_id = plan->ping->ping_id, .lead_id = plan->lead->id, .status = span_of(lead_state_word(decision->state)),
        .buyer_id = buyer_id, .campaign_id = plan->lead->campaign_id, .is_ours = true,
        .expires_us = (plan->ping->expires_at_ms + HOUR_MS) * 1000,
    };
    map_put(facts->uses, uuid_span(&use->ping_id), use);
}
