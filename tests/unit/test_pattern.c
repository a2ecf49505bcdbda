/* test_pattern.c - common/pattern.c: finding, refusing, and giving up in time. */
#include "common/pattern.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void matching(void **state)
{
    static const struct { const char *claim, *pattern; bool ignores_case; struct span text; enum pattern_answer want; } rows[] = {
        {"anywhere", "b+", false, SPAN("abbc"), PATTERN_FOUND},
        {"nowhere", "x", false, SPAN("abbc"), PATTERN_ABSENT},
        {"anchored", "^b", false, SPAN("abbc"), PATTERN_ABSENT},
        {"whole", "^[0-9]{5}(-[0-9]{4})?$", false, SPAN("75201-0001"), PATTERN_FOUND},
        {"the case counts", "ABC", false, SPAN("abc"), PATTERN_ABSENT},
        {"the case does not count", "ABC", true, SPAN("abc"), PATTERN_FOUND},
        {"nor beyond ASCII", "\xc3\x89t\xc3\xa9", true, SPAN("\xc3\xa9T\xc3\x89"), PATTERN_FOUND},
        {"a dot is a character, not a byte", "^.$", false, SPAN("\xe2\x82\xac"), PATTERN_FOUND},
        {"the empty pattern is everywhere", "", false, SPAN(""), PATTERN_FOUND},
        {"absent text is empty", "^$", false, {NULL, 0}, PATTERN_FOUND},
        {"text with NUL", "^a.b$", false, SPAN("a\0b"), PATTERN_FOUND},
        {"text that is not UTF-8", "a", false, SPAN("a\xff"), PATTERN_ABSENT},
        {"a back reference", "^(a+)b\\1$", false, SPAN("aabaa"), PATTERN_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err;
        struct pattern *pattern = pattern_new(span_of(rows[i].pattern), rows[i].ignores_case, &err);

        if (pattern == NULL)
            fail_msg("%s: %s", rows[i].claim, err.text);
        if (pattern_match(pattern, rows[i].text) != rows[i].want)
            fail_msg("%s", rows[i].claim);
        pattern_free(&pattern);
        assert_null(pattern);
        pattern_free(&pattern);
    }
}

static void refused(void **state)
{
    static const struct { const char *claim, *pattern, *want; } rows[] = {
        {"an open bracket", "a(b", "missing closing parenthesis at position 3 of the pattern"},
        {"nothing to repeat", "*a", "position 0"},
        {"a range backwards", "[z-a]", "range out of order"},
        {"no UTF-8", "a\xff", "UTF-8"},
        {"single bytes", "a\\Cb", "\\C"},
        {"too large when unfolded", "(((a{1000}){1000}){1000})", "too"},
        {"look-behind without an end", "(?<=a+)b", "lookbehind"},
    };
    char longer[PATTERN_BYTES + 1];
    struct pattern *pattern;
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        err.text[0] = '\0';
        if (pattern_new(span_of(rows[i].pattern), false, &err) != NULL)
            fail_msg("%s: was taken", rows[i].claim);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("%s: got %s", rows[i].claim, err.text);
    }
    memset(longer, 'a', sizeof longer);
    assert_null(pattern_new((struct span){longer, sizeof longer}, false, &err));
    assert_string_equal(err.text, "pattern longer than 1024 bytes");
    pattern = pattern_new((struct span){longer, sizeof longer - 1}, false, &err);
    assert_non_null(pattern);
    pattern_free(&pattern);
}

/* Each of these would take from minutes to ages. */
static void nothing_runs_away(void **state)
{
    static const char *const rows[] = {
        "^(a+)+$", "(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", ".*.*.*.*b", "(?:a?){40}a{40}b", "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y|(a*)*b", "(?=(a+))a*b\\1", "((a{0,5}){0,5}){0,5}[b]",
    };
    enum { LENGTH = 4096 };
    char text[LENGTH];

    (void)state;
    memset(text, 'a', LENGTH);
    text[LENGTH - 1] = '!';
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t len = 30; len <= LENGTH; len = len == 30 ? LENGTH : LENGTH + 1) {
            struct pattern *pattern = pattern_new(span_of(rows[i]), true, NULL);
            int64_t began_ns = clock_mono_ns(), took_ms;
            enum pattern_answer answer;

            assert_non_null(pattern);
            answer = pattern_match(pattern, (struct span){text + LENGTH - len, len});
            took_ms = (clock_mono_ns() - began_ns) / 1000000;
            if (answer == PATTERN_FOUND || took_ms > 1000) /* a few ms; much room for a busy machine and the sanitizers */
                fail_msg("%s on %zu bytes: answer %d after %d ms", rows[i], len, answer, (int)took_ms);
            pattern_free(&pattern);
        }
}

static void ordinary_patterns_do_not_give_up(void **state)
{
    static const struct { const char *pattern; enum pattern_answer want; } rows[] = {
        {"^(?:[a-z]|[0-9])+$", PATTERN_FOUND}, {"^[a-z ]*$", PATTERN_FOUND}, {"a.*a", PATTERN_FOUND}, {"b", PATTERN_ABSENT},
        {"\\d{5}", PATTERN_ABSENT}, {"(?:foo|bar|baz)\\b", PATTERN_ABSENT}, {"[A-Z]{2}\\d+", PATTERN_ABSENT},
    };
    char text[4096];

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern *pattern = pattern_new(span_of(rows[i].pattern), false, NULL);
        enum pattern_answer answer = pattern_match(pattern, (struct span){text, sizeof text});

        if (answer != rows[i].want)
            fail_msg("%s: %d", rows[i].pattern, answer);
        pattern_free(&pattern);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching), cmocka_unit_test(refused), cmocka_unit_test(nothing_runs_away),
        cmocka_unit_test(ordinary_patterns_do_not_give_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
