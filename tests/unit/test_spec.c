/* test_spec.c - gateway/spec_example.c, spec.c, spec_page.c, html.c: examples pass their own checks, pages show text as it is. */
#include "gateway/html.h"
#include "gateway/spec.h"
#include "gateway/spec_example.h"
#include "gateway/spec_page.h"

#include "gateway/accept.h"
#include "proto/field_judge.h"
#include "proto/field_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ENTRY(type, options) "{\"name\":\"f\",\"type\":\"" type "\"" options "}"

/* The spec of an entry that holds no fault; its pattern is the caller's. */
static struct field_spec spec_of(struct arena *arena, const char *entry)
{
    struct complaints *list = complaints_new();
    struct error err;
    struct json *json = json_parse(span_of(entry), &err);
    struct field_spec spec = {.name = SPAN("f")};

    if (json == NULL)
        fail_msg("%s: %s", entry, err.text);
    spec.name = arena_copy(arena, json_get_text(json, "name"));
    spec.type = (enum field_type)field_type_of(json_get_text(json, "type"));
    spec.is_required = json_get_bool(json, "required", false);
    spec.is_strict = json_get_bool(json, "strict", false);
    field_options_read(arena, json, &spec, list, NULL);
    if (list->count > 0)
        fail_msg("%s: %s", entry, list->items[0].sentence);
    complaints_free(&list);
    json_free(&json);
    return spec;
}

/* Examples ------------------------------------------------------------------------------------------------------------ */

static const struct { const char *claim, *entry; bool want; } examples[] = {
    {"a string", ENTRY("string", ""), true},
    {"a number", ENTRY("number", ""), true},
    {"a boolean", ENTRY("boolean", ""), true},
    {"a phone", ENTRY("phone", ""), true},
    {"a strict phone", ENTRY("phone", ",\"strict\":true"), true},
    {"an e-mail", ENTRY("email", ""), true},
    {"a date", ENTRY("date", ""), true},
    {"a state", ENTRY("state", ""), true},
    {"a zip", ENTRY("zip", ""), true},
    {"a url", ENTRY("url", ""), true},
    {"a list", ENTRY("list", ",\"values\":[\"tile\",\"metal\"]"), true},
    {"a list of numbers and booleans", ENTRY("list", ",\"values\":[3,true]"), true},
    {"a number from", ENTRY("number", ",\"min\":1000000"), true},
    {"a number up to", ENTRY("number", ",\"max\":-1000000"), true},
    {"a number between", ENTRY("number", ",\"min\":17.25,\"max\":\"17.5\""), true},
    {"a number of many digits", ENTRY("number", ",\"min\":\"12345678901234567890.5\",\"max\":\"12345678901234567890.5\""), true},
    {"a number of so many characters", ENTRY("number", ",\"min_length\":7,\"max_length\":7"), true},
    {"a number as long as can be", ENTRY("number", ",\"min_length\":40"), true},
    {"a number with a fraction that long", ENTRY("number", ",\"min_length\":41"), true},
    {"a number by pattern", ENTRY("number", ",\"pattern\":\"^[0-9]{4}$\""), true},
    {"a number of values", ENTRY("number", ",\"values\":[\"2.50\",7]"), true},
    {"a number of digits only, not below", ENTRY("number", ",\"transform\":\"digits\",\"min\":-5,\"max\":-1"), false},
    {"a boolean that is false", ENTRY("boolean", ",\"values\":[false]"), true},
    {"a date from", ENTRY("date", ",\"min\":\"2099-01-31\""), true},
    {"a date up to", ENTRY("date", ",\"max\":\"12/31/1899\""), true},
    {"one date", ENTRY("date", ",\"min\":\"2020-02-29\",\"max\":\"2020-02-29\""), true},
    {"a state of some", ENTRY("state", ",\"values\":[\"wyoming\",\"VT\"]"), true},
    {"a state that is transformed", ENTRY("state", ",\"transform\":\"lower\""), true},
    {"a zip by pattern", ENTRY("zip", ",\"pattern\":\"^902\""), true},
    {"a phone by pattern", ENTRY("phone", ",\"pattern\":\"^[+]44\""), true},
    {"a phone of no country", ENTRY("phone", ",\"pattern\":\"^[+]99999\""), false},
    {"an e-mail by pattern", ENTRY("email", ",\"pattern\":\"[.]org$\""), true},
    {"an e-mail of so many characters", ENTRY("email", ",\"min_length\":60,\"max_length\":60"), true},
    {"a short e-mail", ENTRY("email", ",\"max_length\":13"), true},
    {"an e-mail of a foreign domain", ENTRY("email", ",\"pattern\":\"@acme[.]test$\""), false},
    {"a long url", ENTRY("url", ",\"min_length\":500"), true},
    {"a plain url", ENTRY("url", ",\"pattern\":\"^http:\""), true},
    {"a short string", ENTRY("string", ",\"max_length\":1"), true},
    {"a long string", ENTRY("string", ",\"min_length\":4000"), true},
    {"a string of so many characters", ENTRY("string", ",\"min_length\":13,\"max_length\":13"), true},
    {"a string of values", ENTRY("string", ",\"values\":[\"a b\",\"c\"],\"min_length\":1"), true},
    {"a string in upper case", ENTRY("string", ",\"pattern\":\"^[A-Z]{3,}$\""), true},
    {"a string by pattern, of letters and digits", ENTRY("string", ",\"pattern\":\"^[A-HJ-NPR-Z0-9]{17}$\""), true},
    {"a string of hex digits", ENTRY("string", ",\"pattern\":\"^[0-9a-f]{32}$\""), true},
    {"a string with a default that passes", ENTRY("string", ",\"pattern\":\"^z{3}y$\",\"default\":\"zzzy\""), true},
    {"a string by a pattern that nobody guesses", ENTRY("string", ",\"pattern\":\"^z{3}y$\""), false},
    {"a string that is made digits", ENTRY("string", ",\"transform\":\"digits\",\"min_length\":3"), true},
    {"a string that is in title case, then trimmed", ENTRY("string", ",\"transform\":[\"title\",\"trim\"],\"pattern\":\"^[A-Z][a-z]+$\""), true},
    {"a slow pattern", ENTRY("string", ",\"pattern\":\"^(a+)+$\""), true},
    {"a pattern that runs away", ENTRY("string", ",\"pattern\":\"^([a-z]+)*([A-Z]+)*[0-9]?![?]$\""), false},
    {"a first name", "{\"name\":\"first_name\",\"type\":\"string\",\"max_length\":4}", true},
    {"a first name that is shorter", "{\"name\":\"first_name\",\"type\":\"string\",\"max_length\":3}", true},
};

