/* test_catalog_duplicates.c - proto/catalog_duplicates.c: the rules of contracts become their buyer's. */
#include "proto/catalog_duplicates.h"

#include "proto/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RULES(list) "{\"duplicates\":[" list "]}"
#define RULE(fields, days) "{\"fields\":[" fields "],\"window_days\":" #days "}"
#define PHONE "\"phone\""
#define EMAIL "\"email\""

/* Contracts of one buyer, read one after another: the buyer's rules, and those of each contract as index=days. */
static const struct {
    const char *claim;
    const char *contracts[3];
    const char *buyer, *want;
} rows[] = {
    {"no rules", {"{}", RULES("")}, "", "|"},
    {"one", {RULES(RULE(PHONE, 30))}, "phone=30 ", "0=30 "},
    {"names are sorted", {RULES(RULE(PHONE "," EMAIL, 30)), RULES(RULE(EMAIL "," PHONE, 7))}, "email,phone=30 ", "0=30 |0=7 "},
    {"the longest window", {RULES(RULE(PHONE, 7)), RULES(RULE(PHONE, 90)), RULES(RULE(PHONE, 30))}, "phone=90 ", "0=7 |0=90 |0=30 "},
    {"different fields", {RULES(RULE(PHONE, 7) "," RULE(EMAIL, 1)), RULES(RULE(EMAIL "," PHONE, 2) "," RULE(EMAIL, 3))}, "phone=7 email=3 email,phone=2 ",
     "0=7 1=1 |2=2 1=3 "},
    {"a paused contract's count, too", {"{\"status\":\"PAUSED\",\"duplicates\":[" RULE(PHONE, 5) "]}", "{}"}, "phone=5 ", "0=5 |"},
};

static void say_buyer(const struct buyer *buyer, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < buyer->duplicate_count; i++) {
        for (size_t j = 0; j < buyer->duplicates[i].field_count; j++)
            len += (size_t)snprintf(out + len, room - len, "%s%.*s", j > 0 ? "," : "", SPAN_FMT(buyer->duplicates[i].fields[j]));
        len += (size_t)snprintf(out + len, room - len, "=%d ", (int)buyer->duplicates[i].window_days);
    }
}

static struct json *parse(const char *text)
{
    struct error err;
    struct json *doc = json_parse(span_of(text), &err);

    assert_non_null(doc);
    return doc;
}

static void contracts_rules_are_the_buyers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct catalog catalog = {.arena = arena_new(), .secret = "an installation's secret, 32 by"};
        struct buyer buyer = {.id = SPAN("b")};
        struct uuid key = key_of_buyer(catalog.secret, buyer.id);
        char text[200] = "", rules[200];
        size_t len = 0;

        for (size_t n = 0; n < 3 && rows[i].contracts[n] != NULL; n++) {
            struct contract contract = {.buyer = &buyer};
            struct json *doc = parse(rows[i].contracts[n]);

            catalog_read_sold_duplicates(&catalog, &contract, doc);
            json_free(&doc);
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", n > 0 ? "|" : "");
            for (size_t j = 0; j < contract.duplicate_count; j++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%zu=%d ", contract.duplicates[j].rule, (int)contract.duplicates[j].window_days);
        }
        say_buyer(&buyer, rules, sizeof rules);
        if (strcmp(rules, rows[i].buyer) != 0 || strcmp(text, rows[i].want) != 0)
            fail_msg("%s: got \"%s\" and \"%s\"", rows[i].claim, rules, text);
        if (buyer.duplicate_count > 0 && uuid_compare(&buyer.duplicate_key, &key) != 0)
            fail_msg("%s: another key", rows[i].claim);
        arena_free(&catalog.arena);
    }
}

static void campaigns_say_which_leads_count(void **state)
{
    static const struct { const char *doc; enum duplicate_against want; size_t count; } campaigns[] = {
        {"{}", AGAINST_ACCEPTED, 0}, {RULES(RULE(PHONE, 30)), AGAINST_ACCEPTED, 1}, {"{\"duplicates_against\":\"accepted\"}", AGAINST_ACCEPTED, 0},
        {"{\"duplicates_against\":\"all\",\"duplicates\":[" RULE(EMAIL "," PHONE, 1) "," RULE(PHONE, 2) "]}", AGAINST_ALL, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof campaigns / sizeof *campaigns; i++) {
        struct catalog catalog = {.arena = arena_new()};
        struct campaign campaign = {.id = SPAN("c")};
        struct json *doc = parse(campaigns[i].doc);

        catalog_read_duplicates(&catalog, &campaign, doc);
        assert_int_equal(campaign.duplicates_against, campaigns[i].want);
        assert_int_equal(campaign.duplicate_count, campaigns[i].count);
        json_free(&doc);
        arena_free(&catalog.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_rules_are_the_buyers),
        cmocka_unit_test(campaigns_say_which_leads_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
