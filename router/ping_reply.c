#include "router/ping_reply.h"

#include "common/clock.h"
#include "proto/money.h"
#include "proto/problem.h"
#include "router/plan.h"

enum { ROOM_BYTES = 1024 };

/* Takes *buf. */
static struct span finish(struct arena *arena, struct buf **buf)
{
    struct span text = arena_copy(arena, buf_span(*buf));

    buf_free(buf);
    return text;
}

/* Nobody buys. Ids and words hold nothing that JSON would escape; messages do. */
static struct ping_reply decline(struct arena *arena, const char *word, const char *message)
{
    struct json *body = json_new_object();
    struct buf *buf = buf_new(ROOM_BYTES);

    json_set_bool(body, "accepted", false);
    json_set_text(body, "reason", span_of(word));
    json_set_text(body, "message", span_of(message));
    json_print(body, buf);
    json_free(&body);
    return (struct ping_reply){200, finish(arena, &buf), word};
}

static struct ping_reply refuse(struct arena *arena, const struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    struct problem problem = {.reason = decision->reason};
    struct buf *buf = buf_new(ROOM_BYTES);

    if (lead->message.len > 0)
        problem.message = arena_text(arena, lead->message);
    if (lead->errors.count > 0)
        problem.errors = &lead->errors;
    problem_print(&problem, &lead->request_id, buf);
    return (struct ping_reply){reason_http(decision->reason), finish(arena, &buf), "refused"};
}

/* The offers, best first. */
static void add_offers(struct arena *arena, const struct plan *plan, struct ping_token *token)
{
    token->offers = arena_alloc(arena, plan->eligible_count * sizeof *token->offers);
    for (size_t i = 0; i < plan->eligible_count; i++)
        if (plan->candidates[i].pass == PASS_NONE)
            token->offers[token->offer_count++] = (struct ping_offer){
                .contract_id = plan->candidates[i].contract->id, .buyer = ping_token_hash(plan->candidates[i].contract->buyer->id),
                .price_cents = plan->candidates[i].price_cents, .exclusive_cents = plan->candidates[i].exclusive_cents,
            };
}

static void add_buyers(const struct plan *plan, size_t count, struct buf *body)
{
    char price[MONEY_TEXT_BYTES];

    for (size_t i = 0, n = 0; i < plan->eligible_count && n < count; i++) {
        const struct candidate *candidate = &plan->candidates[i];

        if (candidate->pass != PASS_NONE)
            continue;
        buf_add_text(body, n++ > 0 ? ",{\"buyer_id\":\"" : "{\"buyer_id\":\"");
        buf_add_span(body, candidate->contract->buyer->id);
        buf_add_text(body, "\",\"price\":\"");
        buf_add_text(body, money_text(candidate->price_cents, price));
        if (plan->campaign->max_sells > 1 && !plan->campaign->is_confirmed && candidate->exclusive_cents > 0) {
            buf_add_text(body, "\",\"exclusive_price\":\"");
            buf_add_text(body, money_text(candidate->exclusive_cents, price));
        }
        buf_add_text(body, "\"}");
    }
}

static struct ping_reply offer(struct arena *arena, const struct ping_keys *keys, const struct decision *decision, int64_t now_ms)
{
    const struct plan *plan = decision->plan;
    struct ping_token token = {
        .ping_id = plan->lead->id, .expires_at_ms = now_ms + plan->campaign->ping_seconds * 1000, .is_test = plan->lead->is_test,
        .supplier_id = plan->lead->supplier_id, .campaign_id = plan->campaign->id,
    };
    struct buf *body = buf_new(ROOM_BYTES);
    struct field_list said;
    char at[CLOCK_TEXT_BYTES];
    size_t count;

    plan_said(arena, plan->campaign, plan->lead, &said);
    ping_token_fields(arena, &said, &token);
    add_offers(arena, plan, &token);
    buf_add_text(body, "{\"accepted\":true,\"ping_id\":\"");
    count = ping_token_seal(keys, &token, body);
    buf_add_text(body, "\",\"expires_at\":\"");
    buf_add_text(body, clock_text(token.expires_at_ms, at));
    buf_add_text(body, "\",\"buyers\":[");
    add_buyers(plan, count, body);
    buf_add_text(body, "],\"message\":\"Lead accepted\"}");
    return (struct ping_reply){200, finish(arena, &body), "accepted"};
}

struct ping_reply ping_reply(struct arena *arena, const struct ping_keys *keys, const struct decision *decision, int64_t now_ms)
{
    enum reason reason = decision->reason;

    if (reason == REASON_NONE && keys->count == 0)
        return (struct ping_reply){reason_http(REASON_UNAVAILABLE), SPAN(""), "refused"};
    if (reason == REASON_NONE)
        return offer(arena, keys, decision, now_ms);
    if (reason == REASON_FILTERED || reason == REASON_SUPPRESSED)
        return decline(arena, reason_word(reason), reason_message(reason));
    if (reason == REASON_DUPLICATE)
        return decline(arena, "duplicate", reason_message(reason));
    if (reason == REASON_UNMATCHED && decision->is_full)
        return decline(arena, "capped", "every buyer that would take this lead is full");
    if (reason == REASON_UNMATCHED)
        return decline(arena, "no_buyer", reason_message(reason));
    return refuse(arena, decision);
}
