/* test_buf.c - common/buf.c. */
#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void everything_is_appended(void **state)
{
    struct buf *buf = buf_new(0);
    char *room;

    (void)state;
    assert_string_equal(buf_text(buf), "");
    buf_add(buf, "ab", 2);
    buf_add(buf, NULL, 0);
    buf_add_span(buf, SPAN("cd"));
    buf_add_span(buf, (struct span){NULL, 0});
    buf_add_text(buf, "ef");
    buf_printf(buf, "%03d%s", 7, "");
    assert_true(span_is(buf_span(buf), "abcdef007"));
    buf_add_u32(buf, 0x01020304);
    buf_add_u64(buf, 0x05060708090a0b0c);
    assert_true(span_equal(buf_span(buf), SPAN("abcdef007\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c")));
    room = buf_reserve(buf, 1000);
    assert_ptr_equal(room, buf->data + buf->len);
    assert_int_equal(buf->len, 21);
    assert_true(buf->room >= 1021);
    buf_free(&buf);
    assert_null(buf);
    buf_free(&buf);
}

static void it_grows(void **state)
{
    struct buf *buf = buf_new(1);

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_printf(buf, "%d,", i % 10);
    assert_int_equal(buf->len, 20000);
    for (size_t i = 0; i < buf->len; i += 2)
        assert_int_equal(buf->data[i], '0' + (int)(i / 2 % 10));
    assert_int_equal(strlen(buf_text(buf)), 20000);
    assert_int_equal(buf->len, 20000);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_appended), cmocka_unit_test(it_grows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
