#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_print_text(struct span text, struct buf *out)
{
    size_t begin = 0;

    buf_add(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, text.ptr + begin, i - begin);
        begin = i + 1;
        switch (c) {
        case '"':
            buf_add_text(out, "\\\"");
            break;
        case '\\':
            buf_add_text(out, "\\\\");
            break;
        case '\n':
            buf_add_text(out, "\\n");
            break;
        case '\r':
            buf_add_text(out, "\\r");
            break;
        case '\t':
            buf_add_text(out, "\\t");
            break;
        default:
            buf_printf(out, "\\u%04x", c);
            break;
        }
    }
    buf_add(out, text.ptr + begin, text.len - begin);
    buf_add(out, "\"", 1);
}

static void print_integer(int64_t value, struct buf *out)
{
    char text[24];
    char *p = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--p = '-';
    buf_add(out, p, (size_t)(text + sizeof text - p));
}

/* The fewest digits that read back as the same number; always with a point or an exponent, so that it stays a real. */
static void print_real(double value, struct buf *out)
{
    char text[40];
    int digits_kept = 15;

    do
        snprintf(text, sizeof text, "%.*g", digits_kept, value);
    while (strtod(text, NULL) != value && ++digits_kept <= 17);
    buf_add_text(out, text);
    if (strpbrk(text, ".e") == NULL)
        buf_add_text(out, ".0");
}

static void new_line(int indent, struct buf *out)
{
    if (indent >= 0)
        buf_printf(out, "\n%*s", indent, "");
}

/* indent is where the value's own lines begin, in blanks; below 0 everything goes on one line. */
static void print(const struct json *value, int indent, struct buf *out)
{
    int inner = indent < 0 ? -1 : indent + 2;
    size_t count = json_count(value);
    struct json *entry;
    const char *key;
    void *iter = NULL;
    size_t i = 0;

    switch (json_kind(value)) {
    case JSON_OBJECT:
        buf_add(out, "{", 1);
        while (json_each((struct json *)value, &iter, &key, &entry)) {
            if (i++ > 0)
                buf_add(out, ",", 1);
            new_line(inner, out);
            json_print_text(span_of(key), out); /* jansson refuses keys with a NUL */
            buf_add(out, ": ", indent < 0 ? 1 : 2);
            print(entry, inner, out);
        }
        if (count > 0)
            new_line(indent, out);
        buf_add(out, "}", 1);
        break;
    case JSON_LIST:
        buf_add(out, "[", 1);
        for (i = 0; i < count; i++) {
            if (i > 0)
                buf_add(out, ",", 1);
            new_line(inner, out);
            print(json_at(value, i), inner, out);
        }
        if (count > 0)
            new_line(indent, out);
        buf_add(out, "]", 1);
        break;
    case JSON_TEXT:
        json_print_text(json_text(value), out);
        break;
    case JSON_INTEGER:
        print_integer(json_integer(value, 0), out);
        break;
    case JSON_REAL:
        print_real(json_real(value, 0), out);
        break;
    case JSON_TRUE:
        buf_add_text(out, "true");
        break;
    case JSON_FALSE:
        buf_add_text(out, "false");
        break;
    case JSON_NULL:
        buf_add_text(out, "null");
        break;
    }
}

void json_print(const struct json *value, struct buf *out)
{
    print(value, -1, out);
}

void json_print_pretty(const struct json *value, struct buf *out)
{
    print(value, 0, out);
}
