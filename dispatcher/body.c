#include "dispatcher/body.h"

#include "common/clock.h"
#include "common/must.h"
#include "proto/money.h"
#include "proto/value_print.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const struct field *const *left = a, *const *right = b;

    return span_compare((*left)->name, (*right)->name);
}

void body_put_fields(struct buf *out, const struct field_list *fields)
{
    const struct field **sorted = must_alloc((fields->count + 1) * sizeof *sorted);

    for (size_t i = 0; i < fields->count; i++)
        sorted[i] = &fields->items[i];
    qsort(sorted, fields->count, sizeof *sorted, by_name);
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
    body_put_fields(out, &delivery->fields);
    buf_add_text(out, "}}");
}
