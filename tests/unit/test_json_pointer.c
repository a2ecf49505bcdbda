/* JSON pointers: common/json_pointer.h. */
#include "common/json_pointer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The document of RFC 6901, 5, and what hangs on it. */
static const char document[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,"
    "\"null\":null,\"deep\":{\"list\":[[10],{\"x\":11}]},\"0\":{\"1\":12},\"~1\":13}";

static const struct {
    const char *pointer, *want; /* NULL: nothing is there */
} rows[] = {
    {"/foo", "[\"bar\",\"baz\"]"}, {"/foo/0", "\"bar\""}, {"/foo/1", "\"baz\""}, {"/", "0"}, {"/a~1b", "1"}, {"/c%d", "2"}, {"/e^f", "3"},
    {"/g|h", "4"}, {"/i\\j", "5"}, {"/k\"l", "6"}, {"/ ", "7"}, {"/m~0n", "8"}, {"/null", "null"}, {"/deep/list/0/0", "10"},
    {"/deep/list/1/x", "11"}, {"/0/1", "12"}, {"/~01", "13"},
    {"/foo/2", NULL}, {"/foo/-", NULL}, {"/foo/00", NULL}, {"/foo/01", NULL}, {"/foo/", NULL}, {"/foo/1x", NULL}, {"/foo/-1", NULL},
    {"/foo/99999999999999999999", NULL}, {"/foo/0/0", NULL}, {"/FOO", NULL}, {"/null/x", NULL}, {"/deep/", NULL}, {"//", NULL}, {"/absent", NULL},
    {"foo", NULL}, {"/~", NULL}, {"/~2", NULL}, {"/m~n", NULL}, {"#/foo", NULL},
};

static void finds_values(void **state)
{
    struct json *doc = json_parse(span_of(document), NULL);

    (void)state;
    assert_non_null(doc);
    assert_ptr_equal(json_pointer_find(doc, SPAN("")), doc);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct json *found = json_pointer_find(doc, span_of(rows[i].pointer));
        struct buf *text = buf_new(16);

        if (found != NULL)
            json_print(found, text);
        if ((found != NULL) != (rows[i].want != NULL) || (found != NULL && strcmp(buf_text(text), rows[i].want) != 0))
            fail_msg("%s: got %s", rows[i].pointer, found != NULL ? buf_text(text) : "nothing");
        buf_free(&text);
    }
    json_free(&doc);
}

static void knows_what_is_a_pointer(void **state)
{
    static const char *const good[] = {"", "/", "/a", "//", "/~0~1", "/zo\xc3\xab", "/a b"};
    static const char *const bad[] = {"a", "a/b", "/~", "/~a", "/a~", "#", " /a", "/\xff"};
    char text[JSON_POINTER_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(json_pointer_is_good(span_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(json_pointer_is_good(span_of(bad[i])));
    assert_false(json_pointer_is_good(SPAN("/a\0b")));
    memset(text, '/', sizeof text);
    assert_true(json_pointer_is_good((struct span){text, JSON_POINTER_BYTES}));
    assert_false(json_pointer_is_good((struct span){text, sizeof text}));
}

static void other_documents_than_objects(void **state)
{
    struct json *list = json_parse(SPAN("[5]"), NULL), *number = json_parse(SPAN("5"), NULL);

    (void)state;
    assert_int_equal(json_integer(json_pointer_find(list, SPAN("/0")), 0), 5);
    assert_ptr_equal(json_pointer_find(number, SPAN("")), number);
    assert_null(json_pointer_find(number, SPAN("/0")));
    assert_null(json_pointer_find(NULL, SPAN("/0")));
    json_free(&list);
    json_free(&number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values), cmocka_unit_test(knows_what_is_a_pointer), cmocka_unit_test(other_documents_than_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
