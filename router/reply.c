#include "router/reply.h"

#include "common/json.h"
#include "proto/money.h"
#include "proto/problem.h"
#include "router/confirm.h"

#include <inttypes.h>
#include <stdio.h>

/* Prints into the arena and frees the value. */
static struct span print(struct arena *arena, struct json **value)
{
    struct buf *buf = buf_new(512);
    struct span text;

    json_print(*value, buf);
    json_free(value);
    text = arena_copy(arena, buf_span(buf));
    buf_free(&buf);
    return text;
}

static void set_uuid(struct json *object, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_BYTES];

    json_set_text(object, key, span_of(uuid_text(id, text)));
}

static void set_money(struct json *object, const char *key, int64_t cents)
{
    char text[MONEY_TEXT_BYTES];

    json_set_text(object, key, span_of(money_text(cents, text)));
}

/* The answer ---------------------------------------------------------------------------------------------------------- */

static enum answer_form form_of(const struct plan *plan)
{
    return plan->source != NULL ? plan->source->answer : ANSWER_SALE; /* a source may have gone while buyers were asked */
}

static struct json *buyers_json(const struct decision *decision)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < decision->sale_count; i++) {
        struct json *item = json_new_object();

        json_set_text(item, "buyer_id", decision->sales[i].buyer_id);
        set_money(item, "price", decision->sales[i].price_cents);
        json_push(list, item);
    }
    return list;
}

/* Where the first buyer that says so wants the person to be sent. */
static void set_redirect(struct json *data, const struct decision *decision)
{
    for (size_t i = 0; i < decision->sale_count; i++)
        if (decision->sales[i].redirect_url.len > 0) {
            json_set_text(data, "redirect_url", decision->sales[i].redirect_url);
            return;
        }
}

/* Sold or not: what the source is to know of it. */
static void answer_sale(struct arena *arena, struct decision *decision)
{
    const struct plan *plan = decision->plan;
    enum answer_form form = form_of(plan);
    bool is_sold = decision->sale_count > 0;
    struct json *body = json_new_object(), *data = json_new_object();

    set_uuid(data, "id", &plan->lead->id);
    if (form == ANSWER_RECEIVED) {
        json_set_text(data, "status", SPAN("RECEIVED"));
    } else {
        json_set_text(data, "status", span_of(lead_state_word(decision->state)));
        json_set(data, "buyer_id", is_sold ? json_new_text(decision->sales[0].buyer_id) : json_new_null());
        json_set_text(data, "campaign_id", plan->lead->campaign_id);
        if (plan->lead->is_test)
            json_set_bool(data, "is_test", true);
    }
    if (form == ANSWER_FULL && is_sold) {
        json_set(data, "buyers", buyers_json(decision));
        set_money(data, "price", decision->price_cents);
    }
    if (form != ANSWER_RECEIVED)
        set_redirect(data, decision);
    json_set(body, "data", data);
    decision->answer_status = is_sold && form != ANSWER_RECEIVED ? 201 : 200;
    decision->answer_body = print(arena, &body);
}

/* What the supplier gets of a lead that was recorded but not taken; of a used ping that lead which has used it, no more than it was told then. */
static struct json *refused_data(const struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    const struct ping_use *use = decision->use;
    struct json *data = json_new_object();

    set_uuid(data, "id", use != NULL ? &use->lead_id : &lead->id);
    if (use != NULL && form_of(decision->plan) == ANSWER_RECEIVED) {
        json_set_text(data, "status", SPAN("RECEIVED"));
        return data;
    }
    json_set_text(data, "status", use != NULL ? use->status : span_of(lead_state_word(decision->state)));
    if (use != NULL)
        json_set(data, "buyer_id", use->buyer_id.len > 0 ? json_new_text(use->buyer_id) : json_new_null());
    json_set(data, "campaign_id", lead->campaign_id.len > 0 ? json_new_text(lead->campaign_id) : json_new_null());
    if (!uuid_is_nil(&decision->duplicate_of))
        set_uuid(data, "duplicate_of", &decision->duplicate_of);
    return data;
}

