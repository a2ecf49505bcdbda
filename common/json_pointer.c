#include "common/json_pointer.h"

#include <string.h>

bool json_pointer_is_good(struct span pointer)
{
    if (pointer.len > JSON_POINTER_BYTES || (pointer.len > 0 && pointer.ptr[0] != '/') || !span_is_utf8(pointer) ||
        (pointer.len > 0 && memchr(pointer.ptr, '\0', pointer.len) != NULL))
        return false;
    for (size_t i = 0; i < pointer.len; i++)
        if (pointer.ptr[i] == '~' && (i + 1 == pointer.len || (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1')))
            return false;
    return true;
}

/* Takes the next token off the pointer's front, which is a slash; unescaped, with a zero. Returns its length. */
static size_t take_token(struct span *pointer, char out[JSON_POINTER_BYTES + 1])
{
    size_t at = 1, len = 0;

    for (; at < pointer->len && pointer->ptr[at] != '/'; at++) {
        char c = pointer->ptr[at];

        if (c == '~')
            c = pointer->ptr[++at] == '0' ? '~' : '/';
        out[len++] = c;
    }
    out[len] = '\0';
    *pointer = (struct span){pointer->ptr + at, pointer->len - at};
    return len;
}

/* An index is written without leading zeros; "-", behind the end, never is there. */
static struct json *entry_of(const struct json *list, const char *token, size_t len)
{
    size_t index = 0;

    if (len == 0 || len > 9 || strspn(token, "0123456789") != len || (len > 1 && token[0] == '0'))
        return NULL;
    for (size_t i = 0; i < len; i++)
        index = index * 10 + (size_t)(token[i] - '0');
    return json_at(list, index);
}

struct json *json_pointer_find(struct json *document, struct span pointer)
{
    char token[JSON_POINTER_BYTES + 1];

    if (!json_pointer_is_good(pointer))
        return NULL;
    while (document != NULL && pointer.len > 0) {
        size_t len = take_token(&pointer, token);

        if (json_kind(document) == JSON_LIST)
            document = entry_of(document, token, len);
        else
            document = json_get(document, token);
    }
    return document;
}
