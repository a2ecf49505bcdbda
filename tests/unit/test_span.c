/* test_span.c - common/span.c. */
#include "common/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void comparing(void **state)
{
    static const struct { const char *claim, *a, *b; int order; bool nocase, starts; } rows[] = {
        {"equal", "abc", "abc", 0, true, true},
        {"the case differs", "aBc", "AbC", 1, true, false},
        {"a prefix comes first", "ab", "abc", -1, false, false},
        {"the longer one comes after", "abc", "ab", 1, false, true},
        {"nothing comes first", "", "a", -1, false, false},
        {"everything starts with nothing", "a", "", 1, false, true},
        {"absent is empty", NULL, "", 0, true, true},
        {"bytes count without sign", "\xc3", "a", 1, false, false},
        {"letters only have a case", "[", "{", -1, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span a = span_of(rows[i].a), b = span_of(rows[i].b);
        int order = span_compare(a, b);

        if ((order > 0) - (order < 0) != rows[i].order || span_equal(a, b) != (rows[i].order == 0) ||
            span_is(a, rows[i].b) != (rows[i].order == 0) || span_equal_nocase(a, b) != rows[i].nocase ||
            span_starts(a, b) != rows[i].starts)
            fail_msg("%s", rows[i].claim);
    }
}

static void trimming(void **state)
{
    static const struct { const char *claim, *text, *want; } rows[] = {
        {"nothing to trim", "a b", "a b"}, {"both ends", " \t\r\na b\n\r\t ", "a b"}, {"only white space", " \n ", ""},
        {"nothing", "", ""}, {"a no-break space stays", "\xc2\xa0x", "\xc2\xa0x"}, {"a form feed stays", "\fx", "\fx"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!span_is(span_trim(span_of(rows[i].text)), rows[i].want))
            fail_msg("%s", rows[i].claim);
    assert_int_equal(span_trim((struct span){NULL, 0}).len, 0);
}

static void utf8(void **state)
{
    static const struct { const char *claim; struct span text; int chars; } rows[] = { /* chars -1: not UTF-8 */
        {"nothing", SPAN(""), 0},
        {"ASCII", SPAN("abc"), 3},
        {"NUL is a character", SPAN("a\0b"), 3},
        {"two bytes", SPAN("\xc2\x80\xdf\xbf"), 2},
        {"three bytes", SPAN("\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbf"), 3},
        {"before and behind the surrogates", SPAN("\xed\x9f\xbf\xee\x80\x80"), 2},
        {"four bytes", SPAN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 2},
        {"a continuation alone", SPAN("\x80"), -1},
        {"cut after one", SPAN("\xc3"), -1},
        {"cut after two", SPAN("\xe2\x82"), -1},
        {"cut after three", SPAN("\xf0\x9f\x98"), -1},
        {"not continued", SPAN("\xc3x"), -1},
        {"over-long of two", SPAN("\xc1\xbf"), -1},
        {"over-long of three", SPAN("\xe0\x9f\xbf"), -1},
        {"over-long of four", SPAN("\xf0\x8f\xbf\xbf"), -1},
        {"a surrogate", SPAN("\xed\xa0\x80"), -1},
        {"beyond Unicode", SPAN("\xf4\x90\x80\x80"), -1},
        {"five bytes", SPAN("\xf8\x88\x80\x80\x80"), -1},
        {"0xff", SPAN("\xff"), -1},
        {"Latin-1", SPAN("caf\xe9 bar"), -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (span_is_utf8(rows[i].text) != (rows[i].chars >= 0))
            fail_msg("%s", rows[i].claim);
        if (rows[i].chars >= 0 && span_chars(rows[i].text) != (size_t)rows[i].chars)
            fail_msg("%s: %zu characters", rows[i].claim, span_chars(rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comparing), cmocka_unit_test(trimming), cmocka_unit_test(utf8)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
