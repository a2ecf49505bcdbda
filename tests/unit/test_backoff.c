/* When a delivery is tried again: dispatcher/backoff.h. */
#include "dispatcher/backoff.h"
#include "dispatcher/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static void delays_are_those_of_the_contract(void **state)
{
    static const int64_t want[] = {5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR};

    (void)state;
    assert_int_equal(sizeof want / sizeof want[0] + 1, ATTEMPTS_MOST);
    for (int attempt = 1; attempt < ATTEMPTS_MOST; attempt++) {
        assert_int_equal(backoff_ms(attempt, 0.5, 0), want[attempt - 1]);
        assert_int_equal(backoff_ms(attempt, 0, 0), want[attempt - 1] * 4 / 5);
        assert_in_range(backoff_ms(attempt, 0.999999, 0), want[attempt - 1] * 119 / 100, want[attempt - 1] * 6 / 5);
    }
}

static void what_was_asked_is_waited_for_at_least(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(1, 0.5, 60 * SECOND), 60 * SECOND);
    assert_int_equal(backoff_ms(1, 0, 4 * SECOND + 1), 4 * SECOND + 1);
    assert_int_equal(backoff_ms(2, 0.5, 60 * SECOND), 5 * MINUTE);
    assert_int_equal(backoff_ms(9, 0.5, RETRY_AFTER_MOST_MS), 24 * HOUR);
}

/* 2026-11-23 01:02:03 UTC, a Monday */
static const int64_t NOW_MS = INT64_C(1795395723) * 1000;

static const struct {
    const char *claim;
    int status;
    const char *header;
    int64_t want_ms;
} rows[] = {
    {"seconds after 503", 503, "120", 120 * SECOND},
    {"seconds after 429", 429, "7", 7 * SECOND},
    {"white space around them", 503, " 7\t", 7 * SECOND},
    {"nothing said", 503, "", 0},
    {"no such header", 503, NULL, 0},
    {"500 is not listened to", 500, "120", 0},
    {"a redirect is not listened to", 301, "120", 0},
    {"no answer", 0, "120", 0},
    {"a day at most", 503, "86401", 24 * HOUR},
    {"a day", 503, "86400", 24 * HOUR},
    {"a number beyond all bounds", 429, "99999999999999999999999999999999999999", 24 * HOUR},
    {"a negative number is nonsense", 503, "-5", 0},
    {"a fraction is nonsense", 503, "1.5", 0},
    {"text is nonsense", 503, "soon", 0},
    {"IMF-fixdate", 503, "Mon, 23 Nov 2026 01:03:03 GMT", MINUTE},
    {"RFC 850's form", 429, "Monday, 23-Nov-26 01:03:03 GMT", MINUTE},
    {"asctime's form", 503, "Mon Nov 23 01:03:03 2026", MINUTE},
    {"a date that is over", 503, "Mon, 23 Nov 2026 01:02:00 GMT", 0},
    {"a date far away", 503, "Mon, 23 Nov 2036 01:02:00 GMT", 24 * HOUR},
    {"a date with something behind it", 503, "Mon, 23 Nov 2026 01:03:03 GMT, perhaps", 0},
    {"a date of another zone", 503, "Mon, 23 Nov 2026 01:03:03 CET", 0},
    {"a header longer than any date", 503, "Mon, 23 Nov 2026 01:03:03 GMT                                                                 x", 0},
};

static void retry_after_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got_ms = retry_after_ms(rows[i].status, span_of(rows[i].header), NOW_MS);

        if (got_ms != rows[i].want_ms)
            fail_msg("%s: got %lld ms, want %lld", rows[i].claim, (long long)got_ms, (long long)rows[i].want_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_those_of_the_contract),
        cmocka_unit_test(what_was_asked_is_waited_for_at_least),
        cmocka_unit_test(retry_after_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
