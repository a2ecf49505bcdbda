#include "router/decide.h"

#include "common/uuid.h"
#include "router/cost.h"
#include "router/duplicate.h"
#include "router/turn.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

struct counter *facts_counter(const struct facts *facts, const int64_t *id)
{
    return *id == 0 ? NULL : map_get(facts->counters, (struct span){(const char *)id, sizeof *id});
}

/* The first full cap of this owner for one more lead of that amount, or NULL. */
static const struct cap *full_cap(const struct facts *facts, const struct cap_owner *owner, int64_t cents)
{
    const struct counter *counter = facts_counter(facts, &owner->counter_id);

    return counter != NULL ? caps_full(owner, counter, cents) : NULL;
}

static void take(const struct facts *facts, const struct cap_owner *owner, int64_t cents)
{
    struct counter *counter = facts_counter(facts, &owner->counter_id);

    if (counter != NULL)
        counter_take(counter, cents);
}

/* The lead's ping is used up, also by a test lead. */
static void use_ping(struct arena *arena, struct facts *facts, const struct decision *decision)
{
    const struct plan *plan = decision->plan;
    struct ping_use *use;

    if (plan->ping == NULL)
        return;
    use = arena_alloc(arena, sizeof *use);
    *use = (struct ping_use){
        .ping_id = plan->ping->ping_id, .lead_id = plan->lead->id, .status = span_of(lead_state_word(decision->state)),
        .buyer_id = decision->sales[0].buyer_id, .campaign_id = plan->lead->campaign_id, .is_ours = true,
        .expires_us = (plan->ping->expires_at_ms + HOUR_MS) * 1000,
    };
    map_put(facts->uses, uuid_span(&use->ping_id), use);
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
    int64_t cents = cost_cents(&plan->source->cost, decision->price_cents + candidate->price_cents);

    candidate->full = full_cap(facts, &plan->source->caps, cents);
    if (candidate->full != NULL)
        return PASS_SOURCE_CAP;
    candidate->full = full_cap(facts, &plan->source->supplier->caps, cents);
    if (candidate->full != NULL)
        return PASS_SUPPLIER_CAP;
    candidate->full = full_cap(facts, &plan->campaign->caps, cents);
    return candidate->full != NULL ? PASS_CAMPAIGN_CAP : PASS_NONE;
}

/* May this one buy, too? */
static enum pass judge(struct arena *arena, const struct facts *facts, const struct decision *decision, struct candidate *candidate, int64_t max_sells)
{
    if ((int64_t)decision->sale_count >= max_sells)
        return PASS_SOLD_OUT;
    if (has_buyer(decision, candidate->contract->buyer))
        return PASS_SAME_BUYER;
    if (!duplicate_judge_contract(arena, facts, candidate))
        return PASS_DUPLICATE;
    candidate->full = full_cap(facts, &candidate->contract->caps, candidate->price_cents);
    if (candidate->full != NULL)
        return PASS_CONTRACT_CAP;
    candidate->full = full_cap(facts, &candidate->contract->buyer->caps, candidate->price_cents);
    if (candidate->full != NULL)
        return PASS_BUYER_CAP;
    return judge_cost(facts, decision, candidate);
}

/* The candidates that have room, when the campaign takes turns. */
struct turns {
    struct turn *list;
    size_t count;
    int64_t owes; /* so many sales, unless money stands in the way */
};

static int by_place(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

/* Sorts the candidates that have room by their turns (those of a ping as they were offered), in front of those that have none. */
static void take_turns(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns)
{
    const struct plan *plan = decision->plan;
    struct candidate *sorted = arena_alloc(arena, plan->eligible_count * sizeof *sorted);
    size_t count = 0, end = plan->eligible_count;

    turns->list = arena_alloc(arena, plan->eligible_count * sizeof *turns->list);
    for (size_t i = 0; i < plan->eligible_count; i++) {
        struct candidate *candidate = &plan->candidates[i];
        const struct contract *contract = candidate->contract;

        if (candidate->pass == PASS_NONE)
            candidate->pass = judge(arena, facts, decision, candidate, plan->campaign->max_sells);
        if (candidate->pass != PASS_NONE) {
            sorted[--end] = *candidate;
            continue;
        }
        turns->list[count++] = (struct turn){
            .contract_id = contract->id, .buyer_id = contract->buyer->id, .place = i,
            .weight = plan->campaign->distribution == DISTRIBUTION_WEIGHTED ? contract->weight : 1,
            .credit = facts_counter(facts, &contract->caps.counter_id)->turn_credit,
        };
    }
    turns->count = count;
    turns->owes = turn_owe(arena, turns->list, count, plan->campaign->max_sells);
    if (plan->ping != NULL && count > 0)
        qsort(turns->list, count, sizeof *turns->list, by_place);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = plan->candidates[turns->list[i].place];
        turns->list[i].place = i;
    }
    if (plan->eligible_count > 0)
        memcpy(plan->candidates, sorted, plan->eligible_count * sizeof *sorted);
}

