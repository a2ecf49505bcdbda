/* test_bid_answer.c - dispatcher/bid_answer.c and proto/bid_outcome.c: which answers are bids, at which price, and what the others are. */
#include "dispatcher/bid_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BID BID_OUTCOME_BID
#define NO_BID BID_OUTCOME_NO_BID
#define WRONG BID_OUTCOME_WRONG
#define LATE BID_OUTCOME_LATE
#define FAILED BID_OUTCOME_FAILED
#define SKIPPED BID_OUTCOME_SKIPPED

static const struct { const char *claim; int status; const char *error, *body; enum bid_outcome want; int64_t cents; } rows[] = {
    {"a price as text", 200, NULL, "{\"bid_price\":\"31.50\"}", BID, 3150},
    {"with one decimal", 200, NULL, "{\"bid_price\":\"31.5\"}", BID, 3150},
    {"with none", 200, NULL, "{\"bid_price\":\"31\"}", BID, 3100},
    {"a cent", 200, NULL, "{\"bid_price\":\"0.01\"}", BID, 1},
    {"the highest", 200, NULL, "{\"bid_price\":\"999999999999.99\"}", BID, INT64_C(99999999999999)},
    {"too high", 200, NULL, "{\"bid_price\":\"1000000000000\"}", WRONG, 0},
    {"a price as a number", 200, NULL, "{\"bid_price\":31.5}", BID, 3150},
    {"a number that no double is", 200, NULL, "{\"bid_price\":0.29}", BID, 29},
    {"another", 200, NULL, "{\"bid_price\":1.15}", BID, 115},
    {"a whole number", 200, NULL, "{\"bid_price\":31}", BID, 3100},
    {"with an exponent", 200, NULL, "{\"bid_price\":3.15e1}", BID, 3150},
    {"with a needless zero", 200, NULL, "{\"bid_price\":31.500}", BID, 3150},
    {"the highest number", 200, NULL, "{\"bid_price\":999999999999.99}", BID, INT64_C(99999999999999)},
    {"the highest whole number", 200, NULL, "{\"bid_price\":999999999999}", BID, INT64_C(99999999999900)},
    {"too high a whole number", 200, NULL, "{\"bid_price\":1000000000000}", WRONG, 0},
    {"too high a number", 200, NULL, "{\"bid_price\":1e12}", WRONG, 0},
    {"far too high", 200, NULL, "{\"bid_price\":1.7e308}", WRONG, 0},
    {"as high as no integer is", 200, NULL, "{\"bid_price\":9223372036854775807}", WRONG, 0},
    {"a number that nobody holds", 200, NULL, "{\"bid_price\":92233720368547758080}", WRONG, 0},
    {"three decimals", 200, NULL, "{\"bid_price\":31.505}", WRONG, 0},
    {"three decimals as text", 200, NULL, "{\"bid_price\":\"31.505\"}", WRONG, 0},
    {"a fraction of a cent", 200, NULL, "{\"bid_price\":0.001}", WRONG, 0},
    {"next to nothing", 200, NULL, "{\"bid_price\":1e-300}", WRONG, 0},
    {"negative", 200, NULL, "{\"bid_price\":-1}", WRONG, 0},
    {"negative, not whole", 200, NULL, "{\"bid_price\":-1.5}", WRONG, 0},
    {"negative text", 200, NULL, "{\"bid_price\":\"-1.00\"}", WRONG, 0},
    {"a currency", 200, NULL, "{\"bid_price\":\"$31.50\"}", WRONG, 0},
    {"a comma", 200, NULL, "{\"bid_price\":\"31,50\"}", WRONG, 0},
    {"a blank", 200, NULL, "{\"bid_price\":\" \"}", WRONG, 0},
    {"true", 200, NULL, "{\"bid_price\":true}", WRONG, 0},
    {"a list", 200, NULL, "{\"bid_price\":[31.5]}", WRONG, 0},
    {"an object", 200, NULL, "{\"bid_price\":{\"amount\":31.5}}", WRONG, 0},
    {"more than the price", 201, NULL, "{\"id\":\"x\",\"bid_price\":\"2\",\"note\":null}", BID, 200},
    {"no content", 204, NULL, "", NO_BID, 0},
    {"no content, with one", 204, NULL, "{\"bid_price\":5}", NO_BID, 0},
    {"nothing in it", 200, NULL, "{}", NO_BID, 0},
    {"nothing about a price", 200, NULL, "{\"reason\":\"out of area\"}", NO_BID, 0},
    {"a price of null", 200, NULL, "{\"bid_price\":null}", NO_BID, 0},
    {"an empty price", 200, NULL, "{\"bid_price\":\"\"}", NO_BID, 0},
    {"zero", 200, NULL, "{\"bid_price\":0}", NO_BID, 0},
    {"zero, not whole", 200, NULL, "{\"bid_price\":0.00}", NO_BID, 0},
    {"zero from below", 200, NULL, "{\"bid_price\":-0.0}", NO_BID, 0},
    {"zero as text", 200, NULL, "{\"bid_price\":\"0.00\"}", NO_BID, 0},
    {"an empty body", 200, NULL, "", WRONG, 0},
    {"no JSON", 200, NULL, "31.50 USD", WRONG, 0},
    {"half of one", 200, NULL, "{\"bid_price\":\"31.50\"", WRONG, 0},
    {"a price twice", 200, NULL, "{\"bid_price\":\"31.50\",\"bid_price\":\"1\"}", WRONG, 0},
    {"only a number", 200, NULL, "31.50", WRONG, 0},
    {"a list of objects", 200, NULL, "[{\"bid_price\":\"31.50\"}]", WRONG, 0},
    {"null", 200, NULL, "null", WRONG, 0},
    {"a redirect", 302, NULL, "{\"bid_price\":\"31.50\"}", WRONG, 0},
    {"not found", 404, NULL, "{\"bid_price\":\"31.50\"}", WRONG, 0},
    {"out of order", 500, NULL, "", WRONG, 0},
    {"too many", 429, NULL, "{}", WRONG, 0},
    {"it took too long", 0, "timeout", "", LATE, 0},
    {"it never got its turn", 0, "waiting", "", SKIPPED, 0},
    {"it speaks no HTTP", 0, "bad_answer", "", WRONG, 0},
    {"nobody listens", 0, "refused", "", FAILED, 0},
    {"it broke off", 0, "incomplete", "", FAILED, 0},
    {"an address that is not allowed", 0, "address_not_allowed", "", FAILED, 0},
    {"we leave", 0, "closing", "", FAILED, 0},
};

static void answers_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_answer answer = {.status = rows[i].status, .error = rows[i].error, .body = span_of(rows[i].body)};
        int64_t cents = -1;
        enum bid_outcome got = bid_answer_judge(&answer, &cents);

        if (got != rows[i].want || cents != rows[i].cents)
            fail_msg("%s: %s at %lld", rows[i].claim, bid_outcome_word(got), (long long)cents);
    }
}

static void every_outcome_has_its_word(void **state)
{
    (void)state;
    for (int i = 0; i < BID_OUTCOMES; i++) {
        assert_int_equal(bid_outcome_of(span_of(bid_outcome_word((enum bid_outcome)i))), i);
        assert_true(strlen(bid_outcome_meaning((enum bid_outcome)i)) > 0);
    }
    assert_string_equal(bid_outcome_word(BID_OUTCOME_NO_BID), "NO_BID");
    assert_int_equal(bid_outcome_of(SPAN("no_bid")), -1);
    assert_int_equal(bid_outcome_of((struct span){NULL, 0}), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(every_outcome_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