static void answer_problem(struct arena *arena, struct decision *decision)
{
    const struct lead *lead = decision->plan->lead;
    bool is_verdict = decision->reason == decision->plan->verdict;
    struct problem problem = {.reason = decision->reason};
    struct buf *buf = buf_new(512);

    problem.message = decision->message;
    if (is_verdict && lead->message.len > 0)
        problem.message = arena_text(arena, lead->message);
    if (is_verdict && lead->errors.count > 0)
        problem.errors = &lead->errors;
    if (decision->action == ACTION_RECORD)
        problem.data = refused_data(decision);
    problem_print(&problem, &lead->request_id, buf);
    decision->answer_status = reason_http(decision->reason);
    decision->answer_body = arena_copy(arena, buf_span(buf));
    buf_free(&buf);
}

/* The row ------------------------------------------------------------------------------------------------------------- */

static void fill_fields(struct arena *arena, struct decision *decision)
{
    const struct field_list *fields = &decision->plan->lead->fields;
    struct json *object = json_new_object();

    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        const char *name = arena_text(arena, field->name);
        struct json *number;

        switch (field->kind) {
        case VALUE_TEXT:
            json_set_text(object, name, field->text);
            break;
        case VALUE_NUMBER:
            number = json_new_number(field->text);
            json_set(object, name, number != NULL ? number : json_new_text(field->text));
            break;
        case VALUE_BOOL:
            json_set_bool(object, name, span_is(field->text, "true"));
            break;
        case VALUE_NESTED:
            break;
        }
    }
    decision->fields = print(arena, &object);
}

static void fill_reasons(struct arena *arena, struct decision *decision)
{
    const struct field_errors *errors = &decision->plan->lead->errors;
    struct json *list = json_new_list();

    if (decision->reason == decision->plan->verdict && decision->reason != REASON_NONE && errors->count > 0) {
        for (size_t i = 0; i < errors->count; i++) {
            struct json *item = json_new_object();

            json_set_text(item, "code", errors->items[i].code);
            json_set_text(item, "field", errors->items[i].field);
            json_set_text(item, "message", errors->items[i].message);
            json_push(list, item);
        }
    } else if (decision->reason != REASON_NONE) {
        struct json *item = json_new_object();

        json_set_text(item, "code", span_of(reason_word(decision->reason)));
        json_set(item, "field", json_new_null());
        json_set_text(item, "message", span_of(decision->message != NULL ? decision->message : reason_message(decision->reason)));
        json_push(list, item);
    }
    decision->reasons = print(arena, &list);
}

/* The trail ----------------------------------------------------------------------------------------------------------- */

static bool reason_is_of_ping(enum reason reason)
{
    return reason == REASON_PING_REQUIRED || reason == REASON_PING_EXPIRED || reason == REASON_PING_MISMATCH || reason == REASON_PING_USED;
}

const char *reply_step(const struct decision *decision)
{
    if (decision->reason != REASON_NONE && decision->reason == decision->plan->verdict)
        return "validation";
    if (decision->action == ACTION_STEP)
        return "confirm";
    if (reason_is_of_ping(decision->reason))
        return "ping";
    return decision->state == LEAD_DUPLICATE ? "duplicates" : "sale";
}

/* Written by hand: of fifty contracts a tree of JSON would cost more than deciding the lead. */
static void put(struct buf *out, const char *key, struct span text)
{
    buf_add_text(out, key);
    json_print_text(text, out);
}

enum { CAP_TEXT_BYTES = 96 };

static const char *cap_text(const struct cap *cap, char out[CAP_TEXT_BYTES])
{
    char budget[MONEY_TEXT_BYTES];

    if (cap->leads >= 0 && cap->cents >= 0)
        snprintf(out, CAP_TEXT_BYTES, "%s: %" PRId64 " leads, %s", window_word(cap->window), cap->leads, money_text(cap->cents, budget));
    else if (cap->leads >= 0)
        snprintf(out, CAP_TEXT_BYTES, "%s: %" PRId64 " leads", window_word(cap->window), cap->leads);
    else
        snprintf(out, CAP_TEXT_BYTES, "%s: %s", window_word(cap->window), money_text(cap->cents, budget));
    return out;
}

