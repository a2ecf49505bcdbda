#include "dispatcher/body.h"

#include "common/clock.h"
#include "common/must.h"
#include "proto/money.h"
#include "proto/template.h"
#include "proto/value_print.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const struct field *const *left = a, *const *right = b;

    return span_compare((*left)->name, (*right)->name);
}

/* The fields in order of their names; owned by the caller. */
static const struct field **sorted_fields(const struct field_list *fields)
{
    const struct field **sorted = must_alloc((fields->count + 1) * sizeof *sorted);

    for (size_t i = 0; i < fields->count; i++)
        sorted[i] = &fields->items[i];
    qsort(sorted, fields->count, sizeof *sorted, by_name);
    return sorted;
}

static void put_fields(struct buf *out, const struct field_list *fields)
{
    const struct field **sorted = sorted_fields(fields);

    buf_add(out, "{", 1);
    for (size_t i = 0; i < fields->count; i++) {
        if (i > 0)
            buf_add(out, ",", 1);
        value_print_text(out, sorted[i]->name);
        buf_add(out, ":", 1);
        value_print_json(out, sorted[i]);
    }
    buf_add(out, "}", 1);
    free(sorted);
}

void body_print(const struct delivery *delivery, struct buf *out)
{
    char time[CLOCK_TEXT_BYTES], id[UUID_TEXT_BYTES], price[MONEY_TEXT_BYTES];

    buf_printf(out, "{\"type\":\"lead.accepted\",\"timestamp\":\"%s\",\"data\":{\"id\":\"%s\",\"campaign_id\":",
               clock_text(delivery->sold_at_ms, time), uuid_text(&delivery->lead_id, id));
    value_print_text(out, delivery->campaign_id);
    buf_add_text(out, ",\"buyer_id\":");
    value_print_text(out, delivery->buyer_id);
    buf_printf(out, ",\"price\":\"%s\",\"is_test\":%s,\"fields\":", money_text(delivery->price_cents, price),
               delivery->is_test ? "true" : "false");
    put_fields(out, &delivery->fields);
    buf_add_text(out, "}}");
}

enum { OWN_PAIRS = 6 };

struct pair {
    struct span name, value;
};

static bool is_own(struct span name, const struct pair *own)
{
    for (size_t i = 0; i < OWN_PAIRS; i++)
        if (span_equal(own[i].name, name))
            return true;
    return false;
}

void body_print_form(const struct delivery *delivery, struct buf *out)
{
    char time[CLOCK_TEXT_BYTES], id[UUID_TEXT_BYTES], price[MONEY_TEXT_BYTES];
    const struct field **sorted = sorted_fields(&delivery->fields);
    const struct pair own[OWN_PAIRS] = {
        {SPAN("id"), span_of(uuid_text(&delivery->lead_id, id))},
        {SPAN("campaign_id"), delivery->campaign_id},
        {SPAN("buyer_id"), delivery->buyer_id},
        {SPAN("price"), span_of(money_text(delivery->price_cents, price))},
        {SPAN("is_test"), delivery->is_test ? SPAN("true") : SPAN("false")},
        {SPAN("timestamp"), span_of(clock_text(delivery->sold_at_ms, time))},
    };
    struct buf *text = buf_new(64);
    size_t from = out->len;

    for (size_t i = 0; i < OWN_PAIRS; i++)
        template_put_pair(out, from, own[i].name, own[i].value);
    for (size_t i = 0; i < delivery->fields.count; i++) {
        if (is_own(sorted[i]->name, own) || sorted[i]->kind == VALUE_NESTED)
            continue;
        text->len = 0;
        value_print_plain(text, sorted[i]);
        template_put_pair(out, from, sorted[i]->name, buf_span(text));
    }
    buf_free(&text);
    free(sorted);
}
