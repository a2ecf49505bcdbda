/* test_json.c - common/json.c: strict reading, exact writing, what is lent and what is taken. */
#include "common/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void assert_printed(const char *claim, const struct json *value, const char *want)
{
    struct buf *out = buf_new(0);

    json_print(value, out);
    if (!span_is(buf_span(out), want))
        fail_msg("%s: got %s", claim, buf_text(out));
    buf_free(&out);
}

static void good_documents(void **state)
{
    static const struct { const char *claim, *text, *want; } rows[] = {
        {"an empty object", "{}", "{}"},
        {"white space goes", " {\r\n\t\"a\" : [ 1 , 2 ] } \n", "{\"a\":[1,2]}"},
        {"keys stay in order", "{\"z\":1,\"a\":2,\"m\":{\"b\":null,\"a\":true}}",
            "{\"z\":1,\"a\":2,\"m\":{\"b\":null,\"a\":true}}"},
        {"any value is a document", "\"x\"", "\"x\""},
        {"a number alone", "-12", "-12"},
        {"escapes become characters", "\"\\u00e9\\n\\/\\ud83d\\ude00\"", "\"\xc3\xa9\\n/\xf0\x9f\x98\x80\""},
        {"control characters are escaped again", "\"\\u0001\\u001f\\t\\b\\\"\\\\\"",
            "\"\\u0001\\u001f\\t\\u0008\\\"\\\\\""},
        {"the largest integer", "9223372036854775807", "9223372036854775807"},
        {"the least integer", "-9223372036854775808", "-9223372036854775808"},
        {"a real is printed as short as it reads back", "[0.1,25.10,1e300,1.0,-2.5e-7]", "[0.1,25.1,1e+300,1.0,-2.5e-07]"},
        {"minus nought is a real", "-0.0", "-0.0"},
        {"an empty key", "{\"\":\"\"}", "{\"\":\"\"}"},
        {"the same key in two objects", "[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}]"},
        {"brackets in text are no depth",
         "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"",
         "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err;
        struct json *value = json_parse(span_of(rows[i].text), &err);

        if (value == NULL)
            fail_msg("%s: %s", rows[i].claim, err.text);
        assert_printed(rows[i].claim, value, rows[i].want);
        json_free(&value);
        assert_null(value);
    }
}

static void bad_documents(void **state)
{
    static const struct { const char *claim; struct span text; const char *want; } rows[] = {
        {"nothing", SPAN(""), "at line 1, column 0, position 0"},
        {"a comma too many", SPAN("{\"a\":1,}"), "string or '}' expected at line 1, column 8, position 8"},
        {"cut off", SPAN("{\"a\":"), "at line 1, column 5, position 5"},
        {"a second line is named", SPAN("{\n \"a\": x}"), "at line 2, column 7, position 9"},
        {"something behind it", SPAN("{} x"), "at line 1, column 4, position 4"},
        {"two documents", SPAN("{}{}"), "end of file expected"},
        {"a key that comes twice", SPAN("{\"smith\":1,\"smith\":2}"), "duplicate object key at line 1"},
        {"the same key otherwise written", SPAN("{\"a\":1,\"\\u0061\":2}"), "duplicate object key"},
        {"NUL escaped", SPAN("{\"a\":\"x\\u0000y\"}"), "NUL character at line 1"},
        {"NUL in a key", SPAN("{\"a\\u0000\":1}"), "NUL character"},
        {"NUL raw", SPAN("{\"a\":\"x\0y\"}"), "at line 1"},
        {"NUL behind the value", SPAN("{}\0"), "at line 1"},
        {"no UTF-8", SPAN("{\"a\":\"\xff\"}"), "at line 1"},
        {"an over-long form", SPAN("\"\xc0\xaf\""), "at line 1"},
        {"a surrogate as UTF-8", SPAN("\"\xed\xa0\x80\""), "at line 1"},
        {"half a surrogate pair", SPAN("\"\\ud83d\""), "at line 1"},
        {"a line break in text", SPAN("\"a\nb\""), "at line"},
        {"single quotes", SPAN("{'a':1}"), "at line 1"},
        {"a number with a leading nought", SPAN("[01]"), "at line 1"},
        {"an integer beyond 64 bits", SPAN("[9223372036854775808]"), "number out of range at line 1"},
        {"a real beyond a double", SPAN("[1e999]"), "number out of range"},
        {"a real that is smaller than a decimal column can hold", SPAN("[1e-20000]"), "number out of range at line 1, column 9, position 9"},
        {"a nought with such an exponent, in the next line", SPAN("{\"a\":1,\n\"b\":-0E+99999}"), "number out of range at line 2, column 13, position 21"},
        {"no number", SPAN("NaN"), "at line 1"},
        {"a comment", SPAN("{} // smith"), "at line 1"},
        {"a byte order mark", SPAN("\xef\xbb\xbf{}"), "at line 1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = {""};
        struct json *value = json_parse(rows[i].text, &err);

        if (value != NULL)
            fail_msg("%s: was read", rows[i].claim);
        if (strstr(err.text, rows[i].want) == NULL || strstr(err.text, "position") == NULL)
            fail_msg("%s: got %s", rows[i].claim, err.text);
        if (strstr(err.text, "near") != NULL || strstr(err.text, "smith") != NULL)
            fail_msg("%s: quotes the document: %s", rows[i].claim, err.text);
        assert_null(json_parse(rows[i].text, NULL));
    }
}

static void depth_ends_at_64(void **state)
{
    char text[512];
    struct error err;
    struct json *value;

    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    value = json_parse((struct span){text, 128}, &err);
    assert_non_null(value);
    json_free(&value);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_null(json_parse((struct span){text, 130}, &err));
    assert_string_equal(err.text, "nested deeper than 64 at line 1, column 65, position 65");
    memset(text, '[', sizeof text); /* and it need not be closed */
    text[3] = '\n';
    assert_null(json_parse((struct span){text, sizeof text}, &err));
    assert_string_equal(err.text, "nested deeper than 64 at line 2, column 62, position 66");
}

static void numbers_end_at_a_thousand_characters(void **state)
{
    char text[1200];
    struct error err;
    struct json *value;

    (void)state;
    memset(text, '1', sizeof text);
    memcpy(text, "[0.", 3);
    text[1 + 1000] = ']';
    value = json_parse((struct span){text, 1002}, &err);
    assert_non_null(value);
    json_free(&value);
    text[1 + 1000] = '1';
    text[1 + 1001] = ']';
    assert_null(json_parse((struct span){text, 1003}, &err));
    assert_string_equal(err.text, "number out of range at line 1, column 1002, position 1002");
    value = json_parse(SPAN("[1e-9999, 1e00000000000000000001, 0.5e+0001, -7, \"1e99999\", \"\\\"1e99999\"]"), &err);
    assert_non_null(value);
    json_free(&value);
}

static void kinds_and_looks(void **state)
{
    static const char TEXT[] = "{\"t\":\"x\",\"i\":7,\"r\":2.5,\"y\":true,\"n\":false,\"0\":null,\"l\":[1,2,3]}";
    static const struct { const char *key; enum json_kind kind; } rows[] = {
        {"t", JSON_TEXT}, {"i", JSON_INTEGER}, {"r", JSON_REAL}, {"y", JSON_TRUE}, {"n", JSON_FALSE}, {"0",
            JSON_NULL}, {"l", JSON_LIST},
    };
    struct json *object = json_parse(span_of(TEXT), NULL), *value;
    const char *key;
    void *iter = NULL;
    size_t at = 0;

    (void)state;
    assert_non_null(object);
    assert_int_equal(json_kind(object), JSON_OBJECT);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(json_kind(json_get(object, rows[i].key)), rows[i].kind);
    while (json_each(object, &iter, &key, &value)) {
        assert_string_equal(key, rows[at].key);
        assert_ptr_equal(value, json_get(object, rows[at].key));
        at++;
    }
    assert_int_equal(at, COUNT(rows));
    assert_int_equal(json_count(object), COUNT(rows));
    assert_int_equal(json_count(json_get(object, "l")), 3);
    assert_int_equal(json_count(json_get(object, "t")), 0);
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_integer(json_at(json_get(object, "l"), 2), 0), 3);
    assert_null(json_at(json_get(object, "l"), 3));
    assert_null(json_at(object, 0));
    assert_null(json_get(object, "absent"));
    assert_null(json_get(json_get(object, "t"), "t"));
    assert_null(json_get(NULL, "t"));
    assert_true(span_is(json_get_text(object, "t"), "x"));
    assert_null(json_get_text(object, "i").ptr);
    assert_null(json_text(NULL).ptr);
    assert_int_equal(json_get_integer(object, "i", 1), 7);
    assert_int_equal(json_get_integer(object, "r", 1), 1);
    assert_int_equal(json_get_integer(object, "absent", 1), 1);
    assert_true(json_real(json_get(object, "i"), 0) == 7.0);
    assert_true(json_real(json_get(object, "r"), 0) == 2.5);
    assert_true(json_real(json_get(object, "t"), 1.5) == 1.5);
    assert_true(json_get_bool(object, "y", false));
    assert_false(json_get_bool(object, "n", true));
    assert_true(json_get_bool(object, "i", true));
    json_free(&object);
    json_free(&object);
}

static void making(void **state)
{
    struct json *object = json_new_object(), *list = json_new_list(), *copy;

    (void)state;
    json_set(object, "list", list);
    json_push(list, json_new_integer(-5));
    json_push(list, json_new_real(0.5));
    json_push(list, json_new_bool(true));
    json_push(list, json_new_null());
    json_set_text(object, "text", SPAN("a"));
    json_set_integer(object, "number", 3);
    json_set_bool(object, "bool", false);
    json_set_text(object, "text", SPAN("b")); /* replaced where it stands */
    assert_printed("made", object, "{\"list\":[-5,0.5,true,null],\"text\":\"b\",\"number\":3,\"bool\":false}");
    copy = json_copy(object);
    assert_true(json_equal(copy, object));
    json_push(json_get(copy, "list"), json_new_integer(6));
    assert_false(json_equal(copy, object));
    assert_int_equal(json_count(list), 4);
    json_remove(object, "list");
    json_remove(object, "absent");
    assert_printed("removed", object, "{\"text\":\"b\",\"number\":3,\"bool\":false}");
    assert_true(json_equal(NULL, NULL));
    assert_false(json_equal(object, NULL));
    json_free(&object);
    json_free(&copy);
}

static void text_is_always_utf8(void **state)
{
    static const struct { const char *claim; struct span text; const char *want; } rows[] = {
        {"good text stays", SPAN("caf\xc3\xa9"), "\"caf\xc3\xa9\""},
        {"each bad byte is replaced", SPAN("a\xff\xfe" "b"), "\"a\xef\xbf\xbd\xef\xbf\xbd" "b\""},
        {"a cut character is replaced", SPAN("x\xe2\x82"), "\"x\xef\xbf\xbd\xef\xbf\xbd\""},
        {"good ones beside it stay", SPAN("\xc3\xa9\xff\xf0\x9f\x98\x80"), "\"\xc3\xa9\xef\xbf\xbd\xf0\x9f\x98\x80\""},
        {"NUL is kept", SPAN("a\0b"), "\"a\\u0000b\""},
        {"absent is empty", {NULL, 0}, "\"\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value = json_new_text(rows[i].text);

        assert_printed(rows[i].claim, value, rows[i].want);
        json_free(&value);
    }
    {
        struct json *object = json_new_object();

        json_set_integer(object, "a\xff", 1);
        assert_printed("keys too", object, "{\"a\xef\xbf\xbd\":1}");
        json_free(&object);
    }
}

static void numbers_from_text(void **state)
{
    static const struct { const char *claim, *text, *want; } rows[] = {
        {"an integer", "25", "25"},
        {"below nought", "-7", "-7"},
        {"nought", "0", "0"},
        {"a real", "25.50", "25.5"},
        {"an exponent", "1E3", "1000.0"},
        {"too big for an integer: a real", "9223372036854775808", "9.223372036854776e+18"},
        {"nothing", "", NULL},
        {"a sign alone", "-", NULL},
        {"a plus sign", "+1", NULL},
        {"leading nought", "01", NULL},
        {"no digit before the point", ".5", NULL},
        {"no digit behind the point", "5.", NULL},
        {"no exponent", "5e", NULL},
        {"hexadecimal", "0x10", NULL},
        {"blank behind", "1 ", NULL},
        {"beyond a double", "1e999", NULL},
        {"words", "nan", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *value = json_new_number(span_of(rows[i].text));

        if ((value == NULL) != (rows[i].want == NULL))
            fail_msg("%s", rows[i].claim);
        if (value != NULL)
            assert_printed(rows[i].claim, value, rows[i].want);
        json_free(&value);
    }
    {
        struct json *value = json_new_real(INFINITY);

        assert_int_equal(json_kind(value), JSON_NULL);
        json_free(&value);
    }
}

static void every_double_reads_back(void **state)
{
    srand(7);
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
        double number;
        struct json *value, *again;
        struct buf *out = buf_new(0);

        memcpy(&number, &bits, sizeof number);
        if (isfinite(number)) {
            value = json_new_real(number);
            json_print(value, out);
            again = json_parse(buf_span(out), NULL);
            assert_non_null(again);
            assert_int_equal(json_kind(again), JSON_REAL);
            assert_true(json_real(again, 0) == number);
            json_free(&value);
            json_free(&again);
        }
        buf_free(&out);
    }
}

static void pretty(void **state)
{
    struct json *value = json_parse(SPAN("{\"a\":[1,{\"b\":[]}],\"c\":{}}"), NULL);
    struct buf *out = buf_new(0);

    (void)state;
    buf_add_text(out, "> ");
    json_print_pretty(value, out);
    assert_string_equal(buf_text(out), "> {\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
    buf_free(&out);
    json_free(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_documents),
        cmocka_unit_test(bad_documents),
        cmocka_unit_test(depth_ends_at_64),
        cmocka_unit_test(numbers_end_at_a_thousand_characters),
        cmocka_unit_test(kinds_and_looks),
        cmocka_unit_test(making),
        cmocka_unit_test(text_is_always_utf8),
        cmocka_unit_test(numbers_from_text),
        cmocka_unit_test(every_double_reads_back),
        cmocka_unit_test(pretty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
