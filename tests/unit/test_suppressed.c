/* validator/suppressed.c and router/suppressed.c: what follows from being on a list. */
#include "router/suppressed.h"
#include "validator/suppressed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LIST(items) items, sizeof(items) / sizeof *(items)

enum { DNC = 1, OURS = 2, THEIRS = 3 };

/* A campaign with a list of its own and two of its contracts; fields in order of their names. */
static struct field_spec specs[] = {
    {.name = {"age", 3}, .type = FIELD_NUMBER}, {.name = {"email", 5}, .type = FIELD_EMAIL},
    {.name = {"mobile", 6}, .type = FIELD_PHONE}, {.name = {"phone", 5}, .type = FIELD_STRING},
};
static struct suppression_use uses[] = {
    {{"dnc", 3}, DNC, true}, {{"ours", 4}, OURS, false}, {{"theirs", 6}, THEIRS, false},
};
static const struct campaign with_lists = {.fields = specs, .field_count = 4, .suppression = uses, .suppression_count = 3};
static const struct campaign without = {.fields = specs, .field_count = 4};

static struct field sent[] = {
    {{"age", 3}, VALUE_NUMBER, {"2025550123", 10}}, {{"email", 5}, VALUE_TEXT, {"John@example.com", 16}},
    {{"mobile", 6}, VALUE_TEXT, {"+12025550123", 12}}, {{"phone", 5}, VALUE_TEXT, {"5552345678", 10}},
};

static struct verdict verdict_of(const struct campaign *campaign, enum reason reason)
{
    return (struct verdict){.reason = reason, .campaign = campaign, .normal = {LIST(sent)}};
}

static void test_what_is_looked_up(void **state)
{
    struct arena *arena = arena_new();
    struct verdict good = verdict_of(&with_lists, REASON_NONE), free_one = verdict_of(&without, REASON_NONE);
    struct verdict bad = verdict_of(&with_lists, REASON_FILTERED), nowhere = verdict_of(NULL, REASON_NONE);
    struct suppression_keys keys;
    struct listed_value *values;

    (void)state;
    assert_int_equal(suppressed_values(arena, &free_one, &values), 0);
    assert_int_equal(suppressed_values(arena, &bad, &values), 0);
    assert_int_equal(suppressed_values(arena, &nowhere, &values), 0);
    assert_int_equal(suppressed_values(arena, &good, &values), 3);
    assert_true(span_is(values[0].field, "email") && span_is(values[1].field, "mobile"));
    assert_true(span_is(values[2].field, "phone")); /* a phone for the system, whatever the campaign calls it */
    assert_true(suppression_keys_of(arena, FIELD_EMAIL, SPAN("john@example.com"), &keys));
    assert_memory_equal(&keys, &values[0].keys, sizeof keys);
    sent[3].text = SPAN("no phone at all");
    assert_int_equal(suppressed_values(arena, &good, &values), 2);
    sent[3].text = SPAN("5552345678");
    arena_free(&arena);
}

/* Where the lead is: by which of its values (an index of values), under which digest, on which list; value -1: somebody else. */
struct row {
    const char *claim;
    struct { int value; bool is_md5; int64_t list; } hits[4];
    const char *errors;   /* "field message; " */
    const char *on_lists;
};