/* The lead is sold: what it owed is credit now, and who bought has paid. */
static void pay_turns(struct arena *arena, struct facts *facts, const struct decision *decision, struct turns *turns)
{
    if (turns->owes != (int64_t)decision->sale_count)
        turn_owe(arena, turns->list, turns->count, (int64_t)decision->sale_count);
    for (size_t i = 0; i < turns->count; i++) {
        const struct candidate *candidate = &decision->plan->candidates[turns->list[i].place];
        struct counter *counter = facts_counter(facts, &candidate->contract->caps.counter_id);

        counter->turn_credit = turns->list[i].owed - (candidate->pass == PASS_NONE ? TURN_UNIT : 0);
        counter->is_changed = true;
    }
}

/* Nobody took the lead: because its supplier's money is spent, or because there is no buyer. */
static void do_not_sell(struct decision *decision)
{
    const struct plan *plan = decision->plan;

    for (size_t i = 0; i < plan->eligible_count; i++) {
        const struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass != PASS_SOURCE_CAP && candidate->pass != PASS_SUPPLIER_CAP)
            continue;
        decision->state = LEAD_REJECTED;
        decision->reason = REASON_SOURCE_CAPPED;
        decision->full = candidate->full;
        return;
    }
    decision->state = LEAD_UNMATCHED;
    decision->reason = REASON_UNMATCHED;
}

/* Adds a sale of the candidate, which has passed. */
static void add_sale(struct arena *arena, struct decision *decision, const struct candidate *candidate)
{
    const struct contract *contract = candidate->contract;

    decision->sales[decision->sale_count++] = (struct sale){
        .buyer_id = arena_copy(arena, contract->buyer->id), .contract_id = arena_copy(arena, contract->id),
        .price_cents = candidate->price_cents, .lease_ms = contract->buyer->url[0] != '\0' ? contract->buyer->timeout_ms : 0,
    };
    decision->price_cents += candidate->price_cents;
}

/* Whoever would pay more for being alone than those who have been found pay together, if there is room for that; best first, ties in order. */
static struct candidate *find_exclusive(struct arena *arena, const struct facts *facts, const struct decision *decision, size_t count)
{
    const struct plan *plan = decision->plan;
    const struct decision alone = {.plan = plan};
    int64_t most_cents = decision->price_cents;
    struct candidate *best = NULL;

    if (plan->campaign->max_sells == 1 || plan->lead->wanted_buyer_id.len > 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct candidate candidate = plan->candidates[i];
        bool may_sell = candidate.pass == PASS_NONE || candidate.pass == PASS_SOLD_OUT || candidate.pass == PASS_SAME_BUYER || pass_is_full(candidate.pass);

        candidate.price_cents = candidate.exclusive_cents;
        if (!may_sell || candidate.exclusive_cents <= most_cents || judge(arena, facts, &alone, &candidate, 1) != PASS_NONE)
            continue;
        best = &plan->candidates[i];
        most_cents = candidate.exclusive_cents;
    }
    return best;
}

static void sell_exclusively(struct arena *arena, struct decision *decision, struct candidate *buyer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &decision->plan->candidates[i];

        if (candidate->pass == PASS_NONE || candidate->pass == PASS_SOLD_OUT || candidate->pass == PASS_SAME_BUYER)
            candidate->pass = PASS_EXCLUSIVE;
    }
    buyer->pass = PASS_NONE;
    buyer->full = NULL;
    buyer->price_cents = buyer->exclusive_cents;
    decision->sale_count = 0;
    decision->price_cents = 0;
    add_sale(arena, decision, buyer);
}