static void examples_pass_their_own_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct arena *arena = arena_new();
        struct field_spec spec = spec_of(arena, examples[i].entry);
        struct field found = {.text = {NULL, 0}}, form;
        struct field_fault fault;

        if (spec_example(arena, &spec, &found) != examples[i].want)
            fail_msg("%s: %s", examples[i].claim, examples[i].want ? "none was found" : "one was found");
        if (examples[i].want && (!field_judge(arena, &spec, &found, &form, &fault) || form.text.len == 0 || !span_equal(found.name, spec.name)))
            fail_msg("%s: %.*s does not pass", examples[i].claim, SPAN_FMT(found.text));
        pattern_free(&spec.pattern);
        arena_free(&arena);
    }
}

/* The document -------------------------------------------------------------------------------------------------------- */

/* A campaign of the system fields' control ones, and as many others. */
static struct json *spec_with(struct arena *arena, const char *entry, size_t others, size_t min_length)
{
    struct source source = {.supplier_id = SPAN("acme"), .answer = ANSWER_SALE};
    struct campaign campaign = {.id = SPAN("c1")};
    struct json *spec;

    campaign.fields = arena_alloc(arena, (others + 3) * sizeof *campaign.fields);
    campaign.fields[campaign.field_count++] = spec_of(arena, entry);
    for (size_t i = 0; i < others; i++)
        campaign.fields[campaign.field_count++] =
            (struct field_spec){.name = arena_printf(arena, "f%04zu", i), .type = FIELD_STRING, .min_length = min_length};
    campaign.fields[campaign.field_count++] = (struct field_spec){.name = SPAN("flo_campaign_id"), .is_required = true};
    campaign.fields[campaign.field_count++] = (struct field_spec){.name = SPAN("flo_supplier_id"), .is_required = true};
    spec = spec_new(&campaign, &source, &(struct moment){.day = 20000});
    pattern_free(&campaign.fields[0].pattern);
    return spec;
}

