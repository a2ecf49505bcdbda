/* Templates: proto/template_read.h, proto/template.h, proto/template_value.h. */
#include "proto/template_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct field fields[] = {
    {SPAN("first_name"), VALUE_TEXT, SPAN("zo\xc3\xab")}, {SPAN("last_name"), VALUE_TEXT, SPAN("O'Neil \"Z\"")},
    {SPAN("phone"), VALUE_TEXT, SPAN("+15551234567")}, {SPAN("other_phone"), VALUE_TEXT, SPAN("+442079460123")},
    {SPAN("age"), VALUE_NUMBER, SPAN("42")}, {SPAN("income"), VALUE_NUMBER, SPAN("0.10000000000000001")},
    {SPAN("owner"), VALUE_BOOL, SPAN("true")}, {SPAN("smoker"), VALUE_BOOL, SPAN("false")},
    {SPAN("born"), VALUE_TEXT, SPAN("1984-11-24")}, {SPAN("moved"), VALUE_TEXT, SPAN("2030-01-01")},
    {SPAN("zip_code"), VALUE_TEXT, SPAN("02101")}, {SPAN("note"), VALUE_TEXT, SPAN("a&b=c d\n+%")}, {SPAN("price"), VALUE_TEXT, SPAN("not ours")},
    {SPAN("flag"), VALUE_TEXT, SPAN("yes")}, {SPAN("a.b:c-d"), VALUE_TEXT, SPAN("dotted")},
};

static const struct { const char *name; enum field_type type; } types[] = {
    {"first_name", FIELD_STRING}, {"last_name", FIELD_STRING}, {"phone", FIELD_PHONE}, {"other_phone", FIELD_PHONE}, {"age", FIELD_NUMBER},
    {"income", FIELD_NUMBER}, {"owner", FIELD_BOOLEAN}, {"smoker", FIELD_BOOLEAN}, {"born", FIELD_DATE}, {"moved", FIELD_DATE},
    {"zip_code", FIELD_ZIP}, {"note", FIELD_STRING}, {"gone", FIELD_STRING}, {"died", FIELD_DATE}, {"flag", FIELD_STRING}, {"a.b:c-d", FIELD_STRING},
};

static int type_of(void *ctx, struct span name)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (span_is(name, types[i].name))
            return (int)types[i].type;
    return -1;
}

/* Sold on the day before a 42nd birthday. */
static struct delivery delivery(void)
{
    struct delivery made = {
        .campaign_id = SPAN("campaign_abc123"), .buyer_id = SPAN("buyer_abc"), .price_cents = 2500, .sold_at_ms = INT64_C(1795395723456),
        .fields = {fields, sizeof fields / sizeof *fields},
    };

    assert_int_equal(uuid_parse(&made.id, SPAN("01938e2a-0000-7000-8000-000000000001")), 0);
    assert_int_equal(uuid_parse(&made.lead_id, SPAN("01938e2a-0000-7000-8000-000000000002")), 0);
    return made;
}

/* What the template makes; or its complaints, "!POINTER" one after another. */
static struct span result(struct arena *arena, const char *text, enum template_form form)
{
    static const struct place place = {NULL, "t", 0};
    struct complaints *list = complaints_new();
    struct delivery from = delivery();
    struct buf *out = buf_new(64);
    struct json *doc = json_parse(span_of(text), NULL);
    const struct template *template;
    struct span copy;

    assert_non_null(doc);
    template = template_read(arena, doc, form, type_of, NULL, &place, list);
    json_free(&doc); /* nothing of the document is borrowed */
    assert_int_equal(template != NULL, list->count == 0);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s!%s", i > 0 ? " " : "", list->items[i].pointer);
    if (template != NULL && form == TEMPLATE_AS_JSON)
        template_print_json(template, &from, out);
    else if (template != NULL && form == TEMPLATE_AS_FORM)
        template_print_form(template, &from, out);
    else if (template != NULL && !template_print_line(template, &from, out))
        buf_add_text(out, "(absent)");
    copy = arena_copy(arena, buf_span(out));
    buf_free(&out);
    complaints_free(&list);
    return copy;
}

struct row {
    const char *claim, *template, *want;
};

