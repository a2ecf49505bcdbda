/* test_money.c - proto/money.c: amounts as text, percentages, shares rounded half to even. */
#include "proto/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t cents;
} text_rows[] = {
    {"0.00", 0}, {"0.01", 1}, {"0.99", 99}, {"1.00", 100}, {"25.00", 2500}, {"25.50", 2550}, {"-0.05", -5}, {"-25.00", -2500},
    {"1234567890.12", INT64_C(123456789012)}, {"92233720368547758.07", INT64_MAX},
};

static void amounts_are_written(void **state)
{
    char out[MONEY_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
        assert_ptr_equal(money_text(text_rows[i].cents, out), out);
        assert_string_equal(out, text_rows[i].text);
    }
}

static const struct {
    const char *claim;
    struct span text;
    int64_t cents; /* -1: refused */
} parse_rows[] = {
    {"whole", SPAN("25"), 2500},
    {"one place", SPAN("25.5"), 2550},
    {"two places", SPAN("25.05"), 2505},
    {"nothing", SPAN("0"), 0},
    {"a cent", SPAN("0.01"), 1},
    {"zeros before", SPAN("007.00"), 700},
    {"twelve digits", SPAN("999999999999.99"), INT64_C(99999999999999)},
    {"thirteen digits", SPAN("1000000000000"), -1},
    {"no digits", SPAN(""), -1},
    {"a point alone", SPAN("."), -1},
    {"nothing before the point", SPAN(".50"), -1},
    {"nothing behind the point", SPAN("25."), -1},
    {"three places", SPAN("25.001"), -1},
    {"three places that are zeros", SPAN("25.000"), -1},
    {"a sign", SPAN("-25"), -1},
    {"a plus", SPAN("+25"), -1},
    {"a comma", SPAN("25,00"), -1},
    {"a blank", SPAN(" 25"), -1},
    {"an exponent", SPAN("2e3"), -1},
    {"a NUL", SPAN("25\0"), -1},
    {"two points", SPAN("2.5.0"), -1},
    {"very long", SPAN("00000000000000000000000025"), -1},
};

static void amounts_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parse_rows / sizeof *parse_rows; i++) {
        int64_t cents = -7;
        int rc = money_parse(parse_rows[i].text, &cents);

        if (rc != (parse_rows[i].cents < 0 ? -1 : 0) || (rc == 0 && cents != parse_rows[i].cents))
            fail_msg("%s: %d, %lld", parse_rows[i].claim, rc, (long long)cents);
    }
}

static const struct {
    struct span text;
    int64_t millionths; /* -1: refused */
} percent_rows[] = {
    {SPAN("0"), 0}, {SPAN("12.5"), 125000}, {SPAN("100"), 1000000}, {SPAN("100.0000"), 1000000}, {SPAN("0.0001"), 1}, {SPAN("33.3333"), 333333},
    {SPAN("100.0001"), -1}, {SPAN("101"), -1}, {SPAN("1000"), -1}, {SPAN("12.50000"), -1}, {SPAN("12,5"), -1}, {SPAN("12.5%"), -1}, {SPAN("-1"), -1}, {SPAN(""), -1},
};

static void percentages_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof percent_rows / sizeof *percent_rows; i++) {
        int64_t millionths = -7;
        int rc = money_percent(percent_rows[i].text, &millionths);

        if (rc != (percent_rows[i].millionths < 0 ? -1 : 0) || (rc == 0 && millionths != percent_rows[i].millionths))
            fail_msg("%.*s: %d, %lld", SPAN_FMT(percent_rows[i].text), rc, (long long)millionths);
    }
}

static const struct {
    const char *claim;
    int64_t cents, millionths, want;
} share_rows[] = {
    {"all", 2500, 1000000, 2500},
    {"nothing", 2500, 0, 0},
    {"of nothing", 0, 125000, 0},
    {"exactly", 2400, 125000, 300},
    {"below a half goes down", 2499, 125000, 312},
    {"above a half goes up", 2501, 125000, 313},
    {"a half goes down to an even cent", 2500, 125000, 312},
    {"a half goes up to an even cent", 2508, 125000, 314},
    {"half a cent of one is none", 1, 500000, 0},
    {"half of three is two", 3, 500000, 2},
    {"half of five is two", 5, 500000, 2},
    {"half of seven is four", 7, 500000, 4},
    {"a little more than half a cent", 1, 500001, 1},
    {"large amounts do not overflow", INT64_C(99999999999999), 999999, INT64_C(99999899999999)},
    {"what is given back is rounded alike", -2500, 125000, -312},
    {"and to the other side", -2508, 125000, -314},
};

static void shares_are_rounded_half_to_even(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof share_rows / sizeof *share_rows; i++)
        if (money_share(share_rows[i].cents, share_rows[i].millionths) != share_rows[i].want)
            fail_msg("%s: %lld", share_rows[i].claim, (long long)money_share(share_rows[i].cents, share_rows[i].millionths));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_written),
        cmocka_unit_test(amounts_are_read),
        cmocka_unit_test(percentages_are_read),
        cmocka_unit_test(shares_are_rounded_half_to_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
