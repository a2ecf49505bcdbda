#include "router/tell.h"

#include "common/metrics.h"
#include "common/must.h"
#include "proto/reason.h"

#include <stdlib.h>

enum { LEASE_SLACK_MS = 15000 }; /* over the buyer's time limit: what a delivery may wait in its dispatcher */

struct tell {
    struct stage *stage;
    struct buf *item; /* for encoding, used again and again */
    int64_t answered;
    struct metric *leads_by_state[LEAD_STATE_COUNT], *gave_up;
};

struct tell *tell_new(struct stage *stage)
{
    struct tell *tell = must_zalloc(sizeof *tell);

    tell->stage = stage;
    tell->item = buf_new(4096);
#define LEAD_STATE(name, meaning)                                                                                      \
    tell->leads_by_state[LEAD_##name] = metric_counter("leadline_leads_total", "status=\"" #name "\"", "Leads recorded, by their first status.");
#include "proto/lead_state.def"
#undef LEAD_STATE
    tell->gave_up = metric_counter("leadline_patterns_given_up_total", NULL, "Patterns of filters whose search took too long: no match.");
    return tell;
}

void tell_free(struct tell **tell)
{
    if (*tell == NULL)
        return;
    buf_free(&(*tell)->item);
    free(*tell);
    *tell = NULL;
}

int64_t tell_answered(const struct tell *tell)
{
    return tell->answered;
}

void tell_prepare(struct tell *tell, struct arena *arena, const struct facts *facts, struct decision *decision)
{
    struct neighbours *dispatchers = stage_neighbours(tell->stage, STAGE_DISPATCHER);

    for (size_t i = 0; decision->action == ACTION_RECORD && i < decision->sale_count; i++) {
        struct sale *sale = &decision->sales[i];
        struct neighbour *dispatcher = neighbours_by_key(dispatchers, sale->buyer_id);

        sale->delivery_id = uuid_v7(facts->now_us / 1000);
        sale->lease_until_us = facts->now_us;
        if (dispatcher == NULL || sale->lease_ms == 0)
            continue;
        sale->dispatcher = arena_copy(arena, neighbour_name(dispatcher));
        sale->lease_until_us += (sale->lease_ms + LEASE_SLACK_MS) * 1000;
    }
    if (decision->asked != NULL) {
        struct neighbour *dispatcher = neighbours_by_key(dispatchers, decision->asked->buyer_id);

        decision->asked->delivery_id = uuid_v7(facts->now_us / 1000);
        decision->asked->dispatcher = dispatcher != NULL ? arena_copy(arena, neighbour_name(dispatcher)) : SPAN("");
    }
}

void tell_answer(struct tell *tell, const struct lead *lead, int status, struct span body, int64_t least_version, bool is_recorded)
{
    struct neighbour *gateway = neighbours_by_name(stage_neighbours(tell->stage, STAGE_GATEWAY), lead->gateway);
    struct answer answer = {.id = lead->id, .status = status, .body = body, .least_version = least_version, .is_recorded = is_recorded};

    tell->answered++;
    if (gateway == NULL)
        return; /* its supplier saw a broken connection */
    tell->item->len = 0;
    frame_put_answer(tell->item, &answer);
    neighbour_add(gateway, FRAME_ANSWERS, buf_span(tell->item));
}

void tell_unavailable(struct tell *tell, const struct lead *lead)
{
    tell_answer(tell, lead, reason_http(REASON_UNAVAILABLE), SPAN(""), 0, false);
}

static void send_delivery(struct tell *tell, struct span to, const struct delivery *delivery)
{
    struct neighbour *dispatcher = neighbours_by_name(stage_neighbours(tell->stage, STAGE_DISPATCHER), to);

    if (dispatcher == NULL)
        return;
    tell->item->len = 0;
    frame_put_delivery(tell->item, delivery);
    neighbour_add(dispatcher, FRAME_DELIVERIES, buf_span(tell->item));
}

/* A hint to the dispatcher that holds the lease. One that is lost costs the time of the lease. */
static void hint(struct tell *tell, const struct facts *facts, const struct decision *decision, const struct sale *sale)
{
    const struct lead *lead = decision->plan->lead;
    struct delivery delivery = {
        .id = sale->delivery_id, .lead_id = lead->id, .buyer_id = sale->buyer_id, .campaign_id = lead->campaign_id,
        .price_cents = sale->price_cents, .is_test = lead->is_test, .sold_at_ms = facts->now_us / 1000,
        .lease_until_ms = sale->lease_until_us / 1000, .attempt = 0, .fields = lead->fields,
    };

    send_delivery(tell, sale->dispatcher, &delivery);
}

/* The post on whose answer the sale depends. One that is lost costs this buyer its chance. */
static void ask_buyer(struct tell *tell, const struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    const struct try *asked = decision->asked;
    struct delivery delivery = {
        .id = asked->delivery_id, .lead_id = lead->id, .buyer_id = asked->buyer_id, .campaign_id = lead->campaign_id,
        .price_cents = asked->price_cents, .is_test = lead->is_test, .sold_at_ms = asked->reserved_us / 1000,
        .lease_until_ms = asked->deadline_us / 1000, .attempt = 0, .fields = lead->fields, .confirm_ms = asked->limit_ms,
    };

    send_delivery(tell, asked->dispatcher, &delivery);
}

void tell_decision(struct tell *tell, const struct facts *facts, const struct decision *decision)
{
    bool is_recorded = decision->action != ACTION_REFUSE;

    if (decision->action == ACTION_WAIT)
        return;
    if (decision->action == ACTION_RECORD || decision->action == ACTION_STEP)
        for (size_t i = 0; i < decision->plan->candidate_count; i++)
            metric_add(tell->gave_up, (int64_t)decision->plan->candidates[i].gave_up);
    if (decision->asked != NULL) {
        ask_buyer(tell, decision);
        return;
    }
    tell_answer(tell, decision->plan->lead, (int)decision->answer_status, decision->answer_body, 0, is_recorded);
    if (decision->action == ACTION_RECORD || decision->action == ACTION_STEP)
        metric_add(tell->leads_by_state[decision->state], 1);
    for (size_t i = 0; decision->action == ACTION_RECORD && i < decision->sale_count; i++)
        hint(tell, facts, decision, &decision->sales[i]);
}
