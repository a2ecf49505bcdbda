/* Forms: gateway/form.h. */
#include "common/buf.h"
#include "gateway/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *claim, *body;
    const char *pairs[5][2];
} good[] = {
    {"nothing", "", {{NULL}}},
    {"one", "a=1", {{"a", "1"}}},
    {"in order", "b=2&a=1", {{"b", "2"}, {"a", "1"}}},
    {"a blank is a plus", "name=John+Doe", {{"name", "John Doe"}}},
    {"escapes of either case", "e=john%40example.com&x=%c3%A9", {{"e", "john@example.com"}, {"x", "\xc3\xa9"}}},
    {"an escaped plus", "phone=%2B15551234567", {{"phone", "+15551234567"}}},
    {"escapes in names", "a%20b=c", {{"a b", "c"}}},
    {"an empty value stays", "a=&b=1", {{"a", ""}, {"b", "1"}}},
    {"no sign of equality", "a&b=1", {{"a", ""}, {"b", "1"}}},
    {"equality in the value", "a=b=c", {{"a", "b=c"}}},
    {"empty pieces", "&&a=1&&", {{"a", "1"}}},
    {"separators that are escaped", "a=%26%3D", {{"a", "&="}}},
    {"other bytes stay", "a=;/?:", {{"a", ";/?:"}}},
};

static void well_formed_ones_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct arena *arena = arena_new();
        struct field_list fields;
        struct error err = {""};
        size_t want = 0;

        print_message("%s\n", good[i].claim);
        assert_int_equal(form_read(arena, span_of(good[i].body), &fields, &err), 0);
        for (; good[i].pairs[want][0] != NULL; want++) {
            assert_true(want < fields.count);
            assert_int_equal(fields.items[want].kind, VALUE_TEXT);
            assert_true(span_is(fields.items[want].name, good[i].pairs[want][0]));
            assert_true(span_is(fields.items[want].text, good[i].pairs[want][1]));
        }
        assert_int_equal(fields.count, want);
        arena_free(&arena);
    }
}

#define BYTES(literal) {literal, sizeof(literal) - 1}
static const struct {
    const char *claim;
    struct span body;
    const char *where;
} bad[] = {
    {"a name that comes twice", BYTES("a=1&b=2&a=3"), "position 8"},
    {"twice, written differently", BYTES("a=1&%61=3"), "position 4"},
    {"twice, once empty", BYTES("a=&a=3"), "position 3"},
    {"a cut escape", BYTES("a=1&b=%4"), "position 6"},
    {"a lone percent sign", BYTES("a=100%"), "position 5"},
    {"an escape of no digits", BYTES("a=%zz"), "position 2"},
    {"a cut escape before the next pair", BYTES("a=%4&b=1"), "position 2"},
    {"NUL", BYTES("a=b\0c"), "position 3"},
    {"an escaped NUL", BYTES("ab=%00"), "position 3"},
    {"not UTF-8", BYTES("a=1&b=\xff"), "position 6"},
    {"a surrogate", BYTES("b=%ed%a0%80"), "position 2"},
    {"no name", BYTES("a=1&=2"), "position 4"},
};

static void what_is_wrong_is_named_by_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena *arena = arena_new();
        struct field_list fields;
        struct error err = {""};

        print_message("%s\n", bad[i].claim);
        assert_int_equal(form_read(arena, bad[i].body, &fields, &err), -1);
        assert_non_null(strstr(err.text, bad[i].where));
        arena_free(&arena);
    }
}

static void many_pairs_are_no_trouble(void **state)
{
    struct arena *arena = arena_new();
    struct buf *body = buf_new(1 << 16);
    struct field_list fields;
    struct error err;

    (void)state;
    for (int i = 0; i < 8000; i++)
        buf_printf(body, "n%d=&", i);
    assert_int_equal(form_read(arena, buf_span(body), &fields, &err), 0);
    assert_int_equal(fields.count, 8000);
    buf_free(&body);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_ones_are_read),
        cmocka_unit_test(what_is_wrong_is_named_by_its_place),
        cmocka_unit_test(many_pairs_are_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
