/* test_decimal.c - proto/decimal.c: the order of numbers as text. */
#include "proto/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* In rising order, all different. */
static const char *const rising[] = {
    "-10000000000000000000000000000000000000000", "-1000", "-999.9", "-100", "-99", "-18.01", "-18", "-17.99", "-2", "-1.5", "-1.49", "-1", "-0.2",
    "-0.1", "-0.01", "-0.0000000000000000000000000000000000000001", "0", "0.0000000000000000000000000000000000000001", "0.01", "0.1",
    "0.10000000000000000000000000000000000001", "0.11", "0.2", "0.9", "1", "1.01", "1.1", "1.11", "2", "9", "9.99", "10", "11", "17.99", "18", "18.01",
    "99", "100", "101.5", "9007199254740992", "9007199254740993", "9007199254740993.1", "18446744073709551615", "18446744073709551616",
    "10000000000000000000000000000000000000000",
};

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void all_pairs(void **state)
{
    int count = (int)(sizeof rising / sizeof *rising);

    (void)state;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < count; k++)
            if (sign(decimal_compare(span_of(rising[i]), span_of(rising[k]))) != sign(i - k))
                fail_msg("%s and %s", rising[i], rising[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_pairs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
