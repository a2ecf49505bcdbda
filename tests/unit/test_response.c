/* What buyers' answers mean: proto/response_read.h, proto/response.h. */
#include "proto/response_read.h"

#include "common/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct catalog *into;
    struct complaints *list;
    const struct responses *responses;
};

static struct fixture fixture(const char *rules)
{
    static const struct place place = {NULL, "r", 0};
    struct fixture made = {must_zalloc(sizeof(struct catalog)), complaints_new(), NULL};
    struct json *doc = json_parse(span_of(rules), NULL);

    assert_non_null(doc);
    made.into->arena = arena_new();
    made.responses = responses_read(made.into, doc, &place, made.list);
    json_free(&doc);
    return made;
}

static void fixture_free(struct fixture *made)
{
    complaints_free(&made->list);
    catalog_free(&made->into);
}

/* Is the one rule, of outcome REJECTED, the first that matches? */
static const struct {
    const char *claim, *rule;
    int status;
    const char *body;
    bool holds;
} rows[] = {
    {"nothing named: always", "", 200, "", true},
    {"nothing named: any status", "", 500, "oops", true},
    {"a status", "\"status\":200", 200, "", true},
    {"another", "\"status\":200", 201, "", false},
    {"a status as text", "\"status\":\"404\"", 404, "", true},
    {"a range, its first", "\"status\":\"200-299\"", 200, "", true},
    {"its last", "\"status\":\"200-299\"", 299, "", true},
    {"outside", "\"status\":\"200-299\"", 300, "", false},
    {"a list", "\"status\":[409,\"422\",\"500-503\"]", 422, "", true},
    {"a list, its range", "\"status\":[409,\"422\",\"500-503\"]", 502, "", true},
    {"none of the list", "\"status\":[409,\"422\",\"500-503\"]", 504, "", false},
    {"a pointer: something is there", "\"pointer\":\"/error\"", 200, "{\"error\":\"x\"}", true},
    {"null is something", "\"pointer\":\"/error\"", 200, "{\"error\":null}", true},
    {"false is something", "\"pointer\":\"/error\"", 200, "{\"error\":false}", true},
    {"nothing is there", "\"pointer\":\"/error\"", 200, "{\"errors\":1}", false},
    {"no JSON", "\"pointer\":\"/error\"", 200, "error", false},
    {"no answer's body", "\"pointer\":\"/error\"", 200, "", false},
    {"the whole document", "\"pointer\":\"\"", 200, "5", true},
    {"the whole of no document", "\"pointer\":\"\"", 200, "five", false},
    {"JSON with blanks", "\"pointer\":\"/a/0\"", 200, " \r\n{ \"a\" : [ 1 ] } \n", true},
    {"JSON behind a byte order mark", "\"pointer\":\"/a\"", 200, "\xef\xbb\xbf{\"a\":1}", true},
    {"JSON that was cut", "\"pointer\":\"/a\"", 200, "{\"a\":1,\"b\":\"xx", false},
    {"something behind the JSON", "\"pointer\":\"/a\"", 200, "{\"a\":1}}", false},
    {"JSON with a broken character", "\"pointer\":\"/a\"", 200, "{\"a\":\"\xff\"}", false},
    {"JSON with a NUL in a text", "\"pointer\":\"/a\"", 200, "{\"a\":\"x\\u0000y\"}", true},
    {"of equal keys the last", "\"pointer\":\"/a\",\"equals\":2", 200, "{\"a\":1,\"a\":2}", true},
    {"beside a number that no integer holds", "\"pointer\":\"/a\",\"equals\":2", 200, "{\"id\":18446744073709551616,\"a\":2}", true},
    {"beside one that no double holds", "\"pointer\":\"/a\",\"equals\":-2", 200, "{\"a\":-2,\"score\":1e999}", true},
    {"such a number as text", "\"pointer\":\"/0\",\"equals\":\"18446744073709551616\"", 200, "[18446744073709551616]", true},
    {"digits in a text stay there", "\"pointer\":\"/1\",\"equals\":\"\\\"99999999999999999999\"", 200, "[99999999999999999999,\"\\\"99999999999999999999\"]", true},
    {"a text that is equal", "\"pointer\":\"/r\",\"equals\":\"dup\"", 200, "{\"r\":\"dup\"}", true},
    {"case matters", "\"pointer\":\"/r\",\"equals\":\"dup\"", 200, "{\"r\":\"DUP\"}", false},
    {"a part is not equal", "\"pointer\":\"/r\",\"equals\":\"dup\"", 200, "{\"r\":\"duplicate\"}", false},
    {"an escaped text", "\"pointer\":\"/r\",\"equals\":\"a\\\"\\u00e9\"", 200, "{\"r\":\"a\\\"\xc3\xa9\"}", true},
    {"the empty text", "\"pointer\":\"/r\",\"equals\":\"\"", 200, "{\"r\":\"\"}", true},
    {"a number", "\"pointer\":\"/r\",\"equals\":1", 200, "{\"r\":1}", true},
    {"a number otherwise written", "\"pointer\":\"/r\",\"equals\":1", 200, "{\"r\":1.0}", true},
    {"a number with an exponent", "\"pointer\":\"/r\",\"equals\":100.0", 200, "{\"r\":1e2}", true},
    {"another number", "\"pointer\":\"/r\",\"equals\":1", 200, "{\"r\":1.5}", false},
    {"a number as text", "\"pointer\":\"/r\",\"equals\":1", 200, "{\"r\":\"1\"}", true},
    {"a text as number", "\"pointer\":\"/r\",\"equals\":\"1\"", 200, "{\"r\":1}", true},
    {"a text that is the number otherwise written", "\"pointer\":\"/r\",\"equals\":1", 200, "{\"r\":\"01\"}", false},
    {"true", "\"pointer\":\"/r\",\"equals\":true", 200, "{\"r\":true}", true},
    {"true as text", "\"pointer\":\"/r\",\"equals\":true", 200, "{\"r\":\"true\"}", true},
    {"a text as false", "\"pointer\":\"/r\",\"equals\":\"false\"", 200, "{\"r\":false}", true},
    {"true is not 1", "\"pointer\":\"/r\",\"equals\":true", 200, "{\"r\":1}", false},
    {"true is not false", "\"pointer\":\"/r\",\"equals\":true", 200, "{\"r\":false}", false},
    {"null", "\"pointer\":\"/r\",\"equals\":null", 200, "{\"r\":null}", true},
    {"null is not its word", "\"pointer\":\"/r\",\"equals\":null", 200, "{\"r\":\"null\"}", false},
    {"null is not absent", "\"pointer\":\"/r\",\"equals\":null", 200, "{}", false},
    {"a list", "\"pointer\":\"/r\",\"equals\":[1,\"a\"]", 200, "{\"r\":[1, \"a\"]}", true},
    {"an object in another order", "\"pointer\":\"/r\",\"equals\":{\"a\":1,\"b\":2}", 200, "{\"r\":{\"b\":2,\"a\":1}}", true},
    {"another object", "\"pointer\":\"/r\",\"equals\":{\"a\":1}", 200, "{\"r\":{\"a\":1,\"b\":2}}", false},
    {"a text in the answer", "\"contains\":\"error\"", 200, "an error occurred", true},
    {"at its beginning", "\"contains\":\"error\"", 200, "error", true},
    {"in another case", "\"contains\":\"Error\"", 200, "ERROR!", true},
    {"not there", "\"contains\":\"error\"", 200, "erro", false},
    {"not in nothing", "\"contains\":\"error\"", 200, "", false},
    {"behind bytes that are no UTF-8", "\"contains\":\"error\"", 200, "\xff\xfe error", true},
    {"a text beyond ASCII, with regard to case", "\"contains\":\"\xc3\xa9\"", 200, "caf\xc3\x89", false},
    {"JSON as text", "\"contains\":\"\\\"ok\\\":false\"", 200, "{\"ok\":false}", true},
    {"in the value", "\"pointer\":\"/m\",\"value_contains\":\"dup\"", 200, "{\"m\":\"It is a Duplicate\"}", true},
    {"elsewhere", "\"pointer\":\"/m\",\"value_contains\":\"dup\"", 200, "{\"m\":\"x\",\"n\":\"dup\"}", false},
    {"in a list", "\"pointer\":\"/m\",\"value_contains\":\"dup\"", 200, "{\"m\":[\"x\",\"dup\"]}", true},
    {"in a number", "\"pointer\":\"/m\",\"value_contains\":\"40\"", 200, "{\"m\":1409}", true},
    {"in nothing", "\"pointer\":\"/m\",\"value_contains\":\"dup\"", 200, "{}", false},
    {"a pattern", "\"matches\":\"^lead [0-9]+ taken$\"", 200, "lead 17 taken", true},
    {"without case", "\"matches\":\"TAKEN\"", 200, "lead 17 taken", true},
    {"with case when it asks for it", "\"matches\":\"(?-i)TAKEN\"", 200, "lead 17 taken", false},
    {"a pattern that is not there", "\"matches\":\"^taken\"", 200, "lead 17 taken", false},
    {"a pattern in what is no UTF-8", "\"matches\":\"taken\"", 200, "\xff taken", false},
    {"all but the pattern", "\"status\":200,\"pointer\":\"/a\",\"equals\":1,\"contains\":\"b\",\"matches\":\"c$\"", 200, "{\"a\":1,\"b\":2} ", false},
    {"all that is named", "\"status\":200,\"pointer\":\"/a\",\"equals\":1,\"contains\":\"b\",\"matches\":\"2\"", 200, "{\"a\":1,\"b\":2}", true},
    {"one is not", "\"status\":200,\"pointer\":\"/a\",\"equals\":1,\"contains\":\"c\",\"matches\":\"2\"", 200, "{\"a\":1,\"b\":2}", false},
    {"contains is about the whole answer", "\"pointer\":\"/a\",\"contains\":\"zzz\"", 200, "{\"a\":1,\"b\":\"zzz\"}", true},
};

