/* What an attempt came to: dispatcher/verdict.h. */
#include "dispatcher/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *claim;
    enum outcome outcome;
    int attempt;
    enum verdict want;
} rows[] = {
    {"what was taken is accepted", OUTCOME_ACCEPTED, 1, VERDICT_ACCEPTED},
    {"accepted at the last attempt", OUTCOME_ACCEPTED, ATTEMPTS_MOST, VERDICT_ACCEPTED},
    {"a refusal is final", OUTCOME_REJECTED, 1, VERDICT_REJECTED},
    {"refused at the last attempt", OUTCOME_REJECTED, ATTEMPTS_MOST, VERDICT_REJECTED},
    {"a duplicate is final", OUTCOME_DUPLICATE, 1, VERDICT_DUPLICATE},
    {"what is not decided is tried again", OUTCOME_RETRY, 1, VERDICT_RETRY},
    {"the ninth is tried again", OUTCOME_RETRY, ATTEMPTS_MOST - 1, VERDICT_RETRY},
    {"the tenth is the last", OUTCOME_RETRY, ATTEMPTS_MOST, VERDICT_FAILED},
};

static void judges_by_outcome_and_attempt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum verdict got = verdict_judge(rows[i].outcome, rows[i].attempt);

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
        cmocka_unit_test(judges_by_outcome_and_attempt),
        cmocka_unit_test(every_verdict_has_a_word_and_a_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
