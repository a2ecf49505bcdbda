#include "dispatcher/body.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/must.h"
#include "proto/money.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

static void put_text(struct buf *out, struct span text)
{
    struct json *value;

    if (is_plain(text)) {
        buf_add(out, "\"", 1);
        buf_add_span(out, text);
        buf_add(out, "\"", 1);
        return;
    }
    value = json_new_text(text);
    json_print(value, out);
    json_free(&value);
}

/* Digits that fit a 64-bit integer. */
static bool is_integer(const char *text)
{
    size_t len = strlen(text), first = text[0] == '-';

    return len > first && len <= 18 && strspn(text + first, "0123456789") == len - first;
}

/*
 * One form for a number, whoever wrote it: the shortest text of the double that it is. On its way through JSON libraries and
 * the database 0.1 may have become 0.10000000000000001, and both must give the same bytes.
 */
static void put_number(struct buf *out, struct span text)
{
    char copy[512], shortest[40];
    char *end;
    double value;

    if (text.len == 0 || text.len >= sizeof copy) {
        put_text(out, text);
        return;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (is_integer(copy)) {
        buf_printf(out, "%lld", strtoll(copy, NULL, 10));
        return;
    }
    value = strtod(copy, &end);
    if (*end != '\0' || !isfinite(value)) {
        put_text(out, text);
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        buf_printf(out, "%.0f", value + 0.0);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(shortest, sizeof shortest, "%.*g", digits, value);
        if (strtod(shortest, NULL) == value)
            break;
    }
    buf_add_text(out, shortest);
}

static void put_value(struct buf *out, const struct field *field)
{
    switch (field->kind) {
    case VALUE_TEXT:
        put_text(out, field->text);
        break;
    case VALUE_NUMBER:
        put_number(out, field->text);
        break;
    case VALUE_BOOL:
        buf_add_text(out, span_is(field->text, "true") ? "true" : "false");
        break;
    case VALUE_NESTED: /* no normal form is one; a buyer would read it as absent */
        buf_add_text(out, "null");
        break;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct field *const *left = a, *const *right = b;

    return span_compare((*left)->name, (*right)->name);
}

static void put_fields(struct buf *out, const struct field_list *fields)
{
    const struct field **sorted = must_alloc((fields->count + 1) * sizeof *sorted);

    for (size_t i = 0; i < fields->count; i++)
        sorted[i] = &fields->items[i];
    qsort(sorted, fields->count, sizeof *sorted, by_name);
    buf_add(out, "{", 1);
    for (size_t i = 0; i < fields->count; i++) {
        if (i > 0)
            buf_add(out, ",", 1);
        put_text(out, sorted[i]->name);
        buf_add(out, ":", 1);
        put_value(out, sorted[i]);
    }
    buf_add(out, "}", 1);
    free(sorted);
}

void body_print(const struct delivery *delivery, struct buf *out)
{
    char time[CLOCK_TEXT_BYTES], id[UUID_TEXT_BYTES], price[MONEY_TEXT_BYTES];

    buf_printf(out, "{\"type\":\"lead.accepted\",\"timestamp\":\"%s\",\"data\":{\"id\":\"%s\",\"campaign_id\":",
               clock_text(delivery->sold_at_ms, time), uuid_text(&delivery->lead_id, id));
    put_text(out, delivery->campaign_id);
    buf_add_text(out, ",\"buyer_id\":");
    put_text(out, delivery->buyer_id);
    buf_printf(out, ",\"price\":\"%s\",\"is_test\":%s,\"fields\":", money_text(delivery->price_cents, price),
               delivery->is_test ? "true" : "false");
    put_fields(out, &delivery->fields);
    buf_add_text(out, "}}");
}
