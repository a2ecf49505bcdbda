/* From bytes to a lead: gateway/ingest.h; and its idempotency key: gateway/idempotency.h; what is accepted: gateway/accept.h. */
#include "gateway/accept.h"
#include "gateway/idempotency.h"
#include "gateway/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *claim;
    enum media media;
    const char *body, *raw;
    struct {
        const char *name;
        enum value_kind kind;
        const char *text;
    } fields[5];
} good[] = {
    {"text", MEDIA_JSON, "{\"a\":\"x\",\"b\":\"y\"}", NULL, {{"a", VALUE_TEXT, "x"}, {"b", VALUE_TEXT, "y"}}},
    {"null and empty are absent", MEDIA_JSON, "{\"a\":null,\"b\":\"\",\"c\":\" \"}", NULL, {{"c", VALUE_TEXT, " "}}},
    {"numbers", MEDIA_JSON, "{\"a\":75201,\"b\":-1.5,\"c\":5551234567}", NULL,
     {{"a", VALUE_NUMBER, "75201"}, {"b", VALUE_NUMBER, "-1.5"}, {"c", VALUE_NUMBER, "5551234567"}}},
    {"numbers as long as they come through", MEDIA_JSON, "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":12345678901234.5,\"d\":1e30}", NULL,
     {{"a", VALUE_NUMBER, "9223372036854775807"}, {"b", VALUE_NUMBER, "-9223372036854775808"}, {"c", VALUE_NUMBER, "12345678901234.5"}, {"d", VALUE_NUMBER, "1e+30"}}},
    {"longer ones are text", MEDIA_JSON, "{\"a\":9223372036854775808,\"b\" : -17.9999999999999999999999,\"c\":\n1.00000000000000000e5, \"d\":\":12345678901234567890\"}", NULL,
     {{"a", VALUE_TEXT, "9223372036854775808"}, {"b", VALUE_TEXT, "-17.9999999999999999999999"}, {"c", VALUE_TEXT, "1.00000000000000000e5"},
      {"d", VALUE_TEXT, ":12345678901234567890"}}},
    {"behind a quote in a text", MEDIA_JSON, "{\"a\\\"\":\"\\\\\",\"b\":12345678901234567890}", NULL, {{"a\"", VALUE_TEXT, "\\"}, {"b", VALUE_TEXT, "12345678901234567890"}}},
    {"booleans", MEDIA_JSON, "{\"a\":true,\"b\":false}", NULL, {{"a", VALUE_BOOL, "true"}, {"b", VALUE_BOOL, "false"}}},
    {"nested", MEDIA_JSON, "{\"a\":{\"x\":1},\"b\":[1],\"c\":{},\"d\":[]}", NULL,
     {{"a", VALUE_NESTED, ""}, {"b", VALUE_NESTED, ""}, {"c", VALUE_NESTED, ""}, {"d", VALUE_NESTED, ""}}},
    {"escapes", MEDIA_JSON, "{\"\\u0061\":\"\\u00e9\\n\"}", NULL, {{"a", VALUE_TEXT, "\xc3\xa9\n"}}},
    {"an empty object", MEDIA_JSON, " {} ", NULL, {{NULL, VALUE_TEXT, NULL}}},
    {"a form", MEDIA_FORM, "a=x&b=&c=%22", "{\"a\":\"x\",\"b\":\"\",\"c\":\"\\\"\"}", {{"a", VALUE_TEXT, "x"}, {"c", VALUE_TEXT, "\""}}},
    {"an empty form", MEDIA_FORM, "", "{}", {{NULL, VALUE_TEXT, NULL}}},
};

static void a_body_becomes_a_lead(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct arena *arena = arena_new();
        struct lead lead = {0};
        struct json *json = NULL;
        struct error err = {""};
        size_t want = 0;

        print_message("%s\n", good[i].claim);
        assert_int_equal(ingest_read(arena, good[i].media, span_of(good[i].body), &lead, &json, &err), REASON_NONE);
        assert_true(span_is(lead.raw, good[i].raw != NULL ? good[i].raw : good[i].body));
        for (; good[i].fields[want].name != NULL; want++) {
            assert_true(want < lead.fields.count);
            assert_true(span_is(lead.fields.items[want].name, good[i].fields[want].name));
            assert_int_equal(lead.fields.items[want].kind, good[i].fields[want].kind);
            assert_true(span_is(lead.fields.items[want].text, good[i].fields[want].text));
        }
        assert_int_equal(lead.fields.count, want);
        json_free(&json);
        arena_free(&arena);
    }
}

