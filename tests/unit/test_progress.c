/* leadctl/progress.c: what the line says. */
#include "leadctl/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    struct progress_state state;
    const char *want;
} rows[] = {
    {{.total = 100}, "  0 %  [                        ]  0 lines"},
    {{.done = 50, .total = 100, .count = 4200000, .ms = 25000}, " 50 %  [############            ]  4,200,000 lines  168,000/s  0:25 left"},
    {{.done = 75, .begun = 50, .total = 100, .count = 999, .ms = 90000}, " 75 %  [##################      ]  999 lines  11/s  1:30 left"},
    {{.done = 100, .total = 100, .count = 1000, .ms = 1000}, "100 %  [########################]  1,000 lines  1,000/s  0:00 left"},
    {{.done = 120, .total = 100, .count = 1, .ms = 1000}, "100 %  [########################]  1 lines  1/s  0:00 left"},
    {{.total = 0}, "100 %  [########################]  0 lines"},
    {{.done = 7, .total = -1, .count = 12345, .ms = 2000}, "12,345 lines  6,172/s"},
};

static void test_rows(void **state)
{
    char text[PROGRESS_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(progress_text(text, &rows[i].state, "lines"), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