static const struct row json_rows[] = {
    {"a constant", "\"x\"", "\"x\""},
    {"any JSON value", "[1,2.50,true,false,null,{},[]]", "[1,2.5,true,false,null,{},[]]"},
    {"a constant text is escaped", "{\"a\":\"\\u0001\\\"\\n\"}", "{\"a\":\"\\u0001\\\"\\n\"}"},
    {"a key is escaped", "{\"a\\\"b\":1}", "{\"a\\\"b\":1}"},
    {"a field", "{\"n\":\"{{last_name}}\"}", "{\"n\":\"O'Neil \\\"Z\\\"\"}"},
    {"blanks around it", "{\"n\":\"{{  zip_code\\t}}\"}", "{\"n\":\"02101\"}"},
    {"a number stays one", "{\"n\":\"{{age}}\"}", "{\"n\":42}"},
    {"a number has one form", "{\"n\":\"{{income}}\"}", "{\"n\":0.1}"},
    {"a boolean stays one", "[\"{{owner}}\",\"{{smoker}}\"]", "[true,false]"},
    {"a number as text", "{\"n\":\"{{text age}}\"}", "{\"n\":\"42\"}"},
    {"a boolean as text", "{\"n\":\"{{text owner}}\"}", "{\"n\":\"true\"}"},
    {"inside a text it is text", "{\"n\":\"age {{age}}\"}", "{\"n\":\"age 42\"}"},
    {"a blank makes a text of it", "{\"n\":\"{{age}} \"}", "{\"n\":\"42 \"}"},
    {"a number in a text has its one form, too", "{\"n\":\"{{income}}!\"}", "{\"n\":\"0.1!\"}"},
    {"two places", "{\"n\":\"{{first_name}} {{last_name}}\"}", "{\"n\":\"zo\xc3\xab O'Neil \\\"Z\\\"\"}"},
    {"two places without anything between", "{\"n\":\"{{age}}{{age}}\"}", "{\"n\":\"4242\"}"},
    {"an absent value leaves its key out", "{\"a\":1,\"n\":\"{{gone}}\",\"b\":2}", "{\"a\":1,\"b\":2}"},
    {"the first key", "{\"n\":\"{{gone}}\",\"b\":2}", "{\"b\":2}"},
    {"the last key", "{\"b\":2,\"n\":\"{{gone}}\"}", "{\"b\":2}"},
    {"all keys", "{\"n\":\"{{gone}}\",\"m\":\"{{gone}}\"}", "{}"},
    {"in a list its place", "[1,\"{{gone}}\",2]", "[1,2]"},
    {"the whole body", "\"{{gone}}\"", "null"},
    {"inside a text nothing", "{\"n\":\"a{{gone}}b\"}", "{\"n\":\"ab\"}"},
    {"a text of absent values is empty, and stays", "{\"n\":\"{{gone}}{{gone}}\"}", "{\"n\":\"\"}"},
    {"nested", "{\"a\":{\"b\":[{\"c\":\"{{age}}\"}]}}", "{\"a\":{\"b\":[{\"c\":42}]}}"},
    {"an object of absent values stays", "{\"a\":{\"b\":\"{{gone}}\"}}", "{\"a\":{}}"},
    {"the lead's id", "\"{{id}}\"", "\"01938e2a-0000-7000-8000-000000000002\""},
    {"the delivery's id", "\"{{delivery_id}}\"", "\"01938e2a-0000-7000-8000-000000000001\""},
    {"campaign and buyer", "\"{{campaign_id}}/{{buyer_id}}\"", "\"campaign_abc123/buyer_abc\""},
    {"our price, not the field's", "\"{{price}}\"", "\"25.00\""},
    {"the price as a number", "\"{{number price}}\"", "25"},
    {"is it a test?", "\"{{is_test}}\"", "false"},
    {"the time of the sale", "\"{{timestamp}}\"", "\"2026-11-23T01:02:03.456Z\""},
    {"its date", "\"{{date_mdy timestamp}}\"", "\"11/23/2026\""},
    {"a long number that is a constant", "[1234567890123456789,-9007199254740993]", "[1234567890123456789,-9007199254740993]"},
    {"its seconds", "\"{{unix timestamp}}\"", "1795395723"},
    {"a day's seconds", "\"{{unix born}}\"", "470102400"},
    {"full name", "\"{{full_name}}\"", "\"zo\xc3\xab O'Neil \\\"Z\\\"\""},
    {"upper", "\"{{upper first_name}}\"", "\"ZO\xc3\x8b\""},
    {"lower", "\"{{lower last_name}}\"", "\"o'neil \\\"z\\\"\""},
    {"title of a pseudo-field", "\"{{title full_name}}\"", "\"Zo\xc3\xab O'Neil \\\"Z\\\"\""},
    {"digits10 of a US phone", "\"{{digits10 phone}}\"", "\"5551234567\""},
    {"digits10 of another", "\"{{digits10 other_phone}}\"", "\"4420794601\""},
    {"digits10 of less", "\"{{digits10 zip_code}}\"", "\"02101\""},
    {"digits10 of nothing", "[\"{{digits10 first_name}}\"]", "[]"},
    {"digits", "\"{{digits phone}}\"", "\"15551234567\""},
    {"dashes", "\"{{phone_dashes phone}}\"", "\"555-123-4567\""},
    {"dashes in less than ten digits", "\"{{phone_dashes zip_code}}\"", "\"02101\""},
    {"yes and no", "\"{{yes_no owner}} {{yes_no smoker}}\"", "\"yes no\""},
    {"yes of a text", "\"{{yes_no flag}}\"", "\"yes\""},
    {"no boolean is neither", "[\"{{yes_no last_name}}\"]", "[]"},
    {"one and zero", "[\"{{one_zero owner}}\",\"{{one_zero smoker}}\"]", "[1,0]"},
    {"a number of a text", "\"{{number zip_code}}\"", "2101"},
    {"a number of no number", "[\"{{number note}}\"]", "[]"},
    {"date_ymd", "\"{{date_ymd born}}\"", "\"1984-11-24\""},
    {"date_mdy", "\"{{date_mdy born}}\"", "\"11/24/1984\""},
    {"date_dmy", "\"{{date_dmy born}}\"", "\"24/11/1984\""},
    {"date_compact", "\"{{date_compact born}}\"", "\"19841124\""},
    {"year, month, day", "\"{{year born}}|{{month born}}|{{day born}}\"", "\"1984|11|24\""},
    {"age on the day before the birthday", "\"{{age born}}\"", "41"},
    {"age of a day to come", "[\"{{age moved}}\"]", "[]"},
    {"an absent date", "[\"{{date_mdy died}}\"]", "[]"},
    {"functions chained", "\"{{number year born}}\"", "1984"},
    {"four of them", "\"{{text number text year born}}\"", "\"1984\""},
    {"date of a date", "\"{{date_mdy date_ymd timestamp}}\"", "\"11/23/2026\""},
    {"dots, colons and dashes in a name", "\"{{a.b:c-d}}\"", "\"dotted\""},
    {"braces that are no place", "\"{a} }} {\"", "\"{a} }} {\""},
    {"JSON in a text", "\"{\\\"a\\\":{\\\"b\\\":\\\"{{age}}\\\"}}\"", "\"{\\\"a\\\":{\\\"b\\\":\\\"42\\\"}}\""},
    {"nothing between the braces", "\"{{}}\"", "!/t"},
    {"blanks between the braces", "{\"a\":\"{{ }}\"}", "!/t/a"},
    {"unclosed", "{\"a\":[0,\"{{age\"]}", "!/t/a/1"},
    {"closed by one brace", "\"{{age}\"", "!/t"},
    {"three braces", "\"{{{age}}}\"", "!/t"},
    {"an unknown field", "{\"a\":\"{{agee}}\",\"b\":\"{{AGE}}\"}", "!/t/a !/t/b"},
    {"an unknown function", "{\"a\":{\"b/c\":\"{{shout age}}\"}}", "!/t/a/b~1c"},
    {"a function is no field", "\"{{upper}}\"", "!/t"},
    {"five functions", "\"{{text text text text text age}}\"", "!/t"},
    {"characters that no name has", "\"{{age!}}\"", "!/t"},
    {"a date's function on a number", "\"{{year age}}\"", "!/t"},
    {"a date's function on a year", "\"{{month year born}}\"", "!/t"},
    {"a place in a key", "{\"{{age}}\":1}", "!/t/{{age}}"},
    {"fields of the control kind are not delivered", "\"{{flo_supplier_id}}\"", "!/t"},
};

