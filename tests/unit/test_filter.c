/* test_filter.c - proto/filter*.c, schedule.c, moment.c: what passes, what does not compile, what time it is. */
#include "common/must.h"
#include "proto/filter_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

static struct span roofs[] = {S("Tile"), S("metal"), S("wood")};

/* Sorted by name. */
static struct field_spec specs[] = {
    {.name = S("age"), .type = FIELD_NUMBER},      {.name = S("city"), .type = FIELD_STRING},
    {.name = S("email"), .type = FIELD_EMAIL},     {.name = S("flo_supplier_id"), .type = FIELD_STRING},
    {.name = S("moved"), .type = FIELD_DATE},      {.name = S("owner"), .type = FIELD_BOOLEAN},
    {.name = S("phone"), .type = FIELD_PHONE},     {.name = S("roof"), .type = FIELD_LIST, .values = roofs, .value_count = 3},
    {.name = S("site"), .type = FIELD_URL},        {.name = S("state"), .type = FIELD_STATE},
    {.name = S("zip_code"), .type = FIELD_ZIP},
};
static const struct campaign campaign = {.fields = specs, .field_count = sizeof specs / sizeof *specs};

/* New York in 2026: on 8 March 2:00 becomes 3:00, on 1 November 2:00 becomes 1:00 again. */
static struct zone_change changes[] = {{1767225600, -5 * 3600}, {1772953200, -4 * 3600}, {1793512800, -5 * 3600}};
static const struct zone new_york = {.name = S("America/New_York"), .changes = changes, .change_count = 3};
enum { NOON = 1781539200 }; /* Monday, 2026-06-15, 12:00 in New York */

/* Values as they are sent are normal forms already. "name=value|name=value" */
static struct field_list fields_of(struct arena *arena, const char *text)
{
    struct field_list list = {arena_alloc(arena, 8 * sizeof(struct field)), 0};
    const char *at = text;

    while (*at != '\0') {
        size_t len = strcspn(at, "|"), name = strcspn(at, "=");

        list.items[list.count++] = (struct field){.name = {at, name}, .text = {at + name + 1, len - name - 1}};
        at += len + (at[len] == '|');
    }
    return list;
}

static struct catalog *catalog_new(void)
{
    struct catalog *catalog = must_zalloc(sizeof *catalog);

    catalog->arena = arena_new();
    return catalog;
}

/* '-' for a filter that does not compile, 'y' when the lead passes, 'n' when not. failed gets "field op " of each rule that failed. */
static char judge(const char *text, const char *sent, int64_t now_s, char *failed, size_t room)
{
    struct catalog *catalog = catalog_new();
    struct complaints *list = complaints_new();
    struct error err;
    struct json *doc = json_parse(span_of(text), &err);
    const struct filter *filter, *rules[FILTER_RULES_MOST];
    struct filter_failures failures = {rules, FILTER_RULES_MOST, 0};
    struct field_list fields = fields_of(catalog->arena, sent);
    struct filter_view view = {.arena = catalog->arena, .now = moment_at(&new_york, now_s * 1000000)};
    char answer = '-';
    size_t len = 0;

    failed[0] = '\0';
    if (doc == NULL)
        fail_msg("%s: %s", text, err.text);
    view.values = filter_values(catalog->arena, &campaign, &fields);
    filter = filter_read(catalog, &campaign, doc, NULL, list);
    json_free(&doc); /* it must not be needed any more */
    assert_true((filter == NULL) == (list->count > 0));
    if (filter != NULL) {
        answer = filter_judge(filter, &view, &failures) ? 'y' : 'n';
        assert_true(answer == (filter_judge(filter, &view, NULL) ? 'y' : 'n'));
        for (size_t i = 0; answer == 'n' && i < failures.count; i++)
            len += (size_t)snprintf(failed + len, room - len, "%.*s %s ", SPAN_FMT(rules[i]->field_name), filter_op_word(rules[i]->op));
    }
    for (size_t i = 0; i < list->count; i++)
        len += (size_t)snprintf(failed + len, room - len, "%s ", list->items[i].pointer);
    complaints_free(&list);
    catalog_free(&catalog);
    return answer;
}