static void an_example_is_no_larger_than_a_lead(void **state)
{
    struct arena *arena = arena_new();
    struct json *many = spec_with(arena, ENTRY("string", ",\"required\":true"), 300, 0);
    struct json *large = spec_with(arena, ENTRY("string", ",\"required\":true"), 100, 4000);
    struct buf *text = buf_new(1024);

    (void)state;
    assert_int_equal(json_count(json_get(json_get(many, "data"), "fields")), 303);
    assert_int_equal(json_count(json_get(json_get(many, "data"), "example")), FIELDS_MOST);
    json_print(json_get(json_get(large, "data"), "example"), text);
    assert_in_range(text->len, 20 * 1024, 40 * 1024);
    assert_non_null(json_get(json_get(json_get(large, "data"), "example"), "f"));
    buf_free(&text);
    json_free(&large);
    json_free(&many);
    arena_free(&arena);
}

/* Pages --------------------------------------------------------------------------------------------------------------- */

static const struct { const char *text, *want; } escapes[] = {
    {"", ""}, {"plain é", "plain é"}, {"<", "&lt;"}, {"a<b>c&d\"e'f", "a&lt;b&gt;c&amp;d&quot;e&#39;f"}, {"&amp;", "&amp;amp;"}, {"x&", "x&amp;"},
};

static void text_is_shown_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        struct buf *out = buf_new(8);

        html_add(out, span_of(escapes[i].text));
        assert_string_equal(buf_text(out), escapes[i].want);
        buf_free(&out);
    }
}

static void nothing_that_a_campaign_says_is_markup(void **state)
{
    struct arena *arena = arena_new();
    struct json *spec = spec_with(arena, "{\"name\":\"<i>&\",\"type\":\"string\",\"pattern\":\"<b>\",\"default\":\"<b>'</u>\",\"values\":[\"<b>'</u>\"]}", 0, 0);
    struct buf *page = buf_new(1024);
    const char *text;

    (void)state;
    spec_page(spec, SPAN("https://a.example"), page);
    text = buf_text(page);
    assert_null(strstr(text, "<i>"));
    assert_null(strstr(text, "<b>'"));
    assert_null(strstr(text, "</u>"));
    assert_non_null(strstr(text, "<code>&lt;i&gt;&amp;</code>"));
    assert_non_null(strstr(text, "<code>&lt;b&gt;&#39;&lt;/u&gt;</code>"));
    assert_non_null(strstr(text, "&lt;b&gt;&#39;\\&#39;&#39;&lt;/u&gt;")); /* in the shell's quotes */
    buf_free(&page);
    json_free(&spec);
    arena_free(&arena);
}

static const struct { const char *origin, *want; } origins[] = {
    {"https://leads.example:8443", "&#39;https://leads.example:8443/api/v1/ingest&#39;"},
    {"http://[::1]:80", "&#39;http://[::1]:80/api/v1/ingest&#39;"},
    {NULL, "https://YOUR-LEADLINE-HOST/api/v1/ingest"},
    {"http://a'; reboot", "https://YOUR-LEADLINE-HOST/api/v1/ingest"},
    {"http://<b>", "https://YOUR-LEADLINE-HOST/api/v1/ingest"},
};

static void an_odd_host_is_not_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct arena *arena = arena_new();
        struct json *spec = spec_with(arena, ENTRY("string", ""), 0, 0);
        struct buf *page = buf_new(1024);

        spec_page(spec, span_of(origins[i].origin), page);
        if (strstr(buf_text(page), origins[i].want) == NULL)
            fail_msg("%s", origins[i].origin);
        buf_free(&page);
        json_free(&spec);
        arena_free(&arena);
    }
}

static const struct { const char *accept; bool want; } accepts[] = {
    {NULL, false},
    {"*/*", false},
    {"application/json", false},
    {"text/html", true},
    {"Text/HTML; charset=utf-8", true},
    {"text/html;q=0", false},
    {"text/html;q=0.001", true},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
    {"application/json, text/html", true},
    {"application/json, text/html;q=0.99", false},
    {"application/json;q=0.5, text/html;q=0.51", true},
    {"text/html;q=0.5, */*;q=0.8", false},
    {"text/html;q=0.5, application/*;q=0.4, */*;q=0.8", true},
    {"text/*", false},
    {"text/htmlx", false},
};

static void pages_go_to_whom_asks_for_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++)
        if (accepts_page(span_of(accepts[i].accept)) != accepts[i].want)
            fail_msg("%s", accepts[i].accept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_pass_their_own_checks),
        cmocka_unit_test(an_example_is_no_larger_than_a_lead),
        cmocka_unit_test(text_is_shown_as_it_is),
        cmocka_unit_test(nothing_that_a_campaign_says_is_markup),
        cmocka_unit_test(an_odd_host_is_not_repeated),
        cmocka_unit_test(pages_go_to_whom_asks_for_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