static void rules_hold_or_do_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rule[512];
        struct fixture made;
        struct judged judged;

        snprintf(rule, sizeof rule, "[{%s%s\"outcome\":\"REJECTED\"}]", rows[i].rule, rows[i].rule[0] != '\0' ? "," : "");
        made = fixture(rule);
        if (made.responses == NULL)
            fail_msg("%s: %s", rows[i].claim, made.list->items[0].sentence);
        response_judge(made.responses, rows[i].status, span_of(rows[i].body), made.into->arena, &judged);
        if ((judged.rule == 0) != rows[i].holds || (judged.outcome == OUTCOME_REJECTED) != rows[i].holds)
            fail_msg("%s: rule %d, %s", rows[i].claim, judged.rule, outcome_word(judged.outcome));
        fixture_free(&made);
    }
}

static const char example[] =
    "[{\"status\":\"200-299\",\"pointer\":\"/result\",\"equals\":\"dup\",\"outcome\":\"DUPLICATE\"},"
    "{\"status\":\"200-299\",\"contains\":\"error\",\"outcome\":\"REJECTED\"},"
    "{\"status\":\"200-299\",\"outcome\":\"ACCEPTED\",\"price\":\"/price\",\"reference\":\"/id\",\"redirect_url\":\"/url\"},"
    "{\"status\":503,\"outcome\":\"RETRY\"},{\"status\":400,\"outcome\":\"REJECTED\"}]";

