/* What is kept of a buyer's answer: dispatcher/answer.h. */
#include "dispatcher/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"

static const struct {
    const char *claim;
    struct span said;
    size_t most;
    const char *want;
} rows[] = {
    {"text stays as it is", SPAN("{\"ok\":true}"), 100, "{\"ok\":true}"},
    {"nothing", SPAN(""), 100, ""},
    {"absent", {NULL, 0}, 100, ""},
    {"cut", SPAN("0123456789"), 4, "0123"},
    {"exactly that long", SPAN("0123"), 4, "0123"},
    {"never cut inside a character", SPAN("ab\xc3\xab"), 3, "ab"},
    {"whole characters stay", SPAN("ab\xc3\xab"), 4, "ab\xc3\xab"},
    {"NUL is replaced", SPAN("a\0b"), 100, "a" FFFD "b"},
    {"bytes that are no UTF-8 are replaced", SPAN("a\xff\xfe" "b"), 100, "a" FFFD FFFD "b"},
    {"a broken character at the end", SPAN("a\xe2\x82"), 100, "a" FFFD FFFD},
    {"surrogates are replaced", SPAN("\xed\xa0\x80"), 100, FFFD FFFD FFFD},
    {"a replacement is not cut either", SPAN("ab\xff"), 4, "ab"},
};

static void keeps_what_the_database_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span got = answer_text(rows[i].said, rows[i].most);

        if (!span_is(got, rows[i].want))
            fail_msg("%s: got %zu bytes: %.*s", rows[i].claim, got.len, SPAN_FMT(got));
        assert_true(span_is_utf8(got));
        free((char *)got.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_the_database_takes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
