/* Messages that announce more than they hold: proto/frame_bound.h. */
#include "proto/frame_bound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *claim;
    struct span message;
    bool want;
} rows[] = {
    {"nothing", SPAN(""), true},
    {"a small number", SPAN("\x07"), true},
    {"a negative one", SPAN("\xff"), true},
    {"nil, false, true", SPAN("\x93\xc0\xc2\xc3"), true},
    {"a list of three", SPAN("\x93\x01\x02\x03"), true},
    {"a list of three with one", SPAN("\x93\x01"), false},
    {"a map of one", SPAN("\x81\x01\x02"), true},
    {"a map of two with one", SPAN("\x82\x01\x02"), false},
    {"a short text", SPAN("\xa3" "abc"), true},
    {"a short text that ends early", SPAN("\xa3" "ab"), false},
    {"text 8", SPAN("\xd9\x03" "abc"), true},
    {"text 16", SPAN("\xda\x00\x03" "abc"), true},
    {"text 32", SPAN("\xdb\x00\x00\x00\x03" "abc"), true},
    {"text 32 of four thousand million bytes", SPAN("\xdb\xff\xff\xff\xff" "abc"), false},
    {"bytes 8", SPAN("\xc4\x02" "\xff\xff"), true},
    {"bytes 16", SPAN("\xc5\x00\x02" "\xff\xff"), true},
    {"bytes 32", SPAN("\xc6\x00\x00\x00\x02" "\xff\xff"), true},
    {"unsigned numbers", SPAN("\x94\xcc\x01\xcd\x01\x02\xce\x01\x02\x03\x04\xcf\x01\x02\x03\x04\x05\x06\x07\x08"), true},
    {"signed numbers", SPAN("\x94\xd0\x01\xd1\x01\x02\xd2\x01\x02\x03\x04\xd3\x01\x02\x03\x04\x05\x06\x07\x08"), true},
    {"real numbers", SPAN("\x92\xca\x01\x02\x03\x04\xcb\x01\x02\x03\x04\x05\x06\x07\x08"), true},
    {"a number that ends early", SPAN("\xcf\x01\x02"), false},
    {"fixed extensions", SPAN("\x92\xd4\x05\x01\xd6\x05\x01\x02\x03\x04"), true},
    {"an extension of 8 bits", SPAN("\xc7\x02\x05\x01\x02"), true},
    {"list 16", SPAN("\xdc\x00\x02\x01\x02"), true},
    {"list 32", SPAN("\xdd\x00\x00\x00\x02\x01\x02"), true},
    {"map 16", SPAN("\xde\x00\x01\x01\x02"), true},
    {"map 32", SPAN("\xdf\x00\x00\x00\x01\x01\x02"), true},
    {"a list of four thousand million", SPAN("\xdd\xff\xff\xff\xff"), false},
    {"a map of four thousand million", SPAN("\xdf\xff\xff\xff\xff\x01\x02"), false},
    {"a length that ends early", SPAN("\xdd\x00\x00"), false},
    {"many lists in each other, each of a few more than there is", SPAN("\x96\x96\x96\x96\x96\x01\x01\x01\x01\x01"), false},
    {"a byte that no format begins with", SPAN("\xc1"), true},
};

static void says_whether_it_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (frame_is_bounded(rows[i].message) != rows[i].want)
            fail_msg("%s", rows[i].claim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_whether_it_fits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
