#include "router/duplicate.h"

#include "common/uuid.h"
#include "proto/catalog_duplicates.h"
#include "proto/key.h"

#include <inttypes.h>

static const int64_t DAY_US = INT64_C(86400000000);

/* Keys ---------------------------------------------------------------------------------------------------------------- */

/* Adds a key; two rules over the same fields have one key and the longer window. */
static void add_key(struct plan *plan, const struct uuid *key, const struct duplicate_rule *rule)
{
    int64_t window_us = rule->window_days * DAY_US;

    for (size_t i = 0; i < plan->key_count; i++)
        if (uuid_compare(&plan->keys[i].key, key) == 0) {
            if (window_us > plan->keys[i].window_us)
                plan->keys[i].window_us = window_us;
            return;
        }
    plan->keys[plan->key_count++] = (struct lead_key){*key, window_us, rule};
}

static void make_campaign_keys(struct arena *arena, const uint8_t secret[32], struct plan *plan)
{
    const struct campaign *campaign = plan->campaign;

    plan->keys = arena_alloc(arena, campaign->duplicate_count * sizeof *plan->keys);
    for (size_t i = 0; i < campaign->duplicate_count; i++) {
        struct uuid key;

        if (key_of_lead(secret, arena, campaign->duplicates_against, campaign->id, campaign, &campaign->duplicates[i], &plan->lead->fields, &key))
            add_key(plan, &key, &campaign->duplicates[i]);
    }
}

/* The half of a key that all buyers with such a rule share. */
struct half {
    struct half *next;
    const struct duplicate_rule *rule;
    bool is_there; /* the lead has all its fields */
    struct uuid key;
};

struct making {
    struct arena *arena;
    const uint8_t *secret;
    struct plan *plan;
    struct half *halves;
};

static const struct half *half_of(struct making *making, const struct duplicate_rule *rule)
{
    const struct plan *plan = making->plan;
    struct half *half = making->halves;

    while (half != NULL && !duplicate_rule_has_fields_of(half->rule, rule))
        half = half->next;
    if (half != NULL)
        return half;
    half = arena_alloc(making->arena, sizeof *half);
    *half = (struct half){.next = making->halves, .rule = rule};
    half->is_there = key_of_lead(making->secret, making->arena, AGAINST_SOLD, SPAN(""), plan->campaign, rule, &plan->lead->fields, &half->key);
    making->halves = half;
    return half;
}

static struct lead_key *make_keys_of_buyer(struct making *making, const struct buyer *buyer)
{
    struct lead_key *keys = arena_alloc(making->arena, buyer->duplicate_count * sizeof *keys);

    for (size_t i = 0; i < buyer->duplicate_count; i++) {
        const struct half *half = half_of(making, &buyer->duplicates[i]);

        keys[i].window_us = buyer->duplicates[i].window_days * DAY_US;
        if (half->is_there)
            keys[i].key = key_for_buyer(&half->key, &buyer->duplicate_key);
    }
    return keys;
}

static const struct sold_keys *sold_keys_of(struct making *making, const struct buyer *buyer)
{
    struct plan *plan = making->plan;

    for (size_t i = 0; i < plan->sold_keys_count; i++)
        if (plan->sold_keys[i].buyer == buyer)
            return &plan->sold_keys[i];
    plan->sold_keys[plan->sold_keys_count] = (struct sold_keys){buyer, make_keys_of_buyer(making, buyer)};
    return &plan->sold_keys[plan->sold_keys_count++];
}

void duplicate_make_keys(struct arena *arena, const uint8_t secret[32], struct plan *plan)
{
    struct making making = {.arena = arena, .secret = secret, .plan = plan};
    bool is_refused = plan->verdict != REASON_NONE;

    if (plan->campaign == NULL || (is_refused && plan->campaign->duplicates_against != AGAINST_ALL))
        return;
    make_campaign_keys(arena, secret, plan);
    if (plan->lead->is_test)
        return;
    plan->sold_keys = arena_alloc(arena, plan->eligible_count * sizeof *plan->sold_keys);
    for (size_t i = 0; i < plan->eligible_count; i++)
        if (plan->candidates[i].contract->buyer->duplicate_count > 0)
            plan->candidates[i].sold_keys = sold_keys_of(&making, plan->candidates[i].contract->buyer);
}

/* Judging ------------------------------------------------------------------------------------------------------------- */

static bool is_of(const struct holder *holder, const struct uuid *lead_id)
{
    return holder != NULL && uuid_compare(&holder->lead_id, lead_id) == 0;
}