/* One rule: field, operator, value (NULL: none), what was sent (NULL: absent), and y, n, or - for a value that is an error. */
static const struct {
    const char *field, *op, *value, *sent;
    char want;
} rules[] = {
    /* absent */
    {"age", "==", "1", NULL, 'n'}, {"age", "!=", "1", NULL, 'y'}, {"age", "IN", "[1]", NULL, 'n'}, {"age", "NOT IN", "[1]", NULL, 'y'},
    {"age", ">", "-1", NULL, 'n'}, {"age", "<", "1", NULL, 'n'}, {"age", ">=", "0", NULL, 'n'}, {"age", "<=", "0", NULL, 'n'},
    {"age", "BETWEEN", "[-1,1]", NULL, 'n'}, {"city", "CONTAINS", "\"a\"", NULL, 'n'}, {"city", "DOES NOT CONTAIN", "\"a\"", NULL, 'y'},
    {"city", "STARTS WITH", "\"a\"", NULL, 'n'}, {"city", "MATCHES", "\"^$\"", NULL, 'n'}, {"city", "IS EMPTY", NULL, NULL, 'y'},
    {"city", "IS NOT EMPTY", NULL, NULL, 'n'}, {"moved", ">= DAYS AGO", "1", NULL, 'n'}, {"moved", "<= DAYS AGO", "1", NULL, 'n'},
    /* empty is absent */
    {"city", "==", "\"a\"", "", 'n'}, {"city", "!=", "\"a\"", "", 'y'}, {"city", "IN", "[\"a\"]", "", 'n'}, {"city", "NOT IN", "[\"a\"]", "", 'y'},
    {"city", ">", "\"a\"", "", 'n'}, {"city", "<", "\"a\"", "", 'n'}, {"city", ">=", "\"a\"", "", 'n'}, {"city", "<=", "\"a\"", "", 'n'},
    {"city", "BETWEEN", "[\"a\",\"b\"]", "", 'n'}, {"city", "CONTAINS", "\"a\"", "", 'n'}, {"city", "DOES NOT CONTAIN", "\"a\"", "", 'y'},
    {"city", "STARTS WITH", "\"a\"", "", 'n'}, {"city", "MATCHES", "\".*\"", "", 'n'}, {"city", "IS EMPTY", NULL, "", 'y'},
    {"city", "IS NOT EMPTY", NULL, "", 'n'}, {"moved", ">= DAYS AGO", "0", "", 'n'}, {"moved", "<= DAYS AGO", "0", "", 'n'},
    /* == and != */
    {"city", "==", "\"Austin\"", "Austin", 'y'}, {"city", "==", "\"austin\"", "AUSTIN", 'y'}, {"city", "==", "\"AUSTIN\"", "austin", 'y'},
    {"city", "==", "\" Austin \"", "Austin", 'y'}, {"city", "==", "\"Austin\"", "Austin TX", 'n'}, {"city", "==", "\"Austin TX\"", "Austin", 'n'},
    {"city", "==", "21", "21", 'y'}, {"city", "==", "true", "true", '-'}, {"city", "==", "\"\"", "x", '-'}, {"city", "==", "[\"a\"]", "a", '-'},
    {"city", "==", NULL, "x", '-'}, {"city", "==", "null", "x", '-'}, {"city", "==", "{}", "x", '-'}, {"city", "!=", "\"Austin\"", "austin", 'n'},
    {"city", "!=", "\"Austin\"", "Dallas", 'y'}, {"city", "==", "\"Z\u00fcrich\"", "z\u00fcrich", 'y'},
    {"age", "==", "21", "21", 'y'}, {"age", "==", "21.0", "21", 'y'}, {"age", "==", "\"21.00\"", "21", 'y'}, {"age", "==", "2.1e1", "21", 'y'},
    {"age", "==", "21", "21.5", 'n'}, {"age", "==", "0.1", "0.1", 'y'}, {"age", "==", "\"-0\"", "0", 'y'}, {"age", "!=", "21", "21", 'n'}, {"age", "!=", "21", "22", 'y'},
    {"age", "==", "\"twenty\"", "20", '-'}, {"age", "==", "true", "1", '-'},
    {"owner", "==", "true", "true", 'y'}, {"owner", "==", "\"yes\"", "true", 'y'}, {"owner", "==", "1", "true", 'y'}, {"owner", "==", "false", "true", 'n'},
    {"owner", "!=", "\"no\"", "true", 'y'}, {"owner", "==", "\"perhaps\"", "true", '-'}, {"owner", "==", "2", "true", '-'},
    {"state", "==", "\"Texas\"", "TX", 'y'}, {"state", "==", "\"tx\"", "TX", 'y'}, {"state", "==", "\"CA\"", "TX", 'n'}, {"state", "==", "\"Bavaria\"", "TX", '-'}, {"state", "==", "1", "TX", '-'},
    {"phone", "==", "\"(555) 123-4567\"", "+15551234567", 'y'}, {"phone", "==", "5551234567", "+15551234567", 'y'}, {"phone", "==", "\"123\"", "+15551234567", '-'},
    {"email", "==", "\"John@Example.COM\"", "john@example.com", 'y'}, {"email", "==", "\"john@example.com\"", "JOHN@example.com", 'y'}, {"email", "==", "\"john\"", "john@example.com", '-'},
    {"zip_code", "==", "\"75201-1234\"", "75201", 'y'}, {"zip_code", "==", "75201", "75201", 'y'}, {"zip_code", "==", "\"752\"", "75201", '-'},
    {"moved", "==", "\"02/28/2026\"", "2026-02-28", 'y'}, {"moved", "==", "\"2026-02-30\"", "2026-02-28", '-'}, {"moved", "!=", "\"2026-02-28\"", "2026-03-01", 'y'}, {"moved", "==", "20260228", "2026-02-28", '-'},
    {"site", "==", "\"HTTPS://Example.com/A\"", "https://example.com/a", 'y'}, {"site", "==", "\"ftp://example.com/\"", "https://example.com/", '-'},
    {"roof", "==", "\"TILE\"", "Tile", 'y'}, {"roof", "==", "\"metal\"", "Tile", 'n'}, {"roof", "==", "\"straw\"", "Tile", '-'},
    /* letters beyond A-Z */
    {"city", "==", "\"S\u00c3O PAULO\"", "S\u00e3o Paulo", 'y'}, {"city", "==", "\"s\u00e3o paulo\"", "S\u00c3O PAULO", 'y'}, {"city", "==", "\"sao paulo\"", "S\u00c3O PAULO", 'n'},
    {"city", "IN", "[\"\u0416\",\"\u00e9a\",\"\u00c9\",\"z\"]", "\u00e9", 'y'}, {"city", "IN", "[\"\u0416\",\"\u00e9a\",\"\u00c9\",\"z\"]", "\u00c9A", 'y'},
    {"city", "IN", "[\"\u0416\",\"\u00e9a\",\"\u00c9\",\"z\"]", "\u0436", 'y'}, {"city", "NOT IN", "[\"\u0416\",\"\u00e9a\",\"\u00c9\",\"z\"]", "\u00e8", 'y'},
    {"city", "CONTAINS", "\"\u00c4R\"", "B\u00e4r", 'y'}, {"city", "CONTAINS", "\"\u00e4r\"", "B\u00c4R", 'y'}, {"city", "CONTAINS", "\"\u00d6\"", "B\u00e4r", 'n'},
    {"city", "DOES NOT CONTAIN", "\"\u00c4\"", "B\u00e4r", 'n'}, {"city", "STARTS WITH", "\"\u03a9\"", "\u03c9mega", 'y'}, {"city", "STARTS WITH", "\"\u03c9m\"", "\u03a9MEGA", 'y'},
    {"city", "STARTS WITH", "\"\u03c9mega \"", "\u03a9MEGA", 'n'}, {"city", ">", "\"\u00e9\"", "\u00c9a", 'y'}, {"city", ">=", "\"\u00c9\"", "\u00e9", 'y'}, {"city", "<", "\"\u00e9\"", "\u00c9", 'n'},
    {"city", "BETWEEN", "[\"\u00c0\",\"\u00d6\"]", "\u00e9", 'y'}, {"city", "==", "\"\u0130\"", "i", 'n'}, {"city", "==", "\"\U0001F600X\"", "\U0001F600x", 'y'},
    /* IN, NOT IN */
    {"state", "IN", "[\"TX\",\"California\"]", "CA", 'y'}, {"state", "IN", "[\"TX\",\"CA\"]", "NY", 'n'}, {"state", "IN", "\"TX\"", "TX", '-'}, {"state", "IN", "[]", "TX", '-'},
    {"state", "IN", "[\"TX\",\"nowhere\"]", "TX", '-'}, {"state", "IN", "[[\"TX\"]]", "TX", '-'}, {"state", "IN", "[null]", "TX", '-'}, {"state", "IN", NULL, "TX", '-'},
    {"state", "NOT IN", "[\"TX\",\"CA\"]", "NY", 'y'}, {"state", "NOT IN", "[\"TX\",\"CA\"]", "CA", 'n'}, {"state", "NOT IN", "{}", "CA", '-'},
    {"city", "IN", "[\"c\",\"B\",\"a\",\"d\",\"E\"]", "e", 'y'}, {"city", "IN", "[\"c\",\"B\",\"a\",\"d\",\"E\"]", "A", 'y'}, {"city", "IN", "[\"c\",\"B\",\"a\",\"d\",\"E\"]", "f", 'n'},
    {"city", "IN", "[\"ab\",\"a\",\"a\"]", "ab", 'y'}, {"city", "IN", "[\"ab\"]", "a", 'n'}, {"city", "IN", "[1,\"one\"]", "1", 'y'},
    {"age", "IN", "[1,\"2.0\",30]", "2", 'y'}, {"age", "IN", "[1,2,30]", "3", 'n'}, {"age", "NOT IN", "[1,2,30]", "30", 'n'},
    /* order of numbers */
    {"age", ">", "20", "21", 'y'}, {"age", ">", "21", "21", 'n'}, {"age", ">", "9", "10", 'y'}, {"age", ">", "-2", "-1", 'y'}, {"age", ">", "-1", "-2", 'n'}, {"age", ">", "-1", "0", 'y'},
    {"age", ">", "0.1", "0.11", 'y'}, {"age", ">", "0.11", "0.2", 'y'}, {"age", ">", "\"12345678901234567890123456789\"", "12345678901234567890123456790", 'y'},
    {"age", ">=", "21", "21", 'y'}, {"age", ">=", "21", "20.999", 'n'}, {"age", "<", "21", "21", 'n'}, {"age", "<", "21", "20.999", 'y'}, {"age", "<", "100", "21", 'y'},
    {"age", "<=", "21", "21", 'y'}, {"age", "<=", "21", "21.001", 'n'}, {"age", "<=", "-0.5", "-0.25", 'n'}, {"age", ">=", "\"old\"", "21", '-'}, {"age", ">=", "[21]", "21", '-'}, {"age", ">=", "true", "21", '-'}, {"age", ">=", NULL, "21", '-'},
    {"age", "BETWEEN", "[18,65]", "18", 'y'}, {"age", "BETWEEN", "[18,65]", "65", 'y'}, {"age", "BETWEEN", "[18,65]", "17.99", 'n'}, {"age", "BETWEEN", "[18,65]", "65.01", 'n'}, {"age", "BETWEEN", "[5,5]", "5", 'y'},
    {"age", "BETWEEN", "[65,18]", "20", '-'}, {"age", "BETWEEN", "[18]", "20", '-'}, {"age", "BETWEEN", "[1,2,3]", "2", '-'}, {"age", "BETWEEN", "18", "18", '-'}, {"age", "BETWEEN", "[9,10]", "9.5", 'y'}, {"age", "BETWEEN", "[1,\"x\"]", "1", '-'},
    /* order of text, of dates, of strings that are numbers */
    {"city", ">", "\"m\"", "Nashville", 'y'}, {"city", ">", "\"M\"", "Austin", 'n'}, {"city", "<", "\"b\"", "ABC", 'y'}, {"city", ">=", "\"a\"", "A", 'y'}, {"city", "<=", "\"a\"", "Ab", 'n'},
    {"city", ">", "\"10\"", "9", 'y'}, {"city", ">", "10", "9", 'n'}, {"city", ">", "9", "10", 'y'}, {"city", ">", "9", "ten", 'n'}, {"city", "<", "9", "ten", 'n'}, {"city", ">=", "10", "1e1", 'y'},
    {"city", "BETWEEN", "[\"a\",\"c\"]", "B", 'y'}, {"city", "BETWEEN", "[5,15]", "10", 'y'}, {"city", "BETWEEN", "[5,\"15\"]", "10", '-'},
    {"moved", ">", "\"2026-01-31\"", "2026-02-01", 'y'}, {"moved", ">", "\"01/31/2026\"", "2026-01-31", 'n'}, {"moved", "<=", "\"2026-01-31\"", "2026-01-31", 'y'}, {"moved", "<", "\"2026-01-31\"", "2025-12-31", 'y'},
    {"moved", "BETWEEN", "[\"2026-01-01\",\"2026-01-31\"]", "2026-01-31", 'y'}, {"moved", "BETWEEN", "[\"2026-01-01\",\"2026-01-31\"]", "2026-02-01", 'n'}, {"moved", ">", "\"soon\"", "2026-02-01", '-'},
    {"zip_code", "BETWEEN", "[\"75000\",\"75999\"]", "75201", 'y'}, {"zip_code", "BETWEEN", "[\"00501\",\"00599\"]", "75201", 'n'}, {"owner", ">", "false", "true", '-'}, {"owner", "BETWEEN", "[false,true]", "true", '-'},
    /* parts and patterns */
    {"city", "CONTAINS", "\"STI\"", "Austin", 'y'}, {"city", "CONTAINS", "\"austin\"", "Austin", 'y'}, {"city", "CONTAINS", "\"austin \"", "Austin", 'n'}, {"city", "CONTAINS", "\"x\"", "Austin", 'n'}, {"city", "CONTAINS", "\"\"", "Austin", '-'}, {"city", "CONTAINS", "[\"a\"]", "a", '-'},
    {"age", "CONTAINS", "5", "1.5", 'y'}, {"city", "DOES NOT CONTAIN", "\"STI\"", "Austin", 'n'}, {"city", "DOES NOT CONTAIN", "\"x\"", "Austin", 'y'}, {"city", "DOES NOT CONTAIN", NULL, "Austin", '-'},
    {"city", "STARTS WITH", "\"aus\"", "Austin", 'y'}, {"city", "STARTS WITH", "\"ust\"", "Austin", 'n'}, {"city", "STARTS WITH", "\"Austins\"", "Austin", 'n'}, {"phone", "STARTS WITH", "\"+1555\"", "+15551234567", 'y'}, {"zip_code", "STARTS WITH", "752", "75201", 'y'}, {"email", "CONTAINS", "\"@EXAMPLE.\"", "john@example.com", 'y'},
    {"city", "MATCHES", "\"^aus.in$\"", "Austin", 'y'}, {"city", "MATCHES", "\"(?-i)^aus\"", "Austin", 'n'}, {"city", "MATCHES", "\"Z\u00dcR\"", "z\u00fcrich", 'y'}, {"city", "MATCHES", "\"in$\"", "Austin", 'y'}, {"city", "MATCHES", "\"^in\"", "Austin", 'n'},
    {"city", "MATCHES", "\"(\"", "Austin", '-'}, {"city", "MATCHES", "5", "5", '-'}, {"city", "MATCHES", "\"\"", "x", '-'}, {"city", "MATCHES", NULL, "x", '-'}, {"email", "MATCHES", "\"@(gmail|yahoo)[.]com$\"", "john@gmail.com", 'y'},
    {"city", "MATCHES", "\"^(a+)+$\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 'n'},
    /* there or not */
    {"city", "IS EMPTY", NULL, "x", 'n'}, {"city", "IS NOT EMPTY", NULL, "x", 'y'}, {"city", "IS EMPTY", "true", "x", '-'}, {"age", "IS NOT EMPTY", NULL, "0", 'y'}, {"owner", "IS EMPTY", NULL, "false", 'n'},
    /* days ago: today is 2026-06-15 */
    {"moved", ">= DAYS AGO", "30", "2026-05-16", 'y'}, {"moved", ">= DAYS AGO", "30", "2026-05-15", 'n'}, {"moved", ">= DAYS AGO", "30", "2026-06-15", 'y'}, {"moved", ">= DAYS AGO", "30", "2027-01-01", 'y'},
    {"moved", "<= DAYS AGO", "30", "2026-05-16", 'y'}, {"moved", "<= DAYS AGO", "30", "2026-05-17", 'n'}, {"moved", "<= DAYS AGO", "30", "1999-12-31", 'y'}, {"moved", "<= DAYS AGO", "0", "2026-06-15", 'y'}, {"moved", "<= DAYS AGO", "0", "2026-06-16", 'n'},
    {"moved", ">= DAYS AGO", "365", "2025-06-15", 'y'}, {"moved", ">= DAYS AGO", "365", "2025-06-14", 'n'}, {"moved", ">= DAYS AGO", "838", "2024-02-28", 'y'}, {"moved", ">= DAYS AGO", "837", "2024-02-28", 'n'},
    {"moved", ">= DAYS AGO", "-1", "2026-06-15", '-'}, {"moved", ">= DAYS AGO", "1.5", "2026-06-15", '-'}, {"moved", ">= DAYS AGO", "\"30\"", "2026-06-15", '-'}, {"moved", ">= DAYS AGO", "36501", "2026-06-15", '-'}, {"city", ">= DAYS AGO", "1", "2026-06-15", '-'}, {"moved", "<= DAYS AGO", NULL, "2026-06-15", '-'}, {"moved", "<= DAYS AGO", "1", "long", 'n'}, {"moved", ">= DAYS AGO", "1", "9", 'n'},
    /* what is no rule */
    {"nothing", "==", "1", NULL, '-'}, {"flo_supplier_id", "==", "\"acme\"", NULL, '-'}, {"age", "=", "1", "1", '-'}, {"age", "in", "[1]", "1", '-'}, {"age", "", "1", "1", '-'}, {"", "==", "1", "1", '-'},
};

static void rules_judge(void **state)
{
    (void)state;
    assert_true(sizeof rules / sizeof *rules >= 150);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        char text[512], sent[256] = "", failed[256], got;

        snprintf(text, sizeof text, "{\"field\":\"%s\",\"op\":\"%s\"%s%s}", rules[i].field, rules[i].op, rules[i].value != NULL ? ",\"value\":" : "",
                 rules[i].value != NULL ? rules[i].value : "");
        if (rules[i].sent != NULL)
            snprintf(sent, sizeof sent, "%s=%s", rules[i].field, rules[i].sent);
        got = judge(text, sent, NOON, failed, sizeof failed);
        if (got != rules[i].want)
            fail_msg("%s with %s: %c, not %c (%s)", text, sent, got, rules[i].want, failed);
    }
}

