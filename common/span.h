/*
 * span.h - text as pointer and length, borrowed from whoever owns the bytes.
 *
 * A span has no zero at its end; a library that asks for one gets a copy
 * (arena_text() or must_copy()). An absent text is {NULL, 0}.
 */
#ifndef LEADLINE_COMMON_SPAN_H
#define LEADLINE_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_FMT(span) (int)(span).len, (span).ptr /* for "%.*s" */

/* A span of a C string; NULL gives the absent text. */
struct span span_of(const char *text);

bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);

/* Equal without regard to the case of A-Z. */
bool span_equal_nocase(struct span a, struct span b);

/* Bytewise order: below, equal to or above 0; a prefix comes first. */
int span_compare(struct span a, struct span b);

bool span_starts(struct span text, struct span prefix);

/* Without white space (space, tab, CR, LF) at both ends. */
struct span span_trim(struct span text);

/* Is this well-formed UTF-8 (RFC 3629), without surrogates and over-long forms? */
bool span_is_utf8(struct span text);

/* Number of code points of well-formed UTF-8. */
size_t span_chars(struct span text);

#endif