static void put_cap(struct buf *out, const struct cap *cap)
{
    char text[CAP_TEXT_BYTES];

    put(out, ",\"detail\":", span_of(cap_text(cap, text)));
}

/* A price, and how it came about when it is a bid: "31.50, bid in 12 ms". */
static void put_price(struct buf *out, int64_t price_cents, struct span bid)
{
    char text[96], price[MONEY_TEXT_BYTES];

    money_text(price_cents, price);
    snprintf(text, sizeof text, "%s, %.*s", price, SPAN_FMT(bid));
    put(out, ",\"detail\":", span_of(bid.len > 0 ? text : price));
}

/* A contract that was not passed over, and its price. */
static void put_chosen(struct buf *out, struct span contract_id, const char *decision, int64_t price_cents, struct span bid)
{
    put(out, "{\"contract_id\":", contract_id);
    put(out, ",\"decision\":", span_of(decision));
    put_price(out, price_cents, bid);
}

static void put_candidate(struct buf *out, const struct candidate *candidate)
{
    if (candidate->pass == PASS_NONE || candidate->pass == PASS_ASKED || candidate->pass == PASS_LATER) {
        put_chosen(out, candidate->contract->id, candidate->pass == PASS_NONE ? "sold" : candidate->pass == PASS_ASKED ? "asked" : "asked_later",
                   candidate->price_cents, candidate->bid);
    } else {
        put(out, "{\"contract_id\":", candidate->contract->id);
        put(out, ",\"decision\":", candidate->pass == PASS_SOLD_OUT ? SPAN("not_needed") : SPAN("passed_over"));
        put(out, ",\"reason\":", span_of(pass_word(candidate->pass)));
        if (candidate->detail.len > 0)
            put(out, ",\"detail\":", candidate->detail);
        else if (candidate->full != NULL)
            put_cap(out, candidate->full);
        else if (candidate->bid.len > 0)
            put_price(out, candidate->price_cents, candidate->bid);
    }
    buf_add_text(out, "}");
}

/* Would have been asked later, and is not: there is no room, or no time, any more. Those behind max_sells need no telling. */
static bool is_out(const struct decision *decision, const struct candidate *candidate)
{
    return candidate->pass != PASS_NONE && candidate->pass != PASS_ASKED && candidate->pass != PASS_LATER && candidate->pass != PASS_SOLD_OUT &&
           !confirm_was_asked(decision->distributing, candidate->contract->id);
}

/* What one buyer said, who is passed over now, and who is asked next. */
static void put_step(struct buf *out, const struct decision *decision)
{
    const struct try *settled = decision->settled;
    const char *separator = "[";

    if (settled != NULL) {
        buf_add_text(out, separator);
        put_chosen(out, settled->contract_id, settled->state == TRY_ACCEPTED ? "accepted" : "refused", settled->price_cents, SPAN(""));
        if (settled->state == TRY_REFUSED)
            put(out, ",\"reason\":", decision->is_late ? SPAN("no_answer_in_time") : span_is(settled->word, "REJECTED") ? SPAN("buyer_rejected") :
                span_is(settled->word, "DUPLICATE") ? SPAN("buyer_duplicate") : SPAN("no_answer"));
        buf_add_text(out, "}");
        separator = ",";
    }
    for (size_t i = 0; i < decision->plan->eligible_count; i++)
        if (is_out(decision, &decision->plan->candidates[i])) {
            buf_add_text(out, separator);
            put_candidate(out, &decision->plan->candidates[i]);
            separator = ",";
        }
    if (decision->asked != NULL) {
        buf_add_text(out, separator);
        put_chosen(out, decision->asked->contract_id, "asked", decision->asked->price_cents, SPAN(""));
        buf_add_text(out, "}]");
        return;
    }
    buf_add_text(out, separator);
    put(out, "{\"decision\":", decision->state == LEAD_ACCEPTED ? SPAN("sold") : SPAN("unmatched"));
    buf_add_text(out, "}]");
}