/* Finds the first of the eligible that have room, or whoever pays more for being alone. */
static void find_buyers(struct arena *arena, const struct facts *facts, struct decision *decision, size_t count)
{
    const struct plan *plan = decision->plan;
    struct candidate *exclusive;

    decision->sales = arena_alloc(arena, (count + 1) * sizeof *decision->sales);
    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass != PASS_NONE)
            continue;
        candidate->pass = judge(arena, facts, decision, candidate, plan->campaign->max_sells);
        if (candidate->pass == PASS_NONE)
            add_sale(arena, decision, candidate);
    }
    exclusive = find_exclusive(arena, facts, decision, count);
    if (exclusive != NULL)
        sell_exclusively(arena, decision, exclusive, count);
}

/* The buyers' caps count what they pay, and they remember the lead. */
static void take_from_buyers(struct arena *arena, struct facts *facts, const struct decision *decision, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct candidate *candidate = &decision->plan->candidates[i];

        if (candidate->pass != PASS_NONE)
            continue;
        take(facts, &candidate->contract->caps, candidate->price_cents);
        take(facts, &candidate->contract->buyer->caps, candidate->price_cents);
        duplicate_hold_sale(arena, facts, decision->plan, candidate);
    }
}

/* Sells to the first of the eligible that have room, and counts that. */
static void sell(struct arena *arena, struct facts *facts, struct decision *decision)
{
    const struct plan *plan = decision->plan;
    const struct source *source = plan->source;
    bool counts = !plan->lead->is_test;
    struct turns turns = {0};
    size_t count = plan->eligible_count;

    rank_at(arena, plan->campaign, &plan->lead->fields, facts->now_us, plan->candidates, plan->eligible_count);
    if (distribution_has_turns(plan->campaign->distribution)) {
        take_turns(arena, facts, decision, &turns);
        count = turns.count;
    }
    find_buyers(arena, facts, decision, count);
    if (decision->sale_count == 0) {
        do_not_sell(decision);
        return;
    }
    decision->state = LEAD_ACCEPTED;
    decision->cost_cents = counts ? cost_cents(&source->cost, decision->price_cents) : 0;
    decision->sales[0].cost_cents = decision->cost_cents;
    use_ping(arena, facts, decision);
    if (!counts)
        return;
    take_from_buyers(arena, facts, decision, count);
    take(facts, &source->caps, decision->cost_cents);
    take(facts, &source->supplier->caps, decision->cost_cents);
    take(facts, &plan->campaign->caps, decision->cost_cents);
    pay_turns(arena, facts, decision, &turns);
}

static void reject(struct decision *decision, enum reason reason)
{
    decision->state = LEAD_REJECTED;
    decision->reason = reason;
}

/* Is there something wrong with the ping that the lead names? Returns true when it is rejected for that. */
static bool refuse_ping(const struct facts *facts, struct decision *decision)
{
    const struct plan *plan = decision->plan;

    if (plan->ping_fault != REASON_NONE) {
        reject(decision, plan->ping_fault);
        decision->message = plan->ping_message;
        return true;
    }
    if (plan->ping == NULL)
        return false;
    decision->use = map_get(facts->uses, uuid_span(&plan->ping->ping_id));
    if (decision->use != NULL)
        reject(decision, REASON_PING_USED);
    else if (plan->ping->expires_at_ms <= facts->now_us / 1000)
        reject(decision, REASON_PING_EXPIRED);
    else
        return false;
    return true;
}

/* What comes before selling, in the order of SPEC.md, 3. Returns true when that settles it. */
static bool is_settled(struct facts *facts, struct decision *decision)
{
    const struct plan *plan = decision->plan;
    const struct holder *holder;
    int64_t cents;

    if (plan->verdict != REASON_NONE) {
        reject(decision, plan->verdict);
        return true;
    }
    if (refuse_ping(facts, decision))
        return true;
    holder = duplicate_of_campaign(facts, plan);
    if (holder != NULL) {
        decision->state = LEAD_DUPLICATE;
        decision->reason = REASON_DUPLICATE;
        if (span_equal(holder->supplier_id, plan->lead->supplier_id))
            decision->duplicate_of = holder->lead_id;
        return true;
    }
    if (!plan->campaign->is_active || !plan->source->is_active || !plan->source->supplier->is_active) {
        reject(decision, REASON_SOURCE_PAUSED);
        return true;
    }
    cents = cost_least(&plan->source->cost);
    decision->full = full_cap(facts, &plan->source->caps, cents);
    if (decision->full == NULL)
        decision->full = full_cap(facts, &plan->source->supplier->caps, cents);
    if (decision->full != NULL) {
        reject(decision, REASON_SOURCE_CAPPED);
        return true;
    }
    return false;
}

