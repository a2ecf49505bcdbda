#include "gateway/form.h"

#include "common/map.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one name or value. at: where it begins in the body, for the error. */
static int decode(struct arena *arena, struct span piece, size_t at, struct span *out, struct error *err)
{
    char *to = arena_alloc(arena, piece.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < piece.len; i++) {
        size_t from = i;
        char c = piece.ptr[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < piece.len ? hex_digit(piece.ptr[i + 1]) : -1;
            int low = i + 2 < piece.len ? hex_digit(piece.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return error_set(err, "broken %%-escape at position %zu", at + i);
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return error_set(err, "NUL character at position %zu", at + from);
        to[len++] = c;
    }
    *out = (struct span){to, len};
    if (!span_is_utf8(*out))
        return error_set(err, "invalid UTF-8 in the piece at position %zu", at);
    return 0;
}

static size_t count_pieces(struct span body)
{
    size_t count = 1;

    for (size_t i = 0; i < body.len; i++)
        count += body.ptr[i] == '&';
    return count;
}

int form_read(struct arena *arena, struct span body, struct field_list *fields, struct error *err)
{
    struct map *names = map_new();
    size_t at = 0;
    int rc = -1;

    fields->items = arena_alloc(arena, count_pieces(body) * sizeof *fields->items);
    fields->count = 0;
    while (at < body.len) {
        const char *from = body.ptr + at;
        const char *amp = memchr(from, '&', body.len - at);
        size_t len = amp != NULL ? (size_t)(amp - from) : body.len - at;
        const char *equals = memchr(from, '=', len);
        size_t name_len = equals != NULL ? (size_t)(equals - from) : len;
        size_t value_at = equals != NULL ? name_len + 1 : len;
        struct field *field = &fields->items[fields->count];

        if (len > 0) {
            if (decode(arena, (struct span){from, name_len}, at, &field->name, err) != 0 ||
                decode(arena, (struct span){from + value_at, len - value_at}, at + value_at, &field->text, err) != 0)
                goto out;
            if (field->name.len == 0) {
                error_set(err, "a name is missing at position %zu", at);
                goto out;
            }
            if (map_put(names, field->name, field) != NULL) {
                error_set(err, "a name comes twice at position %zu", at);
                goto out;
            }
            field->kind = VALUE_TEXT;
            fields->count++;
        }
        at += len + 1;
    }
    rc = 0;
out:
    map_free(&names);
    return rc;
}