/* Why it came to no sale, or to none of its contracts: "source, day: 100 leads", "phone: 30 days, lead 0193…". */
static void put_refusal(struct buf *out, const struct decision *decision)
{
    char text[CAP_TEXT_BYTES + 32], cap[CAP_TEXT_BYTES];

    put(out, "{\"decision\":", decision->state == LEAD_DUPLICATE ? SPAN("duplicate") : SPAN("rejected"));
    put(out, ",\"reason\":", span_of(reason_word(decision->reason)));
    if (decision->reason == REASON_SOURCE_CAPPED && decision->full != NULL) {
        snprintf(text, sizeof text, "%s, %s", decision->whose, cap_text(decision->full, cap));
        put(out, ",\"detail\":", span_of(text));
    } else if (decision->reason == REASON_SOURCE_PAUSED) {
        put(out, ",\"detail\":", span_of(decision->whose));
    } else if (decision->reason == REASON_DUPLICATE) {
        put(out, ",\"detail\":", decision->matched);
    } else if (decision->message != NULL) {
        put(out, ",\"detail\":", span_of(decision->message));
    }
    buf_add_text(out, "}");
}

/* The contracts that were judged, and why it is none of theirs if that is so. */
static void put_decisions(struct buf *out, const struct decision *decision)
{
    const struct plan *plan = decision->plan;
    size_t count = decision->has_candidates ? plan->candidate_count : 0;
    bool is_refused = decision->state == LEAD_REJECTED || decision->state == LEAD_DUPLICATE;

    buf_add_text(out, "[");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i > 0 ? "," : "");
        put_candidate(out, &plan->candidates[i]);
    }
    if (is_refused || count == 0) {
        buf_add_text(out, count > 0 ? "," : "");
        if (is_refused)
            put_refusal(out, decision);
        else
            buf_add_text(out, "{\"decision\":\"unmatched\",\"reason\":\"no_contracts\"}");
    }
    buf_add_text(out, "]");
}

static void fill_trail(struct arena *arena, struct decision *decision)
{
    struct buf *out = buf_new(256 + decision->plan->candidate_count * 80);

    if (decision->action == ACTION_STEP)
        put_step(out, decision);
    else
        put_decisions(out, decision);
    decision->trail = arena_copy(arena, buf_span(out));
    buf_free(&out);
}

void reply_fill(struct arena *arena, struct decision *decision)
{
    switch (decision->action) {
    case ACTION_REPEAT:
        decision->answer_status = decision->recorded->status;
        decision->answer_body = decision->recorded->body;
        return;
    case ACTION_FOLLOW:
        decision->answer_status = decision->follows->answer_status;
        decision->answer_body = decision->follows->answer_body;
        return;
    case ACTION_REFUSE:
        if (decision->reason == REASON_UNAVAILABLE || decision->reason == REASON_INTERNAL) {
            decision->answer_status = reason_http(decision->reason);
            decision->answer_body = SPAN("");
        } else {
            answer_problem(arena, decision);
        }
        return;
    case ACTION_WAIT:
        return;
    case ACTION_STEP:
    case ACTION_RECORD:
        break;
    }
    if (decision->state == LEAD_ACCEPTED || decision->state == LEAD_UNMATCHED)
        answer_sale(arena, decision);
    else if (decision->state == LEAD_DISTRIBUTING)
        decision->answer_body = SPAN(""); /* nobody is answered yet */
    else
        answer_problem(arena, decision);
    if (decision->action == ACTION_RECORD)
        fill_fields(arena, decision);
    fill_reasons(arena, decision);
    fill_trail(arena, decision);
}
