#include "router/plan.h"

#include "proto/key.h"
#include "proto/normal.h"
#include "router/suppressed.h"

static const int64_t DAY_US = INT64_C(86400000000);

/* Adds a key; two rules over the same fields have one key and the longer window. */
static void add_key(struct plan *plan, const struct uuid *key, int64_t window_us)
{
    for (size_t i = 0; i < plan->key_count; i++)
        if (uuid_compare(&plan->keys[i].key, key) == 0) {
            if (window_us > plan->keys[i].window_us)
                plan->keys[i].window_us = window_us;
            return;
        }
    plan->keys[plan->key_count++] = (struct lead_key){*key, window_us};
}

static void make_keys(struct arena *arena, const struct catalog *catalog, struct plan *plan)
{
    const struct campaign *campaign = plan->campaign;

    plan->keys = arena_alloc(arena, campaign->duplicate_count * sizeof *plan->keys);
    for (size_t i = 0; i < campaign->duplicate_count; i++) {
        struct uuid key;

        if (key_of_lead(catalog->secret, arena, campaign, &campaign->duplicates[i], &plan->lead->fields, &key))
            add_key(plan, &key, campaign->duplicates[i].window_days * DAY_US);
    }
}

static struct uuid lookup_key(struct arena *arena, const struct catalog *catalog, const struct lead *lead, struct span name, enum field_type type)
{
    const struct field *field = field_find(&lead->fields, name);

    if (field == NULL)
        return (struct uuid){{0}};
    return key_lookup(catalog->secret, lead->supplier_id, name, normal_match(arena, type, field->text));
}

void plan_make(struct arena *arena, const struct catalog *catalog, const struct lead *lead, struct plan *plan)
{
    int verdict = reason_of(lead->reason);

    *plan = (struct plan){.lead = lead, .verdict = verdict >= 0 ? (enum reason)verdict : REASON_INTERNAL};
    plan->campaign = lead->campaign_id.len > 0 ? catalog_campaign(catalog, lead->campaign_id) : NULL;
    plan->source = plan->campaign != NULL ? campaign_source(plan->campaign, lead->supplier_id) : NULL;
    plan->phone_key = lookup_key(arena, catalog, lead, SPAN("phone"), FIELD_PHONE);
    plan->email_key = lookup_key(arena, catalog, lead, SPAN("email"), FIELD_EMAIL);
    if (plan->verdict != REASON_NONE)
        return;
    if (plan->campaign == NULL || plan->source == NULL || plan->source->supplier == NULL) {
        plan->verdict = REASON_CAMPAIGN_NOT_FOUND;
        return;
    }
    make_keys(arena, catalog, plan);
    plan->candidates = rank_candidates(arena, plan->campaign, &lead->fields, &plan->candidate_count, &plan->eligible_count);
    suppressed_pass_over(arena, lead->on_lists, plan->candidates, &plan->eligible_count);
}
