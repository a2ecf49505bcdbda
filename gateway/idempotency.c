#include "gateway/idempotency.h"

#include <stdbool.h>

static bool is_printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}

int idempotency_read(struct arena *arena, struct span header, struct span *key)
{
    struct span text = span_trim(header);
    bool is_quoted = text.len > 0 && text.ptr[0] == '"';
    size_t len = 0;
    char *to;

    if (text.len > 2 * IDEMPOTENCY_KEY_BYTES_MOST + 2)
        return -1;
    if (is_quoted) {
        if (text.len < 2 || text.ptr[text.len - 1] != '"')
            return -1;
        text = (struct span){text.ptr + 1, text.len - 2};
    }
    to = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (is_quoted && text.ptr[i] == '"')
            return -1;
        if (is_quoted && text.ptr[i] == '\\') {
            i++;
            if (i == text.len || (text.ptr[i] != '"' && text.ptr[i] != '\\'))
                return -1;
        }
        if (!is_printable(text.ptr[i]))
            return -1;
        to[len++] = text.ptr[i];
    }
    *key = (struct span){to, len};
    return len >= 1 && len <= IDEMPOTENCY_KEY_BYTES_MOST ? 0 : -1;
}
