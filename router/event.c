#include "router/event.h"

#include "common/clock.h"
#include "common/json.h"
#include "proto/money.h"

size_t event_types(const struct decision *decision, enum event_type types[EVENTS_MOST])
{
    size_t count = 0;

    if (decision->action != ACTION_RECORD && decision->action != ACTION_STEP)
        return 0;
    if (decision->action == ACTION_RECORD)
        types[count++] = EVENT_LEAD_CREATED;
    switch (decision->asked != NULL ? LEAD_DISTRIBUTING : decision->state) {
    case LEAD_ACCEPTED:
        types[count++] = EVENT_LEAD_ACCEPTED;
        break;
    case LEAD_UNMATCHED:
        types[count++] = EVENT_LEAD_UNMATCHED;
        break;
    case LEAD_REJECTED:
    case LEAD_DUPLICATE:
        types[count++] = EVENT_LEAD_REJECTED;
        break;
    case LEAD_DISTRIBUTING: /* told when it has ended */
    case LEAD_RETURNED:
    case LEAD_ERASED:
    case LEAD_STATE_COUNT:
        break;
    }
    return count;
}

static void put_text(struct buf *out, const char *key, struct span text)
{
    buf_printf(out, ",\"%s\":", key);
    if (text.len > 0)
        json_print_text(text, out);
    else
        buf_add_text(out, "null");
}

static void put_money(struct buf *out, const char *key, bool is_there, int64_t cents)
{
    char text[MONEY_TEXT_BYTES];

    put_text(out, key, is_there ? span_of(money_text(cents, text)) : SPAN(""));
}

static void put_buyers(struct buf *out, const struct decision *decision)
{
    char price[MONEY_TEXT_BYTES];

    buf_add_text(out, ",\"buyers\":[");
    for (size_t i = 0; i < decision->sale_count; i++) {
        const struct sale *sale = &decision->sales[i];

        buf_add_text(out, i > 0 ? ",{\"buyer_id\":" : "{\"buyer_id\":");
        json_print_text(sale->buyer_id, out);
        put_text(out, "contract_id", sale->contract_id);
        put_text(out, "price", span_of(money_text(sale->price_cents, price)));
        buf_add_text(out, "}");
    }
    buf_add_text(out, "]");
}

static void put_reason(struct buf *out, struct span code, struct span field)
{
    buf_add_text(out, out->data[out->len - 1] == '[' ? "{\"code\":" : ",{\"code\":");
    json_print_text(code, out);
    put_text(out, "field", field);
    buf_add_text(out, "}");
}

static void put_reasons(struct buf *out, const struct decision *decision)
{
    const struct field_errors *errors = &decision->plan->lead->errors;
    bool is_verdict = decision->reason == decision->plan->verdict;

    buf_add_text(out, ",\"reasons\":[");
    for (size_t i = 0; decision->reason != REASON_NONE && is_verdict && i < errors->count; i++)
        put_reason(out, errors->items[i].code.len > 0 ? errors->items[i].code : span_of(reason_word(decision->reason)), errors->items[i].field);
    if (decision->reason != REASON_NONE && !(is_verdict && errors->count > 0))
        put_reason(out, span_of(reason_word(decision->reason)), SPAN(""));
    buf_add_text(out, "]");
}

void event_print(const struct decision *decision, enum event_type type, int64_t at_us, struct buf *out)
{
    const struct lead *lead = decision->plan->lead;
    char at[CLOCK_TEXT_BYTES], received[CLOCK_TEXT_BYTES], id[UUID_TEXT_BYTES];
    bool is_sold = decision->sale_count > 0;

    buf_printf(out, "{\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":{\"id\":\"%s\"", event_word(type), clock_text(at_us / 1000, at),
               uuid_text(&lead->id, id));
    put_text(out, "campaign_id", lead->campaign_id);
    put_text(out, "supplier_id", lead->supplier_id);
    put_text(out, "status", span_of(lead_state_word(decision->state)));
    buf_printf(out, ",\"is_test\":%s,\"received_at\":\"%s\"", lead->is_test ? "true" : "false", clock_text(uuid_ms(&lead->id), received));
    put_money(out, "price", is_sold, decision->price_cents);
    put_money(out, "cost", is_sold, decision->cost_cents);
    put_buyers(out, decision);
    put_reasons(out, decision);
    buf_add_text(out, "}}");
}
