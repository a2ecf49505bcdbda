#include "router/decide.h"

#include "common/uuid.h"
#include "router/confirm.h"
#include "router/cost.h"
#include "router/duplicate.h"
#include "router/sell.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

struct counter *facts_counter(const struct facts *facts, const int64_t *id)
{
    return *id == 0 ? NULL : map_get(facts->counters, (struct span){(const char *)id, sizeof *id});
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
        if (!may_sell || candidate.exclusive_cents <= most_cents || sell_judge(arena, facts, &alone, &candidate) != PASS_NONE)
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
        candidate->pass = sell_judge(arena, facts, decision, candidate);
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
        sell_take(facts, &candidate->contract->caps, candidate->price_cents);
        sell_take(facts, &candidate->contract->buyer->caps, candidate->price_cents);
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
    size_t count;

    count = sell_order(arena, facts, decision, &turns);
    find_buyers(arena, facts, decision, count);
    if (decision->sale_count == 0) {
        sell_to_nobody(decision);
        return;
    }
    decision->state = LEAD_ACCEPTED;
    decision->cost_cents = counts ? cost_cents(&source->cost, decision->price_cents) : 0;
    decision->sales[0].cost_cents = decision->cost_cents;
    sell_use_ping(arena, facts, decision, decision->sales[0].buyer_id);
    if (!counts)
        return;
    take_from_buyers(arena, facts, decision, count);
    sell_take(facts, &source->caps, decision->cost_cents);
    sell_take(facts, &source->supplier->caps, decision->cost_cents);
    sell_take(facts, &plan->campaign->caps, decision->cost_cents);
    sell_pay_turns(arena, facts, decision, &turns);
}

static void refuse(struct decision *decision, enum reason reason)
{
    decision->action = ACTION_REFUSE;
    decision->reason = reason;
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

static struct span who_is_paused(const struct plan *plan)
{
    if (!plan->campaign->is_active)
        return SPAN("the campaign is paused");
    if (!plan->source->supplier->is_active)
        return SPAN("the supplier is paused");
    return plan->source->is_active ? SPAN("") : SPAN("the source is paused");
}

/* What comes before selling, in the order of SPEC.md, 3. Returns true when that settles it. */
static bool is_settled(struct arena *arena, struct facts *facts, struct decision *decision)
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
    holder = duplicate_of_campaign(arena, facts, plan, &decision->why);
    if (holder != NULL) {
        decision->state = LEAD_DUPLICATE;
        decision->reason = REASON_DUPLICATE;
        if (span_equal(holder->supplier_id, plan->lead->supplier_id))
            decision->duplicate_of = holder->lead_id;
        return true;
    }
    decision->why = who_is_paused(plan);
    if (decision->why.len > 0) {
        reject(decision, REASON_SOURCE_PAUSED);
        return true;
    }
    cents = cost_least(&plan->source->cost);
    decision->full = sell_full_cap(facts, &plan->source->caps, cents);
    if (decision->full == NULL)
        decision->full = sell_full_cap(facts, &plan->source->supplier->caps, cents);
    if (decision->full != NULL) {
        reject(decision, REASON_SOURCE_CAPPED);
        return true;
    }
    return false;
}

static void decide_new(struct arena *arena, struct facts *facts, struct decision *decision)
{
    if (decision->plan->verdict == REASON_NONE) {
        if (confirm_must_wait(facts, decision->plan)) {
            decision->action = ACTION_WAIT;
            return;
        }
        if (decision->plan->campaign->is_confirmed && !facts->has_dispatcher) {
            refuse(decision, REASON_UNAVAILABLE); /* nobody can be asked now */
            return;
        }
    }
    decision->action = ACTION_RECORD;
    if (!is_settled(arena, facts, decision)) {
        if (decision->plan->campaign->is_confirmed)
            confirm_begin(arena, facts, decision);
        else
            sell(arena, facts, decision);
    }
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
    struct turns turns = {0};

    *decision = (struct decision){.plan = plan};
    if (is_settled(arena, facts, decision))
        return;
    sell_order(arena, facts, decision, &turns);
    for (size_t i = 0; i < plan->eligible_count; i++)
        if (plan->candidates[i].pass == PASS_NONE)
            plan->candidates[i].pass = sell_judge(arena, facts, decision, &plan->candidates[i]);
    if (leave_one_a_buyer(plan) > 0)
        return;
    sell_to_nobody(decision);
    for (size_t i = 0; i < plan->eligible_count; i++)
        decision->is_full |= pass_is_full(plan->candidates[i].pass);
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
    if (recorded != NULL ? recorded->status == 0 : first->state == LEAD_DISTRIBUTING)
        decision->action = ACTION_WAIT;
    decision->recorded = recorded;
    decision->follows = first;
    return true;
}

static void decide_one(struct arena *arena, struct facts *facts, struct map *first_of_key, struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    int64_t age_ms = facts->now_us / 1000 - uuid_ms(&lead->id);

    decision->recorded = map_get(facts->recorded, uuid_span(&lead->id));
    if (decision->recorded != NULL && decision->recorded->status == 0) {
        confirm_step(arena, facts, decision);
        return;
    }
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
    if (decision->action == ACTION_RECORD && !uuid_is_nil(&lead->idempotency_key))
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
