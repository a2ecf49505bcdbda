/* test_uuid.c - common/uuid.c. */
#include "common/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const int64_t NOW_MS = INT64_C(1764000000123);

static void ids_grow_and_tell_their_time(void **state)
{
    struct uuid before = {{0}};
    char text[UUID_TEXT_BYTES];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t at_ms = NOW_MS + i / 20000;
        struct uuid id = uuid_v7(at_ms), again;

        assert_true(uuid_compare(&before, &id) < 0);
        assert_in_range(uuid_ms(&id), at_ms, at_ms + 10); /* more than 4,096 in one millisecond borrow from the next */
        uuid_text(&id, text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(text[14], '7');
        assert_non_null(strchr("89ab", text[19]));
        assert_int_equal(uuid_parse(&again, span_of(text)), 0);
        assert_int_equal(uuid_compare(&id, &again), 0);
        before = id;
    }
    {
        struct uuid back = uuid_v7(NOW_MS - 5000); /* a clock that was set back */
        struct uuid later = uuid_v7(NOW_MS + 1000);

        assert_true(uuid_compare(&before, &back) < 0);
        assert_true(uuid_compare(&back, &later) < 0);
        assert_int_equal(uuid_ms(&later), NOW_MS + 1000);
        assert_memory_not_equal(later.bytes + 8, back.bytes + 8, 8);
    }
}

static void parsing(void **state)
{
    static const struct { const char *claim, *text, *want; } rows[] = { /* want NULL: refused */
        {"lower case", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"},
        {"upper case", "0193A5B0-1C2D-7E3F-8A4B-5C6D7E8F9A0B", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"},
        {"any version", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
        {"nothing", "", NULL},
        {"too short", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0", NULL},
        {"too long", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b0", NULL},
        {"no hyphens", "0193a5b01c2d7e3f8a4b5c6d7e8f9a0b", NULL},
        {"hyphens elsewhere", "0193a5b01-c2d-7e3f-8a4b-5c6d7e8f9a0b", NULL},
        {"another letter", "0193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0g", NULL},
        {"braces", "{193a5b0-1c2d-7e3f-8a4b-5c6d7e8f9a0}", NULL},
    };
    char text[UUID_TEXT_BYTES];
    struct uuid id;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = uuid_parse(&id, span_of(rows[i].text));

        if ((rc == 0) != (rows[i].want != NULL) || (rc == 0 && strcmp(uuid_text(&id, text), rows[i].want) != 0))
            fail_msg("%s", rows[i].claim);
    }
}

static void nil_and_key(void **state)
{
    struct uuid nil = {{0}}, id = uuid_v7(NOW_MS);

    (void)state;
    assert_true(uuid_is_nil(&nil));
    assert_false(uuid_is_nil(&id));
    assert_int_equal(uuid_span(&id).len, 16);
    assert_ptr_equal(uuid_span(&id).ptr, id.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_grow_and_tell_their_time), cmocka_unit_test(parsing), cmocka_unit_test(nil_and_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