static const struct {
    const char *claim;
    int status;
    const char *body;
    enum outcome want;
    int rule;
} order[] = {
    {"the first", 200, "{\"result\":\"dup\",\"error\":1}", OUTCOME_DUPLICATE, 0},
    {"the second", 200, "{\"result\":\"error\"}", OUTCOME_REJECTED, 1},
    {"the third", 200, "{}", OUTCOME_ACCEPTED, 2},
    {"the fourth", 503, "error", OUTCOME_RETRY, 3},
    {"the fifth", 400, "{\"result\":\"dup\"}", OUTCOME_REJECTED, 4},
    {"none, and no success", 500, "error", OUTCOME_RETRY, -1},
    {"none, a redirect", 302, "", OUTCOME_RETRY, -1},
    {"none, gone", 410, "", OUTCOME_RETRY, -1},
};

static void the_first_match_wins(void **state)
{
    struct fixture made = fixture(example);

    (void)state;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct judged judged;

        response_judge(made.responses, order[i].status, span_of(order[i].body), made.into->arena, &judged);
        if (judged.outcome != order[i].want || judged.rule != order[i].rule)
            fail_msg("%s: rule %d, %s", order[i].claim, judged.rule, outcome_word(judged.outcome));
    }
    fixture_free(&made);
}

