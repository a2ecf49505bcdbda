#include "proto/value_print.h"

#include "common/json.h"

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

void value_print_text(struct buf *out, struct span text)
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

void value_print_number(struct buf *out, struct span text)
{
    char copy[512], shortest[40];
    char *end;
    double value;

    if (text.len == 0 || text.len >= sizeof copy) {
        value_print_text(out, text);
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
        value_print_text(out, text);
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

void value_print_json(struct buf *out, const struct field *value)
{
    switch (value->kind) {
    case VALUE_TEXT:
        value_print_text(out, value->text);
        break;
    case VALUE_NUMBER:
        value_print_number(out, value->text);
        break;
    case VALUE_BOOL:
        buf_add_text(out, span_is(value->text, "true") ? "true" : "false");
        break;
    case VALUE_NESTED: /* no normal form is one; a buyer would read it as absent */
        buf_add_text(out, "null");
        break;
    }
}

void value_print_plain(struct buf *out, const struct field *value)
{
    if (value->kind == VALUE_NUMBER)
        value_print_number(out, value->text);
    else
        buf_add_span(out, value->text);
}
