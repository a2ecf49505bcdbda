/* test_arena.c - common/arena.c. */
#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void pieces_are_apart_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {1, 16, 0, 17, 4095, 4096, 4097, 100000, 3, 8};
    enum { PIECES = 500 };
    struct arena *arena = arena_new();
    uint8_t *pieces[PIECES];
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < PIECES; i++) {
        size_t size = sizes[i % (sizeof sizes / sizeof *sizes)];

        pieces[i] = arena_alloc(arena, size);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)(i % 251), size);
        total += size;
    }
    for (size_t i = 0; i < PIECES; i++) /* nobody wrote into his neighbour */
        for (size_t at = 0; at < sizes[i % (sizeof sizes / sizeof *sizes)]; at++)
            assert_int_equal(pieces[i][at], i % 251);
    assert_true(arena_bytes(arena) >= total && arena_bytes(arena) <= total + PIECES * 16);
    arena_free(&arena);
    assert_null(arena);
    arena_free(&arena);
}

static void texts(void **state)
{
    struct arena *arena = arena_new();
    char text[] = "a\0b";
    struct span copy = arena_copy(arena, (struct span){text, 3});
    const char *zeroed = arena_text(arena, (struct span){"hello world", 5});
    struct span printed = arena_printf(arena, "%s-%05d", "x", 42);

    (void)state;
    text[0] = 'z';
    assert_true(span_equal(copy, SPAN("a\0b")));
    assert_string_equal(zeroed, "hello");
    assert_true(span_is(printed, "x-00042"));
    assert_string_equal(printed.ptr, "x-00042");
    copy = arena_copy(arena, (struct span){NULL, 0});
    assert_int_equal(copy.len, 0);
    assert_non_null(copy.ptr);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_are_apart_zeroed_and_aligned), cmocka_unit_test(texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
