#define PCRE2_CODE_UNIT_WIDTH 8

#include "common/pattern.h"

#include "common/must.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * PCRE2 counts steps anew at every place at which a match may begin, so the budget is divided by their number;
 * LEAST_STEPS leaves long texts a sensible search from each place.
 */
enum { BUDGET_STEPS = 200000, LEAST_STEPS = 400, DEPTH = 20000, HEAP_KIB = 8192 };

struct pattern {
    pcre2_code *code;
    bool is_anchored; /* can only begin at one place */
};

/* One of each serves all patterns, one after another. */
static pcre2_match_context *context;
static pcre2_match_data *match_data;

static void prepare(void)
{
    if (context != NULL)
        return;
    must((context = pcre2_match_context_create(NULL)) != NULL);
    must((match_data = pcre2_match_data_create(1, NULL)) != NULL);
    pcre2_set_depth_limit(context, DEPTH);
    pcre2_set_heap_limit(context, HEAP_KIB);
}

struct pattern *pattern_new(struct span text, bool ignores_case, struct error *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (ignores_case ? PCRE2_CASELESS : 0u);
    struct pattern *pattern;
    PCRE2_UCHAR sentence[160];
    pcre2_code *code;
    PCRE2_SIZE at;
    uint32_t all;
    int number;

    if (text.len > PATTERN_BYTES) {
        error_set(err, "pattern longer than %d bytes", PATTERN_BYTES);
        return NULL;
    }
    code = pcre2_compile((PCRE2_SPTR)(text.ptr != NULL ? text.ptr : ""), text.len, options, &number, &at, NULL);
    if (code == NULL) {
        pcre2_get_error_message(number, sentence, sizeof sentence);
        error_set(err, "%s at position %zu of the pattern", (const char *)sentence, (size_t)at);
        return NULL;
    }
    must(pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &all) == 0);
    prepare();
    pattern = must_zalloc(sizeof *pattern);
    pattern->code = code;
    pattern->is_anchored = (all & PCRE2_ANCHORED) != 0;
    return pattern;
}

void pattern_free(struct pattern **pattern)
{
    if (*pattern == NULL)
        return;
    pcre2_code_free((*pattern)->code);
    free(*pattern);
    *pattern = NULL;
}

enum pattern_answer pattern_match(const struct pattern *pattern, struct span text)
{
    size_t places = pattern->is_anchored ? 1 : text.len + 1;
    size_t steps = BUDGET_STEPS / places;
    int found;

    pcre2_set_match_limit(context, (uint32_t)(steps > LEAST_STEPS ? steps : LEAST_STEPS));
    found = pcre2_match(pattern->code, (PCRE2_SPTR)(text.ptr != NULL ? text.ptr : ""), text.len, 0, 0, match_data, context);
    if (found >= 0)
        return PATTERN_FOUND;
    if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT || found == PCRE2_ERROR_HEAPLIMIT ||
        found == PCRE2_ERROR_NOMEMORY)
        return PATTERN_GAVE_UP;
    return PATTERN_ABSENT;
}