static void decide_new(struct arena *arena, struct facts *facts, struct decision *decision)
{
    decision->action = ACTION_RECORD;
    if (!is_settled(facts, decision))
        sell(arena, facts, decision);
    if (duplicate_counts(decision)) /* remembered for the ones after it */
        duplicate_hold_lead(arena, facts, decision->plan);
}

/* Leaves the first of each buyer's contracts that would buy. Returns how many do. */
static size_t leave_one_a_buyer(const struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->eligible_count; i++) {
        struct candidate *candidate = &plan->candidates[i];

        for (size_t j = 0; j < i && candidate->pass == PASS_NONE; j++)
            if (plan->candidates[j].pass == PASS_NONE && plan->candidates[j].contract->buyer == candidate->contract->buyer)
                candidate->pass = PASS_SAME_BUYER;
        count += candidate->pass == PASS_NONE;
    }
    return count;
}

void decide_ping(struct arena *arena, struct facts *facts, const struct plan *plan, struct decision *decision)
{
    struct turns turns;

    *decision = (struct decision){.plan = plan};
    if (is_settled(facts, decision))
        return;
    rank_at(arena, plan->campaign, &plan->lead->fields, facts->now_us, plan->candidates, plan->eligible_count);
    if (distribution_has_turns(plan->campaign->distribution))
        take_turns(arena, facts, decision, &turns);
    for (size_t i = 0; i < plan->eligible_count; i++)
        if (plan->candidates[i].pass == PASS_NONE)
            plan->candidates[i].pass = judge(arena, facts, decision, &plan->candidates[i], plan->campaign->max_sells);
    if (leave_one_a_buyer(plan) > 0)
        return;
    do_not_sell(decision);
    for (size_t i = 0; i < plan->eligible_count; i++)
        decision->is_full |= pass_is_full(plan->candidates[i].pass);
}


static void refuse(struct decision *decision, enum reason reason)
{
    decision->action = ACTION_REFUSE;
    decision->reason = reason;
}

/* The earlier request under the same Idempotency-Key, recorded or of this batch. Returns true when that settles it. */
static bool decide_idempotent(struct facts *facts, struct map *first_of_key, struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    const struct recorded *recorded;
    const struct decision *first;

    if (uuid_is_nil(&lead->idempotency_key))
        return false;
    recorded = map_get(facts->idempotent, uuid_span(&lead->idempotency_key));
    first = map_get(first_of_key, uuid_span(&lead->idempotency_key));
    if (recorded == NULL && first == NULL)
        return false;
    if (!span_equal(recorded != NULL ? recorded->body_sha256 : first->plan->lead->body_sha256, lead->body_sha256)) {
        refuse(decision, REASON_IDEMPOTENCY_MISMATCH);
        return true;
    }
    decision->action = recorded != NULL ? ACTION_REPEAT : ACTION_FOLLOW;
    decision->recorded = recorded;
    decision->follows = first;
    return true;
}

static void decide_one(struct arena *arena, struct facts *facts, struct map *first_of_key, struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    int64_t age_ms = facts->now_us / 1000 - uuid_ms(&lead->id);

    decision->recorded = map_get(facts->recorded, uuid_span(&lead->id));
    if (decision->recorded != NULL) {
        decision->action = ACTION_REPEAT;
        return;
    }
    if (decide_idempotent(facts, first_of_key, decision))
        return;
    if (age_ms > HOUR_MS || age_ms < -HOUR_MS) {
        refuse(decision, REASON_UNAVAILABLE);
        return;
    }
    if (!reason_is_recorded(decision->plan->verdict)) {
        refuse(decision, decision->plan->verdict);
        return;
    }
    decide_new(arena, facts, decision);
    if (!uuid_is_nil(&lead->idempotency_key))
        map_put(first_of_key, uuid_span(&lead->idempotency_key), decision);
}

void decide_batch(struct arena *arena, struct facts *facts, const struct plan *plans, size_t count, struct decision *decisions)
{
    struct map *first_of_key = map_new();

    memset(decisions, 0, count * sizeof *decisions);
    for (size_t i = 0; i < count; i++) {
        decisions[i].plan = &plans[i];
        decide_one(arena, facts, first_of_key, &decisions[i]);
    }
    map_free(&first_of_key);
}