/* Each kind of field: a normal form, itself spelled otherwise, one below it, one above it (NULL: its kind has no order), what it begins with, a
 * pattern that finds it, and a value that the kind does not know (NULL: it knows any). */
static const struct { const char *field, *sent, *same, *below, *above, *begin, *pattern, *wrong; } kinds[] = {
    {"age", "21.5", "\"21.50\"", "9", "100", "21", "\"^21[.]5$\"", "\"old\""},
    {"city", "Austin", "\" AUSTIN \"", "\"austen\"", "\"Austins\"", "\"aUs\"", "\"^AUSTIN$\"", "true"},
    {"email", "John.Doe@example.com", "\"john.doe@EXAMPLE.com\"", "\"JOHN.DOE@example.co\"", "\"johna@example.com\"", "\"JOHN.\"", "\"doe@example[.]com$\"", "\"john\""},
    {"moved", "2026-02-28", "\"2/28/2026\"", "\"02/27/2026\"", "\"2026-03-01T00:00:00Z\"", "\"2026-02\"", "\"^\\\\d{4}-02-28$\"", "\"2026-02-29\""},
    {"owner", "true", "\"Yes\"", NULL, NULL, "\"TR\"", "\"^true$\"", "\"maybe\""},
    {"phone", "+15551234567", "\"(555) 123-4567\"", "5551234566", "\"+442079460958\"", "\"+1555\"", "\"^[+]1555\\\\d{7}$\"", "\"555\""},
    {"roof", "Tile", "\"tILE\"", "\"METAL\"", "\"wood\"", "\"ti\"", "\"^tile$\"", "\"straw\""},
    {"site", "https://example.com/a", "\"HTTPS://EXAMPLE.COM/A\"", "\"http://example.com/a\"", "\"https://example.com/b\"", "\"HTTPS:\"", "\"/A$\"", "\"example.com\""},
    {"state", "TX", "\"texas\"", "\"Tennessee\"", "\"ut\"", "\"t\"", "\"^tx$\"", "\"Bavaria\""},
    {"zip_code", "75201", "\"75201-1234\"", "75200", "\"75202\"", "752", "\"^752\"", "\"752\""},
};