static const struct row form_rows[] = {
    {"pairs", "{\"a\":\"{{age}}\",\"b\":\"x\"}", "a=42&b=x"},
    {"constants", "{\"n\":1.50,\"t\":true,\"f\":false,\"x\":null,\"e\":\"\"}", "n=1.5&t=true&f=false&e="},
    {"booleans are words", "{\"o\":\"{{owner}}\"}", "o=true"},
    {"everything is encoded", "{\"a b&=\":\"{{note}}\"}", "a+b%26%3D=a%26b%3Dc+d%0A%2B%25"},
    {"UTF-8 byte by byte", "{\"n\":\"{{first_name}}\"}", "n=zo%C3%AB"},
    {"what stays as it is", "{\"a\":\"*-._~\"}", "a=*-._%7E"},
    {"an absent value leaves its key out", "{\"a\":\"{{gone}}\",\"b\":\"1\",\"c\":\"{{gone}}\"}", "b=1"},
    {"inside a text nothing", "{\"a\":\"x{{gone}}\"}", "a=x"},
    {"no keys", "{}", ""},
    {"JSON as one value", "{\"j\":\"{\\\"age\\\":{{age}}}\"}", "j=%7B%22age%22%3A42%7D"},
    {"no object", "[1]", "!/t"},
    {"no object but a text", "\"{{age}}\"", "!/t"},
    {"nested", "{\"a\":{\"b\":1},\"c\":[1]}", "!/t/a !/t/c"},
    {"an unknown field", "{\"a\":\"{{agee}}\"}", "!/t/a"},
};

