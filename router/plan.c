#include "router/plan.h"

#include "proto/key.h"
#include "proto/normal.h"
#include "router/duplicate.h"
#include "router/suppressed.h"
#include "router/offer.h"

/* Also of a campaign that calls its phone or e-mail mere text: suppliers look all up alike. */
static struct uuid lookup_key(struct arena *arena, const struct catalog *catalog, const struct lead *lead, struct span name, enum field_type type)
{
    const struct field *field = field_find(&lead->fields, name);
    struct span form = {NULL, 0};

    if (field != NULL)
        form = type == FIELD_PHONE ? normal_phone(arena, field->text, false) : normal_email(arena, field->text);
    if (form.ptr == NULL)
        return (struct uuid){{0}};
    return key_lookup(catalog->secret, lead->supplier_id, name, normal_match(arena, type, form));
}

/* Pings ------------------------------------------------------------------------------------------------------------------- */

void plan_said(struct arena *arena, const struct campaign *campaign, const struct lead *lead, struct field_list *said)
{
    said->items = arena_alloc(arena, (lead->fields.count + lead->undefined.count) * sizeof *said->items);
    said->count = 0;
    for (size_t i = 0; i < lead->fields.count; i++) {
        const struct field *field = &lead->fields.items[i];
        const struct field_spec *spec = campaign_field(campaign, field->name);

        said->items[said->count] = *field;
        if (spec != NULL)
            said->items[said->count].text = normal_match(arena, spec->type, field->text);
        said->count++;
    }
    for (size_t i = 0; i < lead->undefined.count; i++)
        said->items[said->count++] = lead->undefined.items[i];
}

/* What is wrong between the lead and the ping that it names, or NULL. */
static const char *ping_mismatch(struct arena *arena, const struct campaign *campaign, const struct lead *lead, const struct ping_token *ping)
{
    struct field_list said;

    if (lead->mode == MODE_ADOPTED)
        return NULL; /* found right when it was recorded */
    if (!span_equal(ping->supplier_id, lead->supplier_id))
        return "flo_ping_id is of another supplier";
    if (!span_equal(ping->campaign_id, lead->campaign_id))
        return "flo_ping_id is of another campaign";
    if (ping->is_test != lead->is_test)
        return "a test's ping is for test leads only, and no other is";
    plan_said(arena, campaign, lead, &said);
    if (!ping_token_agrees(arena, ping, &said))
        return "fields that were in the ping are not as they were";
    if (lead->wanted_buyer_id.len > 0 && !ping_token_offers(ping, lead->wanted_buyer_id))
        return "flo_buyer_id is no buyer of the ping";
    return NULL;
}

static void read_ping(struct arena *arena, const struct ping_keys *keys, struct plan *plan)
{
    struct ping_token *ping = arena_alloc(arena, sizeof *ping);

    switch (ping_token_open(arena, keys, plan->lead->ping_id, ping)) {
    case PING_TOKEN_GOOD:
        plan->ping_message = ping_mismatch(arena, plan->campaign, plan->lead, ping);
        break;
    case PING_TOKEN_NO_KEY:
        plan->lacks_ping_key = true;
        plan->ping_message = "flo_ping_id is not one of ours";
        break;
    case PING_TOKEN_BAD:
        plan->ping_message = "flo_ping_id is not one of ours";
        break;
    }
    if (plan->ping_message != NULL)
        plan->ping_fault = REASON_PING_MISMATCH;
    else
        plan->ping = ping;
}

static bool needs_ping(const struct plan *plan)
{
    return plan->campaign->is_ping_post && plan->lead->mode == MODE_INGEST;
}

/* Who may buy it, by the campaign's order or by what was offered. */
static void make_candidates(struct arena *arena, const struct quotes *quotes, struct plan *plan)
{
    const struct lead *lead = plan->lead;

    plan->candidates = rank_candidates(arena, plan->campaign, &lead->fields, &plan->candidate_count, &plan->eligible_count);
    suppressed_pass_over(arena, lead->on_lists, plan->candidates, &plan->eligible_count);
    if (plan->ping != NULL)
        offer_lock(plan->ping, plan->candidates, &plan->eligible_count);
    else
        offer_bids(arena, plan->campaign, quotes, plan->candidates, &plan->eligible_count);
    if (lead->wanted_buyer_id.len > 0)
        offer_only(lead->wanted_buyer_id, plan->candidates, &plan->eligible_count);
}

void plan_make(struct arena *arena, const struct catalog *catalog, const struct ping_keys *keys, const struct lead *lead, const struct quotes *quotes,
               struct plan *plan)
{
    int verdict = reason_of(lead->reason);

    *plan = (struct plan){.lead = lead, .verdict = verdict >= 0 ? (enum reason)verdict : REASON_INTERNAL};
    plan->campaign = lead->campaign_id.len > 0 ? catalog_campaign(catalog, lead->campaign_id) : NULL;
    plan->source = plan->campaign != NULL ? campaign_source(plan->campaign, lead->supplier_id) : NULL;
    if (lead->mode != MODE_PING) {
        plan->phone_key = lookup_key(arena, catalog, lead, SPAN("phone"), FIELD_PHONE);
        plan->email_key = lookup_key(arena, catalog, lead, SPAN("email"), FIELD_EMAIL);
    }
    if (plan->verdict != REASON_NONE) {
        duplicate_make_keys(arena, catalog->secret, plan);
        return;
    }
    if (plan->campaign == NULL || plan->source == NULL || plan->source->supplier == NULL) {
        plan->verdict = REASON_CAMPAIGN_NOT_FOUND;
        return;
    }
    if (lead->ping_id.len > 0)
        read_ping(arena, keys, plan);
    else if (needs_ping(plan))
        plan->ping_fault = REASON_PING_REQUIRED;
    if (plan->ping_fault == REASON_NONE)
        make_candidates(arena, quotes, plan);
    duplicate_make_keys(arena, catalog->secret, plan);
}

bool plan_needs_bids(const struct catalog *catalog, const struct lead *lead)
{
    const struct campaign *campaign = lead->reason.len == 0 && lead->ping_id.len == 0 ? catalog_campaign(catalog, lead->campaign_id) : NULL;

    if (campaign == NULL || (campaign->is_ping_post && lead->mode == MODE_INGEST))
        return false;
    for (size_t i = 0; i < campaign->contract_count; i++)
        if (quote_is_needed(campaign, campaign->contracts[i].buyer))
            return true;
    return false;
}