/* @: the value spelled otherwise, < below it, > above it, ^ its beginning, ~ a pattern, ? one that its kind does not know. For a kind without order
 * what has < or > in it is left out, and `in order` is an error. */
static const struct { const char *op, *value; bool is_order; char want; } of_every_kind[] = {
    {"==", "@", false, 'y'}, {"==", ">", false, 'n'}, {"==", "?", false, '-'}, {"==", "[@]", false, '-'}, {"==", NULL, false, '-'},
    {"!=", "@", false, 'n'}, {"!=", "<", false, 'y'}, {"!=", "?", false, '-'},
    {"IN", "[@]", false, 'y'}, {"IN", "[<,@,>]", false, 'y'}, {"IN", "[>,<]", false, 'n'}, {"IN", "[@,?]", false, '-'}, {"IN", "@", false, '-'}, {"IN", "[]", false, '-'},
    {"NOT IN", "[@]", false, 'n'}, {"NOT IN", "[<,@,>]", false, 'n'}, {"NOT IN", "[>,<]", false, 'y'}, {"NOT IN", "[?]", false, '-'}, {"NOT IN", "@", false, '-'},
    {">", "<", true, 'y'}, {">", "@", true, 'n'}, {">", ">", true, 'n'}, {">", "?", true, '-'},
    {"<", "<", true, 'n'}, {"<", "@", true, 'n'}, {"<", ">", true, 'y'}, {"<", "?", true, '-'},
    {">=", "<", true, 'y'}, {">=", "@", true, 'y'}, {">=", ">", true, 'n'}, {">=", "?", true, '-'},
    {"<=", "<", true, 'n'}, {"<=", "@", true, 'y'}, {"<=", ">", true, 'y'}, {"<=", "?", true, '-'},
    {"BETWEEN", "[<,>]", true, 'y'}, {"BETWEEN", "[@,@]", true, 'y'}, {"BETWEEN", "[<,@]", true, 'y'}, {"BETWEEN", "[@,>]", true, 'y'}, {"BETWEEN", "[<,<]", true, 'n'},
    {"BETWEEN", "[>,>]", true, 'n'}, {"BETWEEN", "[>,<]", true, '-'}, {"BETWEEN", "[@,?]", true, '-'}, {"BETWEEN", "[@]", true, '-'}, {"BETWEEN", "@", true, '-'},
    {"CONTAINS", "^", false, 'y'}, {"CONTAINS", "\"#\"", false, 'n'}, {"CONTAINS", "[^]", false, '-'}, {"CONTAINS", "\" \"", false, '-'},
    {"DOES NOT CONTAIN", "^", false, 'n'}, {"DOES NOT CONTAIN", "\"#\"", false, 'y'}, {"DOES NOT CONTAIN", NULL, false, '-'},
    {"STARTS WITH", "^", false, 'y'}, {"STARTS WITH", "\"#\"", false, 'n'}, {"STARTS WITH", "{}", false, '-'},
    {"MATCHES", "~", false, 'y'}, {"MATCHES", "\"#\"", false, 'n'}, {"MATCHES", "\"[\"", false, '-'}, {"MATCHES", "1", false, '-'},
    {"IS EMPTY", NULL, false, 'n'}, {"IS EMPTY", "@", false, '-'}, {"IS NOT EMPTY", NULL, false, 'y'}, {"IS NOT EMPTY", "null", false, '-'},
};

