#include "gateway/accept.h"

#include <string.h>

/* Takes what stands before the next separator off the text. */
static struct span next_piece(struct span *text, char separator)
{
    const char *end = text->len > 0 ? memchr(text->ptr, separator, text->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - text->ptr) : text->len;
    struct span piece = {text->ptr, len};
    size_t taken = end != NULL ? len + 1 : len;

    *text = (struct span){text->ptr + taken, text->len - taken};
    return span_trim(piece);
}

static bool is_zero_weight(struct span parameter)
{
    if (parameter.len < 3 || !span_equal_nocase((struct span){parameter.ptr, 3}, SPAN("q=0")))
        return false;
    for (size_t i = 3; i < parameter.len; i++)
        if (parameter.ptr[i] != '.' && parameter.ptr[i] != '0')
            return false;
    return true;
}

bool accepts_problem(struct span accept)
{
    while (accept.len > 0) {
        struct span range = next_piece(&accept, ',');
        bool is_named = span_equal_nocase(next_piece(&range, ';'), SPAN("application/problem+json"));
        bool is_refused = false;

        while (range.len > 0)
            if (is_zero_weight(next_piece(&range, ';')))
                is_refused = true;
        if (is_named && !is_refused)
            return true;
    }
    return false;
}