static const struct {
    const char *claim;
    enum media media;
    const char *body;
    enum reason want;
    const char *why;
} bad[] = {
    {"no JSON", MEDIA_JSON, "", REASON_INVALID_JSON, "position"},
    {"half an object", MEDIA_JSON, "{\"a\":1", REASON_INVALID_JSON, "position"},
    {"a list", MEDIA_JSON, "[1]", REASON_INVALID_JSON, "object"},
    {"a text", MEDIA_JSON, "\"a\"", REASON_INVALID_JSON, "object"},
    {"null", MEDIA_JSON, "null", REASON_INVALID_JSON, "object"},
    {"a key twice", MEDIA_JSON, "{\"a\":1,\"a\":2}", REASON_INVALID_JSON, "position"},
    {"something behind it", MEDIA_JSON, "{}x", REASON_INVALID_JSON, "position"},
    {"not UTF-8", MEDIA_JSON, "{\"a\":\"\xff\"}", REASON_INVALID_JSON, "position"},
    {"a number that nothing holds", MEDIA_JSON, "{\"a\":1e400}", REASON_INVALID_JSON, "out of range"},
    {"a long number for a name", MEDIA_JSON, "{12345678901234567890:1}", REASON_INVALID_JSON, "position"},
    {"a long number that is none", MEDIA_JSON, "{\"a\":012345678901234567890}", REASON_INVALID_JSON, "position"},
    {"something behind a long number", MEDIA_JSON, "{\"a\":1.2345678901234567890x}", REASON_INVALID_JSON, "position 27"},
    {"half an object with a long number", MEDIA_JSON, "{\"a\":1.2345678901234567890,", REASON_INVALID_JSON, "position 27"},
    {"NUL", MEDIA_JSON, "{\"a\":\"\\u0000\"}", REASON_INVALID_JSON, "position"},
    {"a form that is none", MEDIA_FORM, "a=%", REASON_INVALID_FORM, "position 2"},
};

static void what_is_none_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena *arena = arena_new();
        struct lead lead = {0};
        struct json *json = NULL;
        struct error err = {""};

        print_message("%s\n", bad[i].claim);
        assert_int_equal(ingest_read(arena, bad[i].media, span_of(bad[i].body), &lead, &json, &err), bad[i].want);
        assert_null(json);
        assert_non_null(strstr(err.text, bad[i].why));
        arena_free(&arena);
    }
}

static const struct {
    const char *type;
    enum media want;
} types[] = {
    {"application/json", MEDIA_JSON},
    {"application/json; charset=utf-8", MEDIA_JSON},
    {"Application/JSON ;charset=UTF-8", MEDIA_JSON},
    {"application/x-www-form-urlencoded", MEDIA_FORM},
    {"application/x-www-form-urlencoded;charset=UTF-8", MEDIA_FORM},
    {"text/plain", MEDIA_OTHER},
    {"application/jsonp", MEDIA_OTHER},
    {"multipart/form-data; boundary=x", MEDIA_OTHER},
    {"", MEDIA_OTHER},
    {NULL, MEDIA_OTHER},
};

static void media_types_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_int_equal(media_of(span_of(types[i].type)), types[i].want);
}

static const struct {
    const char *claim, *header;
    const char *want; /* NULL: malformed */
} keys[] = {
    {"bare", "order-1", "order-1"},
    {"quoted is the same", "\"order-1\"", "order-1"},
    {"white space around", "  \"order-1\"\t", "order-1"},
    {"white space inside", "a b", "a b"},
    {"escapes", "\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"a backslash in a bare one", "a\\b", "a\\b"},
    {"empty", "", NULL},
    {"empty quotes", "\"\"", NULL},
    {"a quote that does not end", "\"abc", NULL},
    {"one quote", "\"", NULL},
    {"a quote in the middle", "\"a\"b\"", NULL},
    {"parameters", "\"a\";b=1", NULL},
    {"another escape", "\"a\\n\"", NULL},
    {"the last quote is escaped", "\"abc\\\"", NULL},
    {"a control character", "a\tb", NULL},
    {"not ASCII", "caf\xc3\xa9", NULL},
};

static void idempotency_keys_are_read(void **state)
{
    struct arena *arena = arena_new();
    struct span key;
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        print_message("%s\n", keys[i].claim);
        assert_int_equal(idempotency_read(arena, span_of(keys[i].header), &key), keys[i].want != NULL ? 0 : -1);
        if (keys[i].want != NULL)
            assert_true(span_is(key, keys[i].want));
    }
    memset(text, 'k', sizeof text);
    assert_int_equal(idempotency_read(arena, (struct span){text, 255}, &key), 0);
    assert_int_equal(idempotency_read(arena, (struct span){text, 256}, &key), -1);
    text[0] = text[256] = '"';
    assert_int_equal(idempotency_read(arena, (struct span){text, 257}, &key), 0);
    assert_int_equal(key.len, 255);
    arena_free(&arena);
}

static const struct {
    const char *accept;
    bool want;
} accepts[] = {
    {NULL, false},
    {"*/*", false},
    {"application/json", false},
    {"application/problem+json", true},
    {"application/json, Application/Problem+JSON", true},
    {"text/html , application/problem+json;q=0.5", true},
    {"application/problem+json; q=0", false},
    {"application/problem+json;q=0.000", false},
    {"application/problem+json;q=0.001", true},
    {"application/problem+jsonx", false},
};

static void problems_go_to_whom_accepts_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++)
        assert_int_equal(accepts_problem(span_of(accepts[i].accept)), accepts[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_becomes_a_lead),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(media_types_are_told),
        cmocka_unit_test(idempotency_keys_are_read),
        cmocka_unit_test(problems_go_to_whom_accepts_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
