/*
 * pattern.h - regular expressions that cannot run away (PCRE2, UTF-8).
 *
 * A pattern is searched for anywhere in the text; ^ and $ anchor it. Every search has a
 * budget of steps, shared by all the places of the text at which it may begin, so that
 * the worst pattern on the worst text costs a few milliseconds and then gives up.
 */
#ifndef LEADLINE_COMMON_PATTERN_H
#define LEADLINE_COMMON_PATTERN_H

#include "common/error.h"
#include "common/span.h"

#include <stdbool.h>

struct pattern;

enum { PATTERN_BYTES = 1024 }; /* a longer pattern is refused */

enum pattern_answer {
    PATTERN_ABSENT,  /* not found; also in text that is not UTF-8 */
    PATTERN_FOUND,
    PATTERN_GAVE_UP, /* the budget ended before it was known */
};

/*
 * Compiles the text, with or without regard to case.
 * Returns it, owned by the caller, or NULL with what is wrong and where in *err.
 */
struct pattern *pattern_new(struct span text, bool ignores_case, struct error *err);
void pattern_free(struct pattern **pattern);

enum pattern_answer pattern_match(const struct pattern *pattern, struct span text);

#endif