/* Writes the value for that kind. Returns false when the kind has none such. */
static bool value_for(size_t kind, const char *pattern, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (const char *at = pattern; *at != '\0'; at++) {
        const char *piece = *at == '@' ? kinds[kind].same : *at == '<' ? kinds[kind].below : *at == '>' ? kinds[kind].above : *at == '^' ? kinds[kind].begin :
                            *at == '~' ? kinds[kind].pattern : *at == '?' ? kinds[kind].wrong : "";

        if (piece == NULL)
            return false;
        len += (size_t)snprintf(out + len, room - len, "%.*s", piece[0] == '\0' ? 1 : (int)strlen(piece), piece[0] == '\0' ? at : piece);
    }
    return true;
}

static void judge_kind(size_t kind, size_t row)
{
    const char *op = of_every_kind[row].op, *pattern = of_every_kind[row].value;
    bool has_order = kinds[kind].below != NULL, passes_absent = strcmp(op, "!=") == 0 || strstr(op, "NOT IN") == op || strcmp(op, "DOES NOT CONTAIN") == 0;
    char value[256], text[512], sent[256], failed[256], got, want = of_every_kind[row].want;

    if (pattern != NULL && !value_for(kind, pattern, value, sizeof value)) {
        if (!of_every_kind[row].is_order)
            return;
        value_for(kind, "@", value, sizeof value);
    }
    if (of_every_kind[row].is_order && !has_order)
        want = '-';
    snprintf(text, sizeof text, "{\"field\":\"%s\",\"op\":\"%s\"%s%s}", kinds[kind].field, op, pattern != NULL ? ",\"value\":" : "", pattern != NULL ? value : "");
    snprintf(sent, sizeof sent, "%s=%s", kinds[kind].field, kinds[kind].sent);
    got = judge(text, sent, NOON, failed, sizeof failed);
    if (got != want)
        fail_msg("%s with %s: %c, not %c (%s)", text, sent, got, want, failed);
    want = want == '-' ? '-' : passes_absent || strcmp(op, "IS EMPTY") == 0 ? 'y' : 'n';
    got = judge(text, "", NOON, failed, sizeof failed);
    if (got != want)
        fail_msg("%s without it: %c, not %c (%s)", text, got, want, failed);
}

static void every_operator_judges_every_kind(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        char text[128], failed[256], want = strcmp(kinds[kind].field, "moved") == 0 ? 'y' : '-';

        for (size_t row = 0; row < sizeof of_every_kind / sizeof *of_every_kind; row++)
            judge_kind(kind, row);
        for (const char *op = "><"; *op != '\0'; op++) {
            snprintf(text, sizeof text, "{\"field\":\"%s\",\"op\":\"%c= DAYS AGO\",\"value\":107}", kinds[kind].field, *op);
            assert_int_equal(judge(text, "moved=2026-02-28", NOON, failed, sizeof failed), want); /* 107 days before 15 June */
        }
    }
}

#define AGE(op, n) "{\"field\":\"age\",\"op\":\"" op "\",\"value\":" #n "}"
#define CITY(c) "{\"field\":\"city\",\"op\":\"==\",\"value\":\"" c "\"}"
#define ALL(parts) "{\"all\":[" parts "]}"
#define ANY(parts) "{\"any\":[" parts "]}"
#define OPEN ",\"schedule\":{\"days\":[\"MON\"]}}"
#define SHUT ",\"schedule\":{\"days\":[\"TUE\"]}}"
#define RULE_OPEN "{\"field\":\"age\",\"op\":\">\",\"value\":50" OPEN
#define RULE_SHUT "{\"field\":\"age\",\"op\":\">\",\"value\":50" SHUT