static void without_rules_2xx_is_accepted(void **state)
{
    static const struct { int status; enum outcome want; } usual[] = {
        {200, OUTCOME_ACCEPTED}, {201, OUTCOME_ACCEPTED}, {204, OUTCOME_ACCEPTED}, {299, OUTCOME_ACCEPTED}, {199, OUTCOME_RETRY}, {300, OUTCOME_RETRY},
        {302, OUTCOME_RETRY}, {400, OUTCOME_RETRY}, {404, OUTCOME_RETRY}, {410, OUTCOME_RETRY}, {429, OUTCOME_RETRY}, {500, OUTCOME_RETRY},
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct judged judged;

        response_judge(NULL, usual[i].status, SPAN("{\"price\":\"1\"}"), arena, &judged);
        assert_int_equal(judged.outcome, usual[i].want);
        assert_int_equal(judged.rule, -1);
        assert_int_equal(judged.price_cents, -1);
        assert_null(judged.reference.ptr);
    }
    arena_free(&arena);
}

static const struct {
    const char *body;
    int64_t price_cents;
    const char *reference, *redirect_url; /* NULL: absent */
} readings[] = {
    {"{\"price\":\"31.50\",\"id\":\"x-1\",\"url\":\"https://buyer.example/go?x=1\"}", 3150, "x-1", "https://buyer.example/go?x=1"},
    {"{\"price\":31.1,\"id\":12345678901,\"url\":\"HTTP://Buyer.example\"}", 3110, "12345678901", "HTTP://Buyer.example"},
    {"{\"price\":25,\"id\":\" a \",\"url\":\" https://b.example/ \"}", 2500, "a", "https://b.example/"},
    {"{\"price\":1,\"id\":12345678901234567890123}", 100, "12345678901234567890123", NULL},
    {"{\"price\":1,\"id\":\"x\\u0000y\",\"url\":\"https://b.example/\\u0000\"}", 100, NULL, NULL},
    {"{\"price\":0}", 0, NULL, NULL},
    {"{\"price\":\"0.5\"}", 50, NULL, NULL},
    {"{\"price\":25.10}", 2510, NULL, NULL},
    {"{\"price\":25.125}", -1, NULL, NULL},
    {"{\"price\":-1}", -1, NULL, NULL},
    {"{\"price\":1e300}", -1, NULL, NULL},
    {"{\"price\":\"$25\"}", -1, NULL, NULL},
    {"{\"price\":\"\"}", -1, NULL, NULL},
    {"{\"price\":true,\"id\":true,\"url\":true}", -1, NULL, NULL},
    {"{\"price\":null,\"id\":null,\"url\":null}", -1, NULL, NULL},
    {"{\"price\":{},\"id\":[],\"url\":{}}", -1, NULL, NULL},
    {"{\"id\":\"\",\"url\":\"\"}", -1, NULL, NULL},
    {"{\"url\":\"javascript:alert(1)\"}", -1, NULL, NULL},
    {"{\"url\":\"/relative\"}", -1, NULL, NULL},
    {"{\"url\":\"https://user:pass@b.example/\"}", -1, NULL, NULL},
    {"{}", -1, NULL, NULL},
    {"no JSON", -1, NULL, NULL},
};

static bool is(struct span got, const char *want)
{
    return want == NULL ? got.ptr == NULL : span_is(got, want);
}

static void reads_price_reference_and_redirect(void **state)
{
    struct fixture made = fixture("[{\"outcome\":\"ACCEPTED\",\"price\":\"/price\",\"reference\":\"/id\",\"redirect_url\":\"/url\"}]");

    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        struct judged judged;

        response_judge(made.responses, 200, span_of(readings[i].body), made.into->arena, &judged);
        if (judged.price_cents != readings[i].price_cents || !is(judged.reference, readings[i].reference) ||
            !is(judged.redirect_url, readings[i].redirect_url))
            fail_msg("%s: %lld, %.*s, %.*s", readings[i].body, (long long)judged.price_cents, SPAN_FMT(judged.reference), SPAN_FMT(judged.redirect_url));
    }
    fixture_free(&made);
}

