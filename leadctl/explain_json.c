#include "leadctl/explain_json.h"

#include "common/clock.h"
#include "common/must.h"
#include "proto/money.h"
#include "router/reply.h"

#include <stdlib.h>

static struct json *text_or_null(struct span text)
{
    return text.len > 0 ? json_new_text(text) : json_new_null();
}

static struct json *money(int64_t cents)
{
    char text[MONEY_TEXT_BYTES];

    return json_new_text(span_of(money_text(cents, text)));
}

/* JSON that the router's own functions have written. */
static struct json *parsed(struct span text)
{
    struct json *value;
    struct error err;

    if (text.len == 0)
        return json_new_null();
    value = json_parse(text, &err);
    must(value != NULL);
    return value;
}

static bool is_recorded(const struct explanation *e)
{
    return e->decision.action == ACTION_RECORD;
}

static void set_decided_at(struct json *object, const char *key, const struct explanation *e)
{
    char at[CLOCK_TEXT_BYTES];

    json_set_text(object, key, span_of(clock_text(e->decided_at_us / 1000, at)));
}

/* The parts ----------------------------------------------------------------------------------------------------------- */

static struct json *reasons_json(const struct explanation *e, const struct json *answer)
{
    struct json *list, *item;

    if (is_recorded(e))
        return parsed(e->decision.reasons);
    list = json_new_list();
    item = json_new_object();
    json_set_text(item, "code", span_of(reason_word(e->decision.reason)));
    json_set(item, "field", json_new_null());
    json_set(item, "message", text_or_null(json_get_text(answer, "message")));
    json_push(list, item);
    return list;
}

static struct json *sales_json(const struct explanation *e)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < e->decision.sale_count; i++) {
        const struct sale *sale = &e->decision.sales[i];
        struct json *item = json_new_object();

        json_set_text(item, "buyer_id", sale->buyer_id);
        json_set_text(item, "contract_id", sale->contract_id);
        json_set(item, "price", money(sale->price_cents));
        json_set(item, "state", json_new_null());
        json_set(item, "sold_at", json_new_null());
        json_push(list, item);
    }
    return list;
}

static struct span buyer_of(const struct explanation *e, struct span contract_id)
{
    for (size_t i = 0; i < e->plan.candidate_count; i++)
        if (span_equal(e->plan.candidates[i].contract->id, contract_id))
            return e->plan.candidates[i].contract->buyer->id;
    return (struct span){NULL, 0};
}

/* A copy of the value under that key, or null. */
static struct json *entry(const struct json *item, const char *key)
{
    const struct json *value = json_get(item, key);

    return value != NULL ? json_copy(value) : json_new_null();
}

static struct json *trail_json(const struct explanation *e, bool has_times)
{
    struct json *list = json_new_list(), *decisions;

    if (!is_recorded(e))
        return list;
    decisions = parsed(e->decision.trail);
    for (size_t i = 0; i < json_count(decisions); i++) {
        const struct json *from = json_at(decisions, i);
        struct json *item = json_new_object();

        if (has_times)
            set_decided_at(item, "at", e);
        json_set_text(item, "step", span_of(reply_step(&e->decision)));
        json_set(item, "contract_id", entry(from, "contract_id"));
        json_set(item, "buyer_id", text_or_null(buyer_of(e, json_get_text(from, "contract_id"))));
        json_set(item, "decision", entry(from, "decision"));
        json_set(item, "reason", entry(from, "reason"));
        json_set(item, "detail", entry(from, "detail"));
        json_push(list, item);
    }
    json_free(&decisions);
    return list;
}

/* Without the ids of a lead and a request that are not there. */
static struct json *answer_json(const struct explanation *e)
{
    struct json *body = parsed(e->decision.answer_body), *data = json_get(body, "data");

    if (json_kind(body) == JSON_OBJECT)
        json_remove(body, "request_id");
    if (data != NULL)
        json_remove(data, "id");
    return body;
}

static void set_amounts(struct json *out, const struct explanation *e)
{
    const struct decision *d = &e->decision;
    bool is_sold = d->sale_count > 0;

    json_set(out, "price", is_sold ? money(d->price_cents) : json_new_null());
    json_set(out, "cost", is_sold ? money(d->cost_cents) : json_new_null());
    json_set(out, "margin", is_sold ? money(d->price_cents - d->cost_cents) : json_new_null());
}

static void set_head(struct json *out, const struct explanation *e)
{
    json_set(out, "campaign_id", text_or_null(e->lead.campaign_id));
    json_set(out, "supplier_id", text_or_null(e->lead.supplier_id));
    json_set(out, "status", is_recorded(e) ? json_new_text(span_of(lead_state_word(e->decision.state))) : json_new_null());
    json_set_bool(out, "is_test", e->lead.is_test);
}

/* Whole --------------------------------------------------------------------------------------------------------------- */

struct json *explain_json(const struct explanation *e)
{
    struct json *out = json_new_object(), *answer = json_new_object(), *body = answer_json(e);

    json_set(out, "id", json_new_null());
    set_head(out, e);
    json_set(out, "received_at", json_new_null());
    set_decided_at(out, "decided_at", e);
    json_set(out, "fields", is_recorded(e) ? parsed(e->decision.fields) : json_new_object());
    json_set(out, "raw", json_copy(e->sent));
    json_set(out, "reasons", reasons_json(e, body));
    set_amounts(out, e);
    json_set(out, "sales", sales_json(e));
    json_set(out, "deliveries", json_new_list());
    json_set(out, "trail", trail_json(e, true));
    if (e->decision.answer_status > 0)
        json_set_integer(answer, "status", e->decision.answer_status);
    else
        json_set(answer, "status", json_new_null()); /* it depends on what the buyers answer */
    json_set(answer, "body", body);
    json_set(out, "answer", answer);
    return out;
}

/* Also what was sent and has no normal form, and what was not sent and has a default. */
static struct json *fields_for_people(const struct explanation *e)
{
    struct json *list = json_new_list(), *fields = is_recorded(e) ? parsed(e->decision.fields) : json_new_object(), *value;
    const char *name;

    for (void *iter = NULL; json_each(e->sent, &iter, &name, &value);) {
        struct json *item = json_new_object();

        json_set_text(item, "field", span_of(name));
        json_set(item, "normal_form", entry(fields, name));
        json_set(item, "as_sent", json_copy(value));
        json_push(list, item);
    }
    for (void *iter = NULL; json_each(fields, &iter, &name, &value);) {
        struct json *item;

        if (json_get(e->sent, name) != NULL)
            continue;
        item = json_new_object();
        json_set_text(item, "field", span_of(name));
        json_set(item, "normal_form", json_copy(value));
        json_set(item, "as_sent", json_new_null());
        json_push(list, item);
    }
    json_free(&fields);
    return list;
}

struct json *explain_json_for_people(const struct explanation *e)
{
    struct json *out = json_new_object(), *body = answer_json(e);
    struct span told = e->decision.answer_status > 0
                           ? arena_printf(e->arena, "%lld %s", (long long)e->decision.answer_status, reason_word(e->decision.reason))
                           : SPAN("waits for the buyers asked");

    set_head(out, e);
    set_decided_at(out, "decided_at", e);
    set_amounts(out, e);
    json_set_text(out, "answer", span_trim(told));
    json_set(out, "fields", fields_for_people(e));
    json_set(out, "reasons", reasons_json(e, body));
    json_set(out, "sales", sales_json(e));
    json_set(out, "trail", trail_json(e, false));
    json_free(&body);
    return out;
}
