/*
 * fuzz_form.c - any bytes as a form: what is read is UTF-8 without NUL, names differ and are not empty; and what was read,
 * escaped and read again, is the same.
 */
#include "common/buf.h"
#include "common/must.h"
#include "gateway/form.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_printf(out, "%%%02x", (unsigned)(unsigned char)text.ptr[i]);
}

static void check_text(struct span text)
{
    must(span_is_utf8(text) && memchr(text.ptr, '\0', text.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct buf *body = buf_new(64);
    struct field_list fields, again;
    struct error err;

    if (form_read(arena, (struct span){(const char *)data, size}, &fields, &err) == 0) {
        for (size_t i = 0; i < fields.count; i++) {
            must(fields.items[i].kind == VALUE_TEXT && fields.items[i].name.len > 0);
            check_text(fields.items[i].name);
            check_text(fields.items[i].text);
            must(field_find(&fields, fields.items[i].name) == &fields.items[i]);
            put_escaped(body, fields.items[i].name);
            buf_add_text(body, "=");
            put_escaped(body, fields.items[i].text);
            buf_add_text(body, "&");
        }
        must(form_read(arena, buf_span(body), &again, NULL) == 0 && again.count == fields.count);
        for (size_t i = 0; i < fields.count; i++)
            must(span_equal(fields.items[i].name, again.items[i].name) && span_equal(fields.items[i].text, again.items[i].text));
    } else {
        must(strstr(err.text, "position") != NULL);
    }
    buf_free(&body);
    arena_free(&arena);
    return 0;
}
