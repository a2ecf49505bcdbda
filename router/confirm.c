#include "router/confirm.h"

#include "router/cost.h"
#include "router/duplicate.h"
#include "router/sell.h"

#include <string.h>

/*
 * Takes a try's place in every cap (sign 1) or gives it back (-1): to those from whom it was taken, whatever the configuration has
 * made of contract, source and campaign meanwhile. The lead is one lead for its source, whoever else has accepted it.
 */
static void count_try(const struct facts *facts, const struct decision *decision, const struct try *try, int sign)
{
    int64_t leads = decision->sale_count == 0 ? sign : 0, at_us = sign > 0 ? COUNTED_NOW : try->reserved_us;

    for (int owner = 0; !decision->plan->lead->is_test && owner < TRY_OWNERS; owner++) {
        struct counter *counter = facts_counter(facts, &try->counter_ids[owner]);
        bool pays = owner == TRY_CONTRACT || owner == TRY_BUYER;

        if (counter != NULL)
            counter_change(counter, pays ? sign : leads, sign * (pays ? try->price_cents : try->cost_cents), at_us);
    }
}

/* A try that another router has begun since the counters were locked may have others. */
static bool has_locks(const struct facts *facts, const struct try *try)
{
    for (int owner = 0; owner < TRY_OWNERS; owner++)
        if (try->counter_ids[owner] != 0 && facts_counter(facts, &try->counter_ids[owner]) == NULL)
            return false;
    return true;
}

/* Asking -------------------------------------------------------------------------------------------------------------- */

bool confirm_was_asked(const struct distributing *before, struct span contract_id)
{
    for (size_t i = 0; before != NULL && i < before->try_count; i++)
        if (span_equal(before->tries[i].contract_id, contract_id))
            return true;
    return false;
}

/* The duplicate keys that this buyer's rules would hold. */
static void set_keys(struct arena *arena, struct try *try, const struct candidate *candidate)
{
    const struct sold_keys *sold = candidate->sold_keys;

    if (sold == NULL)
        return;
    try->keys = arena_alloc(arena, sold->buyer->duplicate_count * sizeof *try->keys);
    for (size_t i = 0; i < sold->buyer->duplicate_count; i++)
        if (!uuid_is_nil(&sold->keys[i].key))
            try->keys[try->key_count++] = sold->keys[i].key;
}

static struct try *ask(struct arena *arena, const struct facts *facts, const struct decision *decision, const struct candidate *candidate, int64_t left_ms)
{
    const struct plan *plan = decision->plan;
    const struct buyer *buyer = candidate->contract->buyer;
    struct try *try = arena_alloc(arena, sizeof *try);
    int64_t limit_ms = buyer->timeout_ms < left_ms ? buyer->timeout_ms : left_ms;
    int64_t before = decision->sale_count > 0 ? cost_cents(&plan->source->cost, decision->price_cents) : 0;

    *try = (struct try){
        .number = decision->distributing != NULL ? (int64_t)decision->distributing->try_count + 1 : 1,
        .contract_id = arena_copy(arena, candidate->contract->id), .buyer_id = arena_copy(arena, buyer->id),
        .price_cents = candidate->price_cents,
        .cost_cents = plan->lead->is_test ? 0 : cost_cents(&plan->source->cost, decision->price_cents + candidate->price_cents) - before,
        .reserved_us = facts->now_us, .deadline_us = facts->now_us + limit_ms * 1000, .limit_ms = limit_ms, .state = TRY_OPEN,
        .counter_ids = {candidate->contract->caps.counter_id, buyer->caps.counter_id, plan->source->caps.counter_id,
                        plan->source->supplier->caps.counter_id, plan->campaign->caps.counter_id},
    };
    set_keys(arena, try, candidate);
    return try;
}

/* The first of the candidates that were not asked yet and have room; NULL when there is none, or no time. Its place is taken. */
static struct try *ask_next(struct arena *arena, struct facts *facts, const struct decision *decision, size_t count)
{
    const struct plan *plan = decision->plan;
    int64_t left_ms = (decision->deadline_us - facts->now_us) / 1000;
    bool is_over = (left_ms < ASK_LEAST_MS || !facts->has_dispatcher) && (int64_t)decision->sale_count < plan->campaign->max_sells;
    struct try *try = NULL;