/* failed: the rules, or the places of the complaints. On a Monday. */
static const struct {
    const char *claim, *filter, *sent, *failed;
    char want;
} groups[] = {
    {"nothing", "{}", "", "", 'y'},
    {"an empty all", ALL(""), "", "", 'y'},
    {"an empty all in an any", ANY(ALL("")), "", "", 'y'},
    {"an empty any", ANY(""), "", "/any ", '-'},
    {"an empty any inside", ALL("{\"any\":[]}"), "", "/all/0/any ", '-'},
    {"an empty part", ALL("{}"), "", "/all/0/field /all/0/op ", '-'},
    {"one rule", AGE(">", 20), "age=21", "", 'y'},
    {"all hold", ALL(AGE(">", 20) "," CITY("Austin")), "age=21|city=Austin", "", 'y'},
    {"one of all fails", ALL(AGE(">", 20) "," CITY("Austin")), "age=21|city=Dallas", "city == ", 'n'},
    {"each that fails is told", ALL(AGE(">", 20) "," CITY("Austin") "," AGE("<", 10)), "age=20", "age > city == age < ", 'n'},
    {"one of any holds", ANY(AGE(">", 20) "," CITY("Austin")), "age=1|city=Austin", "", 'y'},
    {"none of any holds", ANY(AGE(">", 20) "," CITY("Austin")), "age=1|city=Dallas", "age > city == ", 'n'},
    {"what an any forgives is not told", ALL(ANY(AGE(">", 20) "," CITY("Austin")) "," AGE("<", 0)), "age=1|city=Austin", "age < ", 'n'},
    {"the contract's example", ALL("{\"field\":\"state\",\"op\":\"IN\",\"value\":[\"TX\",\"CA\"]}," ANY(AGE(">=", 21) ",{\"field\":\"age\",\"op\":\"IS EMPTY\"}")), "state=CA", "", 'y'},
    {"any inside all inside any", ANY(ALL(CITY("x") "," ANY(AGE(">", 5) "," AGE("<", 3))) "," CITY("y")), "city=x|age=4", "age > age < city == ", 'n'},
    {"eight levels", ALL(ANY(ALL(ANY(ALL(ANY(ALL(ANY(AGE(">", 20))))))))), "age=21", "", 'y'},
    {"eight levels fail", ALL(ANY(ALL(ANY(ALL(ANY(ALL(ANY(AGE(">", 20))))))))), "age=20", "age > ", 'n'},
    {"nine levels", ALL(ALL(ALL(ALL(ALL(ALL(ALL(ALL(ALL(AGE(">", 20)))))))))), "age=21", "/all/0/all/0/all/0/all/0/all/0/all/0/all/0/all/0/all ", '-'},
    {"two in one", "{\"all\":[],\"any\":[" AGE(">", 20) "]}", "", " ", '-'},
    {"a rule and a group", "{\"all\":[],\"field\":\"age\",\"op\":\"IS EMPTY\"}", "", " ", '-'},
    {"an unknown key", "{\"field\":\"age\",\"op\":\"IS EMPTY\",\"not\":true}", "", "/not ", '-'},
    {"a list is no filter", "[]", "", " ", '-'},
    {"a group is a list", "{\"all\":{}}", "", "/all ", '-'},
    {"parts are objects", "{\"all\":[1,\"x\"]}", "", "/all/0 /all/1 ", '-'},
    {"no operator", "{\"field\":\"age\"}", "", "/op ", '-'},
    {"only a value", "{\"value\":1}", "", "/field /op ", '-'},
    {"all that is wrong is told", ALL(AGE("~", 1) ",{\"field\":\"x\",\"op\":\"IS EMPTY\"}," ANY("{\"field\":\"age\",\"op\":\"IN\",\"value\":[1,\"a\",2,\"b\"]}")), "",
     "/all/0/op /all/1/field /all/2/any/0/value/1 /all/2/any/0/value/3 ", '-'},

    {"an open rule is applied", RULE_OPEN, "age=1", "age > ", 'n'},
    {"a shut rule is not", RULE_SHUT, "age=1", "", 'y'},
    {"a shut rule in all", ALL(RULE_SHUT "," AGE(">", 0)), "age=1", "", 'y'},
    {"the others of all hold on", ALL(RULE_SHUT "," AGE(">", 1)), "age=1", "age > ", 'n'},
    {"a shut rule does not rescue an any", ANY(RULE_SHUT "," AGE(">", 1)), "age=1", "age > ", 'n'},
    {"an any of shut rules is not applied", ANY(RULE_SHUT "," RULE_SHUT), "age=1", "", 'y'},
    {"nor does it rescue another", ANY(ANY(RULE_SHUT) "," AGE(">", 1)), "age=1", "age > ", 'n'},
    {"a shut group", "{\"all\":[" AGE(">", 50) "]" SHUT, "age=1", "", 'y'},
    {"an open group", "{\"any\":[" AGE(">", 50) "]" OPEN, "age=1", "age > ", 'n'},
    {"only a schedule", "{\"schedule\":{}}", "", "", 'y'},
    {"wrong schedules", ALL("{\"field\":\"age\",\"op\":\"IS EMPTY\",\"schedule\":{\"days\":[\"MON\",\"Mon\"],\"hours\":[[\"9:00\",\"17:00\"],[\"24:00\",\"01:00\"],[\"09:00\"],[\"09:00\",\"24:01\"],[\"09:60\",\"10:00\"],[\"09:00\",\"09:00\"],5],\"zone\":1}}"), "",
     "/all/0/schedule/zone /all/0/schedule/days/1 /all/0/schedule/hours/0/0 /all/0/schedule/hours/1/0 /all/0/schedule/hours/2 /all/0/schedule/hours/3/1"
     " /all/0/schedule/hours/4/0 /all/0/schedule/hours/5/1 /all/0/schedule/hours/6 ", '-'},
    {"only a schedule that is shut", "{\"schedule\":{\"days\":[\"TUE\"]}}", "", "", 'y'},
    {"a schedule is an object", "{\"schedule\":[]}", "", "/schedule ", '-'},
    {"days and hours are lists", "{\"schedule\":{\"days\":\"MON\",\"hours\":{}}}", "", "/schedule/days /schedule/hours ", '-'},
};

static void groups_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        char failed[1024], got = judge(groups[i].filter, groups[i].sent, NOON, failed, sizeof failed);

        if (got != groups[i].want || strcmp(failed, groups[i].failed) != 0)
            fail_msg("%s: %c, not %c (%s)", groups[i].claim, got, groups[i].want, failed);
    }
}

/* A price rule's filter: outside its schedule it gives no price. */
static const struct { const char *claim, *filter, *sent; bool matches; } matches[] = {
    {"everybody", "{}", "", true}, {"an empty all", ALL(""), "", true}, {"who passes", AGE(">", 20), "age=21", true}, {"who fails", AGE(">", 20), "age=20", false},
    {"a shut rule", RULE_SHUT, "age=51", false}, {"an open rule", RULE_OPEN, "age=51", true}, {"an open rule that fails", RULE_OPEN, "age=50", false},
    {"a shut rule beside another", ALL(RULE_SHUT "," AGE(">", 20)), "age=21", true}, {"nothing but shut rules", ALL(RULE_SHUT "," RULE_SHUT), "age=51", false},
    {"its time", "{\"schedule\":{\"days\":[\"MON\"]}}", "", true}, {"another time", "{\"schedule\":{\"days\":[\"TUE\"]}}", "", false},
};

