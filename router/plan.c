#include "router/plan.h"

#include "proto/key.h"
#include "proto/normal.h"
#include "router/duplicate.h"
#include "router/suppressed.h"

static struct uuid lookup_key(struct arena *arena, const struct catalog *catalog, const struct lead *lead, struct span name, enum field_type type)
{
    const struct field *field = field_find(&lead->fields, name);

    if (field == NULL)
        return (struct uuid){{0}};
    return key_lookup(catalog->secret, lead->supplier_id, name, normal_match(arena, type, field->text));
}

void plan_make(struct arena *arena, const struct catalog *catalog, const struct lead *lead, int64_t left_ms, struct plan *plan)
{
    int verdict = reason_of(lead->reason);

    *plan = (struct plan){.lead = lead, .left_ms = left_ms, .verdict = verdict >= 0 ? (enum reason)verdict : REASON_INTERNAL};
    plan->campaign = lead->campaign_id.len > 0 ? catalog_campaign(catalog, lead->campaign_id) : NULL;
    plan->source = plan->campaign != NULL ? campaign_source(plan->campaign, lead->supplier_id) : NULL;
    plan->phone_key = lookup_key(arena, catalog, lead, SPAN("phone"), FIELD_PHONE);
    plan->email_key = lookup_key(arena, catalog, lead, SPAN("email"), FIELD_EMAIL);
    if (plan->verdict != REASON_NONE) {
        duplicate_make_keys(arena, catalog->secret, plan);
        return;
    }
    if (plan->campaign == NULL || plan->source == NULL || plan->source->supplier == NULL) {
        plan->verdict = REASON_CAMPAIGN_NOT_FOUND;
        return;
    }
    plan->candidates = rank_candidates(arena, plan->campaign, &lead->fields, &plan->candidate_count, &plan->eligible_count);
    suppressed_pass_over(arena, lead->on_lists, plan->candidates, &plan->eligible_count);
    duplicate_make_keys(arena, catalog->secret, plan);
}