    for (size_t i = 0; i < count; i++) {
        struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass != PASS_NONE || confirm_was_asked(decision->distributing, candidate->contract->id))
            continue;
        if (try != NULL || is_over) {
            candidate->pass = try != NULL ? PASS_LATER : PASS_NO_TIME;
            continue;
        }
        candidate->pass = sell_judge(arena, facts, decision, candidate);
        if (candidate->pass != PASS_NONE)
            continue;
        candidate->pass = PASS_ASKED;
        try = ask(arena, facts, decision, candidate, left_ms);
        count_try(facts, decision, try, 1);
        if (!plan->lead->is_test)
            duplicate_hold_sale(arena, facts, plan, candidate);
    }
    return try;
}

void confirm_begin(struct arena *arena, struct facts *facts, struct decision *decision)
{
    const struct plan *plan = decision->plan;
    int64_t most_ms = plan->campaign->deadline_ms > 0 ? plan->campaign->deadline_ms : DEADLINE_MS, left_ms = plan->left_ms - REPLY_MS;
    int64_t time_ms = left_ms < most_ms ? left_ms : most_ms;
    struct turns turns = {0};
    size_t count;

    decision->deadline_us = facts->now_us + time_ms * 1000;
    count = sell_order(arena, facts, decision, &turns);
    decision->asked = ask_next(arena, facts, decision, count);
    if (decision->asked == NULL) {
        sell_to_nobody(decision);
        return;
    }
    decision->state = LEAD_DISTRIBUTING;
    sell_use_ping(arena, facts, decision, decision->asked->buyer_id);
}

/* Going on ------------------------------------------------------------------------------------------------------------ */

static void wait_until(struct decision *decision, int64_t at_us)
{
    decision->action = ACTION_WAIT;
    decision->wait_until_us = at_us;
}

static void add_sale(struct decision *decision, const struct try *try)
{
    decision->sales[decision->sale_count++] = (struct sale){
        .buyer_id = try->buyer_id, .contract_id = try->contract_id, .price_cents = try->price_cents, .delivery_id = try->delivery_id, .redirect_url = try->redirect_url,
    };
    decision->price_cents += try->price_cents;
    decision->cost_cents += try->cost_cents;
}

/* The open try ends: by the buyer's word, or without one. */
static void settle(const struct facts *facts, struct decision *decision, struct try *open)
{
    decision->settled = open;
    decision->is_late = span_is(open->word, "OPEN");
    open->state = span_is(open->word, "DELIVERED") ? TRY_ACCEPTED : TRY_REFUSED;
    if (open->state == TRY_REFUSED)
        count_try(facts, decision, open, -1);
}

/* What the caps of source, supplier and campaign count of it already. */
static void set_counted(struct decision *decision, const struct distributing *now)
{
    for (size_t i = 0; !decision->plan->lead->is_test && i < now->try_count; i++)
        if (now->tries[i].state == TRY_ACCEPTED) {
            decision->is_counted = true;
            decision->counted_cents += now->tries[i].cost_cents;
        }
}

/* May further buyers be asked, by the present configuration? */
static bool may_ask(const struct plan *plan)
{
    return plan->verdict == REASON_NONE && plan->campaign->is_active && plan->source->is_active && plan->source->supplier->is_active &&
           plan->campaign->is_confirmed;
}

/* Who has bought had room, though just that may have filled its cap; who has refused stands still, as if it had not been eligible. */
static void leave_refusers_out(struct arena *arena, const struct facts *facts, const struct decision *decision, struct turns *turns)
{
    const struct plan *plan = decision->plan;
    struct turn *list = arena_alloc(arena, plan->eligible_count * sizeof *list);
    size_t count = 0;

    for (size_t i = 0; i < plan->eligible_count; i++) {
        struct span id = plan->candidates[i].contract->id;

        if (sell_has_bought(decision, id) || (i < turns->count && !confirm_was_asked(decision->distributing, id)))
            list[count++] = sell_turn(facts, plan, i);
    }
    *turns = (struct turns){.list = list, .count = count};
}