static void what_is_too_long_is_not_read(void **state)
{
    struct fixture made = fixture("[{\"outcome\":\"ACCEPTED\",\"reference\":\"/id\"}]");
    struct judged judged;
    char body[REFERENCE_BYTES_MOST + 32];

    (void)state;
    snprintf(body, sizeof body, "{\"id\":\"%0*d\"}", REFERENCE_BYTES_MOST, 7);
    response_judge(made.responses, 200, span_of(body), made.into->arena, &judged);
    assert_int_equal(judged.reference.len, REFERENCE_BYTES_MOST);
    snprintf(body, sizeof body, "{\"id\":\"%0*d\"}", REFERENCE_BYTES_MOST + 1, 7);
    response_judge(made.responses, 200, span_of(body), made.into->arena, &judged);
    assert_null(judged.reference.ptr);
    fixture_free(&made);
}

/* Deep nesting is no JSON for us, and costs nothing. */
static void deep_and_large_answers(void **state)
{
    enum { BYTES = 65536 };
    struct fixture made = fixture("[{\"pointer\":\"\",\"outcome\":\"REJECTED\"},{\"matches\":\"(a+)+$\",\"outcome\":\"DUPLICATE\"},"
                                  "{\"contains\":\"aaaaaaaaaaaaaaaab\",\"outcome\":\"DUPLICATE\"}]");
    char *body = must_alloc(BYTES);
    struct judged judged;

    (void)state;
    memset(body, '[', BYTES);
    response_judge(made.responses, 200, (struct span){body, BYTES}, made.into->arena, &judged);
    assert_int_equal(judged.rule, -1);
    memset(body, 'a', BYTES);
    body[BYTES - 1] = '!';
    response_judge(made.responses, 200, (struct span){body, BYTES}, made.into->arena, &judged);
    assert_int_equal(judged.rule, -1);
    assert_int_equal(judged.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(judged.gave_up, 1);
    memset(body, '\0', BYTES);
    response_judge(made.responses, 200, (struct span){body, BYTES}, made.into->arena, &judged);
    assert_int_equal(judged.rule, -1);
    free(body);
    fixture_free(&made);
}

static const struct { const char *rules, *want; } wrong[] = {
    {"[{\"outcome\":\"RETRY\",\"status\":99}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":600}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":\"2xx\"}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":\"299-200\"}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":\"200-\"}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":\"200 - 299\"}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":\"\"}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":[]}]", "/r/0/status"},
    {"[{\"outcome\":\"RETRY\",\"status\":[200,\"x\",true,[200],200.5]}]", "/r/0/status/1 /r/0/status/2 /r/0/status/3 /r/0/status/4"},
    {"[{\"outcome\":\"RETRY\"},{\"outcome\":\"RETRY\",\"pointer\":\"a\"}]", "/r/1/pointer"},
    {"[{\"outcome\":\"RETRY\",\"equals\":1}]", "/r/0/equals"},
    {"[{\"outcome\":\"RETRY\",\"value_contains\":\"x\"}]", "/r/0/value_contains"},
    {"[{\"outcome\":\"RETRY\",\"contains\":\"\"}]", "/r/0/contains"},
    {"[{\"outcome\":\"RETRY\",\"matches\":\"(\"}]", "/r/0/matches"},
    {"[{\"outcome\":\"RETRY\",\"price\":\"price\",\"reference\":\"~\",\"redirect_url\":\"/~\"}]", "/r/0/price /r/0/reference /r/0/redirect_url"},
};

static void faults_are_told_at_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fixture made = fixture(wrong[i].rules);
        struct buf *got = buf_new(64);

        for (size_t j = 0; j < made.list->count; j++)
            buf_printf(got, "%s%s", j > 0 ? " " : "", made.list->items[j].pointer);
        assert_string_equal(buf_text(got), wrong[i].want);
        assert_null(made.responses);
        buf_free(&got);
        fixture_free(&made);
    }
}

static void outcomes_have_words(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(SPAN("ACCEPTED")), OUTCOME_ACCEPTED);
    assert_int_equal(outcome_of(SPAN("RETRY")), OUTCOME_RETRY);
    assert_int_equal(outcome_of(SPAN("retry")), -1);
    assert_string_equal(outcome_word(OUTCOME_DUPLICATE), "DUPLICATE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold_or_do_not), cmocka_unit_test(the_first_match_wins), cmocka_unit_test(without_rules_2xx_is_accepted),
        cmocka_unit_test(reads_price_reference_and_redirect), cmocka_unit_test(what_is_too_long_is_not_read), cmocka_unit_test(deep_and_large_answers),
        cmocka_unit_test(faults_are_told_at_their_place), cmocka_unit_test(outcomes_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