static const struct row rows[] = {
    {"on none", {{0}}, "", ""},
    {"somebody else", {{-1, false, DNC}}, "", ""},
    {"on a list that does not matter", {{1, false, 99}}, "", ""},
    {"by SHA-256 on the campaign's", {{1, false, DNC}}, "mobile is on suppression list dnc; ", ""},
    {"by MD5", {{1, true, DNC}}, "mobile is on suppression list dnc; ", ""},
    {"by both is once", {{1, true, DNC}, {1, false, DNC}}, "mobile is on suppression list dnc; ", ""},
    {"two values", {{2, true, DNC}, {0, false, DNC}}, "email is on suppression list dnc; phone is on suppression list dnc; ", ""},
    {"on a contract's", {{0, false, THEIRS}}, "", "theirs"},
    {"on two", {{0, false, THEIRS}, {2, true, OURS}, {0, true, OURS}}, "", "ours theirs"},
    {"refused anyway", {{0, false, THEIRS}, {0, false, DNC}}, "email is on suppression list dnc; ", ""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct hits *hits = hits_new(arena);
        struct verdict verdict = verdict_of(&with_lists, REASON_NONE);
        struct listed_value *values;
        size_t count = suppressed_values(arena, &verdict, &values), len = 0;
        struct span on_lists;
        char text[512] = "";

        for (size_t j = 0; j < 4 && rows[i].hits[j].list != 0; j++) {
            struct suppression_keys none = {.md5 = {{1}}, .sha256 = {{2}}};
            const struct suppression_keys *keys = rows[i].hits[j].value < 0 ? &none : &values[rows[i].hits[j].value].keys;

            hits_add(hits, rows[i].hits[j].is_md5 ? keys->md5 : keys->sha256, rows[i].hits[j].list);
        }
        on_lists = suppressed_judge(arena, hits, values, count, &verdict);
        for (size_t j = 0; j < verdict.errors.count; j++) {
            assert_true(span_is(verdict.errors.items[j].op, "NOT ON LIST") && span_is(verdict.errors.items[j].code, "suppressed"));
            len += (size_t)snprintf(text + len, sizeof text - len, "%.*s %.*s; ", SPAN_FMT(verdict.errors.items[j].field),
                                    SPAN_FMT(verdict.errors.items[j].message));
        }
        if (strcmp(text, rows[i].errors) != 0 || !span_is(on_lists, rows[i].on_lists))
            fail_msg("%s: %s, on %.*s", rows[i].claim, text, SPAN_FMT(on_lists));
        assert_int_equal(verdict.reason, rows[i].errors[0] != '\0' ? REASON_SUPPRESSED : REASON_NONE);
        hits_free(&hits);
        arena_free(&arena);
    }
}

/* The router ---------------------------------------------------------------------------------------------------------- */

static struct span ab[] = {{"a", 1}, {"b", 1}}, b_only[] = {{"b", 1}}, long_a[] = {{"aa", 2}};
static const struct contract contracts[] = {
    {.id = {"1", 1}, .suppression_lists = ab, .suppression_list_count = 2}, {.id = {"2", 1}},
    {.id = {"3", 1}, .suppression_lists = b_only, .suppression_list_count = 1},
    {.id = {"4", 1}, .suppression_lists = long_a, .suppression_list_count = 1}, {.id = {"5", 1}},
};

static const struct {
    const char *claim, *on_lists, *want; /* contracts in order, "|" before those passed over, with their lists */
} orders[] = {
    {"on none", "", "1 2 3 4 | 5 "},
    {"a list of nobody's", "c", "1 2 3 4 | 5 "},
    {"one", "a", "2 3 4 | 1a 5 "},
    {"two contracts", "b", "2 4 | 1b 3b 5 "},
    {"the first of several is told", "b a", "2 4 | 1a 3b 5 "},
    {"ids are compared whole", "aa", "1 2 3 | 4aa 5 "},
    {"all lists", "aa b c", "2 | 1b 3b 4aa 5 "},
};

static void test_who_is_passed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct arena *arena = arena_new();
        struct candidate list[5];
        size_t eligible = 4, len = 0;
        char text[256] = "";

        for (size_t j = 0; j < 5; j++)
            list[j] = (struct candidate){.contract = &contracts[j], .pass = j < 4 ? PASS_NONE : PASS_STATE};
        suppressed_pass_over(arena, span_of(orders[i].on_lists), list, &eligible);
        for (size_t j = 0; j < 5; j++) {
            if (j == eligible)
                len += (size_t)snprintf(text + len, sizeof text - len, "| ");
            len += (size_t)snprintf(text + len, sizeof text - len, "%.*s%.*s ", SPAN_FMT(list[j].contract->id), SPAN_FMT(list[j].detail));
            assert_int_equal(list[j].pass, j < eligible ? PASS_NONE : j == 4 ? PASS_STATE : PASS_SUPPRESSED);
        }
        if (strcmp(text, orders[i].want) != 0)
            fail_msg("%s: %s", orders[i].claim, text);
        arena_free(&arena);
    }
    assert_string_equal(pass_word(PASS_SUPPRESSED), "suppressed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_looked_up),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_who_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
