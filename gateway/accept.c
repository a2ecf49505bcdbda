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

enum { WEIGHT_MOST = 1000 }; /* in thousandths */

/* The weight that a parameter says: "q=0.5"; the whole one for anything else. */
static int weight_of(struct span parameter)
{
    int weight = 0, place = WEIGHT_MOST / 10;

    if (parameter.len < 3 || !span_equal_nocase((struct span){parameter.ptr, 3}, SPAN("q=0")))
        return WEIGHT_MOST;
    for (size_t i = 3; i < parameter.len; i++) {
        char c = parameter.ptr[i];

        if (i == 3 ? c != '.' : c < '0' || c > '9')
            return WEIGHT_MOST;
        if (i > 3) {
            weight += (c - '0') * place;
            place /= 10;
        }
    }
    return weight;
}

/* The greatest weight under which the header names this range, -1 when it does not. */
static int named(struct span accept, const char *wanted)
{
    int best = -1;

    while (accept.len > 0) {
        struct span range = next_piece(&accept, ',');
        bool is_named = span_equal_nocase(next_piece(&range, ';'), span_of(wanted));
        int weight = WEIGHT_MOST;

        while (range.len > 0) {
            int said = weight_of(next_piece(&range, ';'));

            weight = said < weight ? said : weight;
        }
        if (is_named && weight > best)
            best = weight;
    }
    return best;
}

bool accepts_problem(struct span accept)
{
    return named(accept, "application/problem+json") > 0;
}

bool accepts_page(struct span accept)
{
    int page = named(accept, "text/html"), json = named(accept, "application/json");

    if (json < 0)
        json = named(accept, "application/*");
    if (json < 0)
        json = named(accept, "*/*");
    return page > 0 && page >= json;
}