static void filters_match_when_they_are_applied(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof matches / sizeof *matches; i++) {
        struct catalog *catalog = catalog_new();
        struct complaints *list = complaints_new();
        struct error err;
        struct json *doc = json_parse(span_of(matches[i].filter), &err);
        struct field_list fields = fields_of(catalog->arena, matches[i].sent);
        struct filter_view view = {.arena = catalog->arena, .now = moment_at(&new_york, NOON * INT64_C(1000000)),
                                   .values = filter_values(catalog->arena, &campaign, &fields)};

        if (filter_matches(filter_read(catalog, &campaign, doc, NULL, list), &view) != matches[i].matches)
            fail_msg("%s", matches[i].claim);
        json_free(&doc);
        complaints_free(&list);
        catalog_free(&catalog);
    }
}

static void a_filter_has_an_end(void **state)
{
    struct buf *text = buf_new(65536);
    char failed[256];

    (void)state;
    for (int count = FILTER_RULES_MOST; count <= FILTER_RULES_MOST + 1; count++) {
        text->len = 0;
        buf_add_text(text, "{\"all\":[");
        for (int i = 0; i < count; i++)
            buf_printf(text, "%s" AGE(">", 20), i > 0 ? "," : "");
        buf_add_text(text, "]}");
        assert_int_equal(judge(buf_text(text), "age=21", NOON, failed, sizeof failed), count <= FILTER_RULES_MOST ? 'y' : '-');
    }
    buf_free(&text);
}

/* Schedules. at: UTC, seconds since 1970; the zone is New York. */
#define MARCH_8(hour, minute) (1772928000 + ((hour)*60 + (minute)) * 60)    /* 2026-03-08 UTC, a Sunday */
#define NOVEMBER_1(hour, minute) (1793491200 + ((hour)*60 + (minute)) * 60) /* 2026-11-01 UTC, a Sunday */
#define JUNE_15(hour, minute) (1781481600 + ((hour)*60 + (minute)) * 60)    /* 2026-06-15 UTC, a Monday; New York is 4 hours behind */