static const struct row line_rows[] = {
    {"a constant", "\"Bearer abc\"", "Bearer abc"},
    {"empty", "\"\"", ""},
    {"places", "\"{{buyer_id}}; age={{age}}\"", "buyer_abc; age=42"},
    {"control characters become blanks", "\"{{note}}\"", "a&b=c d +%"},
    {"an absent value", "\"{{gone}}\"", "(absent)"},
    {"no text", "5", "!/t"},
    {"unclosed", "\"{{\"", "!/t"},
};

static void check(const struct row *rows, size_t count, enum template_form form)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena = arena_new();
        struct span got = result(arena, rows[i].template, form);

        if (!span_is(got, rows[i].want))
            fail_msg("%s: want %s, got %.*s", rows[i].claim, rows[i].want, SPAN_FMT(got));
        arena_free(&arena);
    }
}

static void makes_json(void **state)
{
    (void)state;
    check(json_rows, sizeof json_rows / sizeof *json_rows, TEMPLATE_AS_JSON);
}

static void makes_forms(void **state)
{
    (void)state;
    check(form_rows, sizeof form_rows / sizeof *form_rows, TEMPLATE_AS_FORM);
}

static void makes_lines(void **state)
{
    (void)state;
    check(line_rows, sizeof line_rows / sizeof *line_rows, TEMPLATE_AS_LINE);
}

/* The dispatcher does not know the campaigns: what apply has let through is taken. */
static void without_fields_any_name_is_taken(void **state)
{
    struct arena *arena = arena_new();
    struct complaints *list = complaints_new();
    struct json *doc = json_parse(SPAN("[\"{{whatever}}\",\"{{year whatever}}\",\"{{year age}}\"]"), NULL);
    struct delivery from = delivery();
    struct template *template = template_read(arena, doc, TEMPLATE_AS_JSON, NULL, NULL, NULL, list);
    struct buf *out = buf_new(8);

    (void)state;
    assert_non_null(template);
    template_print_json(template, &from, out);
    assert_string_equal(buf_text(out), "[]");
    buf_free(&out);
    json_free(&doc);
    complaints_free(&list);
    arena_free(&arena);
}

static void too_much_is_refused(void **state)
{
    struct arena *arena = arena_new();
    struct buf *many = buf_new(16), *list = buf_new(16);

    (void)state;
    buf_add_text(many, "\"");
    for (int i = 0; i < TEMPLATE_PLACES_MOST; i++)
        buf_add_text(many, "{{gone}}");
    buf_add_text(many, "\"");
    assert_true(span_is(result(arena, buf_text(many), TEMPLATE_AS_JSON), "\"\""));
    many->len--;
    buf_add_text(many, "{{gone}}{{gone}}\"");
    assert_true(span_is(result(arena, buf_text(many), TEMPLATE_AS_JSON), "!/t"));
    buf_add_text(list, "[0");
    for (int i = 0; i < TEMPLATE_BYTES_MOST / 2; i++)
        buf_add_text(list, ",0");
    buf_add_text(list, "]");
    assert_true(span_is(result(arena, buf_text(list), TEMPLATE_AS_JSON), "!/t"));
    buf_free(&many);
    buf_free(&list);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_json), cmocka_unit_test(makes_forms), cmocka_unit_test(makes_lines),
        cmocka_unit_test(without_fields_any_name_is_taken), cmocka_unit_test(too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