/* What a lead holds itself, while buyers are asked whether they take it, is in nobody's way; what was there before still is. */
static const struct holder *holder_within(const struct facts *facts, const struct uuid *lead_id, const struct uuid *key, int64_t window_us)
{
    const struct holder *holder = uuid_is_nil(key) ? NULL : map_get(facts->holders, uuid_span(key));

    if (is_of(holder, lead_id))
        holder = holder->earlier;
    return holder != NULL && holder->at_us + window_us > facts->now_us ? holder : NULL;
}

static struct span rule_text(struct arena *arena, const struct duplicate_rule *rule, int64_t window_days)
{
    struct span text = SPAN("");

    for (size_t i = 0; i < rule->field_count; i++)
        text = arena_printf(arena, "%.*s%s%.*s", SPAN_FMT(text), i > 0 ? ", " : "", SPAN_FMT(rule->fields[i]));
    return arena_printf(arena, "%.*s: %" PRId64 " day%s", SPAN_FMT(text), window_days, window_days == 1 ? "" : "s");
}

const struct holder *duplicate_of_campaign(struct arena *arena, const struct facts *facts, const struct plan *plan, struct span *matched)
{
    for (size_t i = 0; i < plan->key_count; i++) {
        const struct lead_key *key = &plan->keys[i];
        const struct holder *holder = holder_within(facts, &plan->lead->id, &key->key, key->window_us);
        char id[UUID_TEXT_BYTES];

        if (holder == NULL)
            continue;
        *matched = rule_text(arena, key->rule, key->window_us / DAY_US);
        *matched = arena_printf(arena, "%.*s, lead %s", SPAN_FMT(*matched), uuid_text(&holder->lead_id, id));
        return holder;
    }
    return NULL;
}

bool duplicate_judge_contract(struct arena *arena, const struct facts *facts, const struct uuid *lead_id, struct candidate *candidate)
{
    const struct contract *contract = candidate->contract;

    for (size_t i = 0; candidate->sold_keys != NULL && i < contract->duplicate_count; i++) {
        const struct contract_duplicate *rule = &contract->duplicates[i];

        if (holder_within(facts, lead_id, &candidate->sold_keys->keys[rule->rule].key, rule->window_days * DAY_US) == NULL)
            continue;
        candidate->detail = rule_text(arena, &contract->buyer->duplicates[rule->rule], rule->window_days);
        return false;
    }
    return true;
}

/* Counting ------------------------------------------------------------------------------------------------------------ */

bool duplicate_counts(const struct decision *decision)
{
    const struct campaign *campaign = decision->plan->campaign;

    if (campaign == NULL || decision->plan->lead->is_test || decision->state == LEAD_DUPLICATE)
        return false;
    return decision->state == LEAD_ACCEPTED || decision->state == LEAD_DISTRIBUTING || campaign->duplicates_against == AGAINST_ALL;
}

static void hold(struct arena *arena, struct facts *facts, const struct plan *plan, const struct lead_key *key)
{
    const struct holder *before = map_get(facts->holders, uuid_span(&key->key));
    struct holder *holder = arena_alloc(arena, sizeof *holder);

    holder->key = key->key;
    holder->lead_id = plan->lead->id;
    holder->supplier_id = plan->lead->supplier_id;
    holder->at_us = facts->now_us;
    holder->expires_us = facts->now_us + key->window_us;
    holder->is_ours = true;
    holder->is_undecided = plan->campaign->is_confirmed;
    if (holder->is_undecided)
        holder->earlier = is_of(before, &plan->lead->id) ? before->earlier : before;
    if (before != NULL)
        holder->seen = before->is_ours ? before->seen : before->lead_id;
    map_put(facts->holders, uuid_span(&holder->key), holder);
}

void duplicate_hold_lead(struct arena *arena, struct facts *facts, const struct plan *plan)
{
    for (size_t i = 0; i < plan->key_count; i++)
        hold(arena, facts, plan, &plan->keys[i]);
}

void duplicate_hold_sale(struct arena *arena, struct facts *facts, const struct plan *plan, const struct candidate *candidate)
{
    const struct sold_keys *sold = candidate->sold_keys;

    for (size_t i = 0; sold != NULL && i < sold->buyer->duplicate_count; i++)
        if (!uuid_is_nil(&sold->keys[i].key))
            hold(arena, facts, plan, &sold->keys[i]);
}