static const struct {
    const char *claim, *schedule;
    int64_t at_s;
    const char *local;
    bool is_open;
} times[] = {
    {"no restriction", "{}", JUNE_15(12, 0), "MON 08:00", true},
    {"empty lists are none", "{\"days\":[],\"hours\":[]}", JUNE_15(12, 0), "MON 08:00", true},
    {"its day", "{\"days\":[\"MON\"]}", JUNE_15(12, 0), "MON 08:00", true},
    {"another day", "{\"days\":[\"TUE\",\"SUN\"]}", JUNE_15(12, 0), "MON 08:00", false},
    {"the day begins at local midnight", "{\"days\":[\"MON\"]}", JUNE_15(4, 0), "MON 00:00", true},
    {"and not before", "{\"days\":[\"MON\"]}", JUNE_15(3, 59), "SUN 23:59", false},
    {"the first minute", "{\"hours\":[[\"09:00\",\"17:00\"]]}", JUNE_15(13, 0), "MON 09:00", true},
    {"the minute before", "{\"hours\":[[\"09:00\",\"17:00\"]]}", JUNE_15(12, 59), "MON 08:59", false},
    {"the last minute", "{\"hours\":[[\"09:00\",\"17:00\"]]}", JUNE_15(20, 59), "MON 16:59", true},
    {"the end is outside", "{\"hours\":[[\"09:00\",\"17:00\"]]}", JUNE_15(21, 0), "MON 17:00", false},
    {"the second range", "{\"hours\":[[\"09:00\",\"10:00\"],[\"16:00\",\"17:00\"]]}", JUNE_15(20, 0), "MON 16:00", true},
    {"between the ranges", "{\"hours\":[[\"09:00\",\"10:00\"],[\"16:00\",\"17:00\"]]}", JUNE_15(19, 59), "MON 15:59", false},
    {"day and hour", "{\"days\":[\"TUE\"],\"hours\":[[\"09:00\",\"17:00\"]]}", JUNE_15(13, 0), "MON 09:00", false},
    {"until the end of the day", "{\"hours\":[[\"20:00\",\"24:00\"]]}", JUNE_15(27, 59), "MON 23:59", true},
    {"the end of the day is outside", "{\"hours\":[[\"20:00\",\"24:00\"]]}", JUNE_15(28, 0), "TUE 00:00", false},
    {"the whole day", "{\"hours\":[[\"00:00\",\"24:00\"]]}", JUNE_15(12, 0), "MON 08:00", true},
    {"over midnight, before it", "{\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(27, 0), "MON 23:00", true},
    {"over midnight, after it", "{\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(9, 59), "MON 05:59", true},
    {"over midnight, its end", "{\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(10, 0), "MON 06:00", false},
    {"belongs to the day on which it begins", "{\"days\":[\"MON\"],\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(32, 0), "TUE 04:00", true},
    {"not to the one on which it ends", "{\"days\":[\"MON\"],\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(8, 0), "MON 04:00", false},
    {"from Sunday to Monday", "{\"days\":[\"SUN\"],\"hours\":[[\"22:00\",\"06:00\"]]}", JUNE_15(8, 0), "MON 04:00", true},
    {"the last minute of winter time", "{\"hours\":[[\"01:00\",\"02:00\"]]}", MARCH_8(6, 59), "SUN 01:59", true},
    {"two o'clock is not there", "{\"hours\":[[\"02:00\",\"03:00\"]]}", MARCH_8(7, 0), "SUN 03:00", false},
    {"three comes at once", "{\"hours\":[[\"03:00\",\"04:00\"]]}", MARCH_8(7, 0), "SUN 03:00", true},
    {"a range over the gap", "{\"hours\":[[\"01:30\",\"03:30\"]]}", MARCH_8(7, 29), "SUN 03:29", true},
    {"and its end", "{\"hours\":[[\"01:30\",\"03:30\"]]}", MARCH_8(7, 30), "SUN 03:30", false},
    {"one o'clock in summer time", "{\"hours\":[[\"01:00\",\"02:00\"]]}", NOVEMBER_1(5, 30), "SUN 01:30", true},
    {"and once more", "{\"hours\":[[\"01:00\",\"02:00\"]]}", NOVEMBER_1(6, 30), "SUN 01:30", true},
    {"two o'clock after it", "{\"hours\":[[\"01:00\",\"02:00\"]]}", NOVEMBER_1(7, 0), "SUN 02:00", false},
    {"nine o'clock the day before", "{\"hours\":[[\"09:00\",\"17:00\"]]}", NOVEMBER_1(-11, 0), "SAT 09:00", true},
    {"nine o'clock on the day is an hour later", "{\"hours\":[[\"09:00\",\"17:00\"]]}", NOVEMBER_1(13, 0), "SUN 08:00", false},
    {"namely here", "{\"hours\":[[\"09:00\",\"17:00\"]]}", NOVEMBER_1(14, 0), "SUN 09:00", true},
};

static void schedules_are_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct arena *arena = arena_new();
        struct complaints *list = complaints_new();
        struct error err;
        struct json *doc = json_parse(span_of(times[i].schedule), &err);
        const struct schedule *schedule = schedule_read(arena, doc, NULL, list);
        struct moment now = moment_at(&new_york, times[i].at_s * 1000000 + 999999);
        char local[MOMENT_TEXT_BYTES];

        assert_non_null(schedule);
        if (schedule_is_open(schedule, &now) != times[i].is_open || strcmp(moment_text(&now, local), times[i].local) != 0)
            fail_msg("%s: %s", times[i].claim, moment_text(&now, local));
        json_free(&doc);
        complaints_free(&list);
        arena_free(&arena);
    }
}

static void a_zone_has_offsets_before_and_behind_its_changes(void **state)
{
    static const struct { int64_t at_s; int64_t day; int weekday, minute; } rows[] = {
        {0, -1, 2, 19 * 60}, {1772953199, 20520, 6, 119}, {1772953200, 20520, 6, 180}, {1793512800 + 86400 * 365, 21123, 0, 60}, {-86400 * 3, -4, 6, 19 * 60},
    };
    struct moment utc = moment_at(NULL, -1);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct moment now = moment_at(&new_york, rows[i].at_s * 1000000);

        if (now.day != rows[i].day || now.weekday != rows[i].weekday || now.minute != rows[i].minute)
            fail_msg("%zu: day %lld weekday %d minute %d", i, (long long)now.day, now.weekday, now.minute);
    }
    assert_true(utc.day == -1 && utc.weekday == 2 && utc.minute == DAY_MINUTES - 1);
}

static void dates_have_days(void **state)
{
    static const struct { const char *date; int64_t day; } rows[] = {
        {"1970-01-01", 0}, {"1969-12-31", -1}, {"1970-03-01", 59}, {"2000-02-29", 11016}, {"2000-03-01", 11017}, {"1900-03-01", -25508}, {"1900-02-28", -25509},
        {"2024-02-29", 19782}, {"2026-06-15", 20619}, {"0001-01-01", -719162}, {"9999-12-31", 2932896},
    };

    static const char *const others[] = {"", "2026", "2026-06-1", "2026-06-155", "2026/06/15", "2026-06-1x", "-026-06-15"};
    char text[DATE_TEXT_BYTES];
    int64_t day;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!date_day(span_of(rows[i].date), &day) || day != rows[i].day)
            fail_msg("%s: %lld", rows[i].date, (long long)day);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(date_text(rows[i].day, text) && strcmp(text, rows[i].date) == 0);
    for (int64_t each = 0; each < 200000; each += 17)
        assert_true(date_text(each - 60000, text) && date_day(span_of(text), &day) && day == each - 60000);
    assert_false(date_text(-719163, text) || date_text(2932897, text));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(date_day(span_of(others[i]), &day));
}

/* What suppliers are told: values where they are nobody's, never where they could be somebody's. */
static const struct { const char *filter, *message; } messages[] = {
    {AGE(">=", 21), "must be at least 21"},
    {"{\"field\":\"age\",\"op\":\"BETWEEN\",\"value\":[18,65]}", "must be between 18 and 65"},
    {"{\"field\":\"state\",\"op\":\"IN\",\"value\":[\"TX\",\"California\"]}", "must be one of TX, CA"},
    {"{\"field\":\"state\",\"op\":\"NOT IN\",\"value\":[\"TX\",\"CA\",\"NY\",\"NV\",\"AZ\",\"UT\",\"OR\",\"WA\",\"ID\",\"MT\",\"WY\"]}", "must not be one of TX, CA, NY, NV, AZ, UT, OR, WA, ID, MT, …"},
    {"{\"field\":\"phone\",\"op\":\"!=\",\"value\":\"5551234567\"}", "must not be the value of the campaign's filter"},
    {"{\"field\":\"email\",\"op\":\"NOT IN\",\"value\":[\"a@example.com\",\"b@example.com\"]}", "must not be one of the values of the campaign's filter"},
    {"{\"field\":\"city\",\"op\":\"MATCHES\",\"value\":\"x\"}", "must match the pattern that the campaign asks for"},
    {"{\"field\":\"city\",\"op\":\"IS EMPTY\"}", "must be absent"},
    {"{\"field\":\"moved\",\"op\":\">= DAYS AGO\",\"value\":30}", "must not be longer ago than 30 days"},
    {"{\"field\":\"moved\",\"op\":\"<= DAYS AGO\",\"value\":1}", "must be at least as long ago as 1 day"},
    {"{\"field\":\"city\",\"op\":\"IN\",\"value\":[\"Austin\"]}", "must be one of the values of the campaign's filter"},
};

static void messages_tell_no_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct catalog *catalog = catalog_new();
        struct complaints *list = complaints_new();
        struct error err;
        struct json *doc = json_parse(span_of(messages[i].filter), &err);
        const struct filter *filter = filter_read(catalog, &campaign, doc, NULL, list);

        assert_non_null(filter);
        if (!span_is(filter->message, messages[i].message))
            fail_msg("%s: %.*s", messages[i].filter, SPAN_FMT(filter->message));
        json_free(&doc);
        complaints_free(&list);
        catalog_free(&catalog);
    }
}

static void a_search_that_gives_up_is_counted(void **state)
{
    struct catalog *catalog = catalog_new();
    struct complaints *list = complaints_new();
    struct error err;
    struct json *doc = json_parse(SPAN("{\"field\":\"city\",\"op\":\"MATCHES\",\"value\":\"^(a+)+$\"}"), &err);
    struct field_list fields = fields_of(catalog->arena, "city=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    struct filter_view view = {.arena = catalog->arena, .values = filter_values(catalog->arena, &campaign, &fields)};

    (void)state;
    assert_false(filter_judge(filter_read(catalog, &campaign, doc, NULL, list), &view, NULL));
    assert_int_equal(view.gave_up, 1);
    json_free(&doc);
    complaints_free(&list);
    catalog_free(&catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_judge),
        cmocka_unit_test(every_operator_judges_every_kind),
        cmocka_unit_test(groups_judge),
        cmocka_unit_test(filters_match_when_they_are_applied),
        cmocka_unit_test(a_filter_has_an_end),
        cmocka_unit_test(schedules_are_open),
        cmocka_unit_test(a_zone_has_offsets_before_and_behind_its_changes),
        cmocka_unit_test(dates_have_days),
        cmocka_unit_test(messages_tell_no_secrets),
        cmocka_unit_test(a_search_that_gives_up_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
