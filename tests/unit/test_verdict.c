/* What an attempt came to: dispatcher/verdict.h. */
#include "dispatcher/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *claim;
    int status, attempt;
    enum verdict want;
} rows[] = {
    {"200 is accepted", 200, 1, VERDICT_ACCEPTED},
    {"201 is accepted", 201, 1, VERDICT_ACCEPTED},
    {"204 is accepted", 204, 1, VERDICT_ACCEPTED},
    {"299 is accepted", 299, 1, VERDICT_ACCEPTED},
    {"accepted at the last attempt", 200, ATTEMPTS_MOST, VERDICT_ACCEPTED},
    {"no answer is tried again", 0, 1, VERDICT_RETRY},
    {"199 is no success", 199, 1, VERDICT_RETRY},
    {"a redirect is not followed but tried again", 302, 1, VERDICT_RETRY},
    {"400 is tried again", 400, 1, VERDICT_RETRY},
    {"410 is tried again", 410, 1, VERDICT_RETRY},
    {"429 is tried again", 429, 1, VERDICT_RETRY},
    {"500 is tried again", 500, 1, VERDICT_RETRY},
    {"the ninth is tried again", 500, ATTEMPTS_MOST - 1, VERDICT_RETRY},
    {"the tenth is the last", 500, ATTEMPTS_MOST, VERDICT_FAILED},
    {"the tenth without an answer, too", 0, ATTEMPTS_MOST, VERDICT_FAILED},
};

static void judges_by_status_and_attempt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum verdict got = verdict_judge(rows[i].status, rows[i].attempt);

        if (got != rows[i].want)
            fail_msg("%s: got %s", rows[i].claim, verdict_word(got));
    }
}

static void every_verdict_has_a_word_and_a_state(void **state)
{
    static const struct {
        enum verdict verdict;
        const char *word, *state;
    } words[] = {
        {VERDICT_ACCEPTED, "ACCEPTED", "DELIVERED"}, {VERDICT_REJECTED, "REJECTED", "REJECTED"},
        {VERDICT_DUPLICATE, "DUPLICATE", "DUPLICATE"}, {VERDICT_RETRY, "RETRY", "OPEN"}, {VERDICT_FAILED, "FAILED", "FAILED"},
        {VERDICT_LATE, "LATE", "FAILED"},
    };

    (void)state;
    assert_int_equal(sizeof words / sizeof words[0], VERDICT_COUNT);
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        assert_string_equal(verdict_word(words[i].verdict), words[i].word);
        assert_string_equal(verdict_state(words[i].verdict), words[i].state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_by_status_and_attempt),
        cmocka_unit_test(every_verdict_has_a_word_and_a_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