static void finish(struct arena *arena, struct facts *facts, struct decision *decision, struct turns *turns)
{
    const struct campaign *campaign = decision->plan->campaign;

    decision->state = decision->sale_count > 0 ? LEAD_ACCEPTED : LEAD_UNMATCHED;
    decision->reason = decision->sale_count > 0 ? REASON_NONE : REASON_UNMATCHED;
    if (decision->sale_count == 0)
        return;
    decision->sales[0].cost_cents = decision->cost_cents;
    if (campaign == NULL || !distribution_has_turns(campaign->distribution) || decision->plan->lead->is_test)
        return;
    leave_refusers_out(arena, facts, decision, turns);
    sell_pay_turns(arena, facts, decision, turns);
}

void confirm_step(struct arena *arena, struct facts *facts, struct decision *decision)
{
    struct distributing *now = map_get(facts->distributing, uuid_span(&decision->plan->lead->id));
    struct try *open = now != NULL && now->try_count > 0 ? &now->tries[now->try_count - 1] : NULL;
    struct turns turns = {0};
    size_t count = 0;

    if (now == NULL) { /* settled by another router since its row was read */
        wait_until(decision, 0);
        return;
    }
    open = open != NULL && open->state == TRY_OPEN ? open : NULL;
    if (!span_equal(now->router, facts->router) && open != NULL && facts->now_us < open->deadline_us + ADOPT_AFTER_MS * 1000) {
        wait_until(decision, 0);
        return;
    }
    if (open != NULL && span_is(open->word, "OPEN") && facts->now_us < open->deadline_us + ANSWER_GRACE_MS * 1000) {
        wait_until(decision, open->deadline_us + ANSWER_GRACE_MS * 1000);
        return;
    }
    if (open != NULL && !has_locks(facts, open)) {
        wait_until(decision, 0);
        return;
    }
    decision->action = ACTION_STEP;
    decision->distributing = now;
    decision->deadline_us = now->deadline_us;
    decision->sales = arena_alloc(arena, (now->try_count + 1) * sizeof *decision->sales);
    for (size_t i = 0; i < now->try_count; i++)
        decision->sale_count += now->tries[i].state == TRY_ACCEPTED;
    if (open != NULL)
        settle(facts, decision, open); /* with sale_count as it was when the place was taken */
    decision->sale_count = 0;
    set_counted(decision, now);
    if (may_ask(decision->plan))
        count = sell_order(arena, facts, decision, &turns);
    for (size_t i = 0; i < now->try_count; i++)
        if (now->tries[i].state == TRY_ACCEPTED)
            add_sale(decision, &now->tries[i]);
    decision->asked = count > 0 ? ask_next(arena, facts, decision, count) : NULL;
    if (decision->asked != NULL)
        decision->state = LEAD_DISTRIBUTING;
    else
        finish(arena, facts, decision, &turns);
}

/* Waiting ------------------------------------------------------------------------------------------------------------- */

static bool is_undecided(const struct facts *facts, const struct plan *plan, const struct uuid *key)
{
    const struct holder *holder = uuid_is_nil(key) ? NULL : map_get(facts->holders, uuid_span(key));

    return holder != NULL && holder->is_undecided && uuid_compare(&holder->lead_id, &plan->lead->id) != 0;
}

bool confirm_must_wait(const struct facts *facts, const struct plan *plan)
{
    const struct ping_use *use = plan->ping != NULL ? map_get(facts->uses, uuid_span(&plan->ping->ping_id)) : NULL;

    if (use != NULL && span_is(use->status, "DISTRIBUTING"))
        return true;
    for (size_t i = 0; i < plan->key_count; i++)
        if (is_undecided(facts, plan, &plan->keys[i].key))
            return true;
    for (size_t i = 0; i < plan->sold_keys_count; i++)
        for (size_t j = 0; j < plan->sold_keys[i].buyer->duplicate_count; j++)
            if (is_undecided(facts, plan, &plan->sold_keys[i].keys[j].key))
                return true;
    return false;
}
