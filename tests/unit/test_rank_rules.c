/* test_rank_rules.c - router/rank.c: filters, schedules and conditional prices, before the clock is read and after. */
#include "common/must.h"
#include "proto/filter_read.h"
#include "router/rank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

static struct field_spec specs[] = {{.name = S("age"), .type = FIELD_NUMBER}, {.name = S("moved"), .type = FIELD_DATE}, {.name = S("state"), .type = FIELD_STATE}};
static struct zone_change changes[] = {{0, -6 * 3600}};
static const struct zone chicago = {.name = S("America/Chicago"), .changes = changes, .change_count = 1};
static const struct buyer utc_buyer = {.id = S("one"), .is_active = true}, chicago_buyer = {.id = S("two"), .is_active = true, .zone = &chicago};
static const int64_t NOON_US = INT64_C(1781524800) * 1000000; /* Monday, 2026-06-15, 12:00 UTC: 06:00 in Chicago as above */

#define OVER(n) "{\"field\":\"age\",\"op\":\">=\",\"value\":" #n "}"
#define TEXAS "{\"field\":\"state\",\"op\":\"==\",\"value\":\"TX\"}"
#define RECENT "{\"field\":\"moved\",\"op\":\">= DAYS AGO\",\"value\":30}"
#define PRICE(filter, cents) "{\"filter\":" filter ",\"price\":" #cents "}"

/* Contracts a, b, c of priority 1, 2, 3; price 2500 each. JSON of each; price_rules in cents here. want: before the clock | after. */
static const struct {
    const char *claim;
    enum distribution distribution;
    const char *contracts[3];
    const char *early, *late;
    bool in_chicago; /* all buyers */
} rows[] = {
    {"no rules", DISTRIBUTION_WATERFALL, {"{}", "{}", "{}"}, "a2500 b2500 c2500 |", "a2500 b2500 c2500 |", false},
    {"a filter that fails is known early", DISTRIBUTION_WATERFALL, {"{\"filters\":" OVER(50) "}", "{\"filters\":" TEXAS "}", NULL},
     "b2500 | a=filter(age >=) ", "b2500 | a=filter(age >=) ", false},
    {"what failed is told", DISTRIBUTION_WATERFALL, {"{\"filters\":{\"all\":[" OVER(50) ",{\"field\":\"state\",\"op\":\"IN\",\"value\":[\"CA\"]}]}}", NULL, NULL},
     "| a=filter(age >=, state IN) ", "| a=filter(age >=, state IN) ", false},
    {"three of four", DISTRIBUTION_WATERFALL, {"{\"filters\":{\"all\":[" OVER(50) "," OVER(51) "," OVER(52) "," OVER(53) "]}}", NULL, NULL},
     "| a=filter(age >=, age >=, age >=) ", "| a=filter(age >=, age >=, age >=) ", false},
    {"days ago waits for the clock", DISTRIBUTION_WATERFALL, {"{\"filters\":" RECENT "}", "{}", NULL}, "a2500 b2500 |", "b2500 | a=filter(moved >= DAYS AGO) ", false},
    {"a schedule waits for the clock", DISTRIBUTION_WATERFALL, {"{\"schedule\":{\"days\":[\"TUE\"]}}", "{\"schedule\":{\"days\":[\"MON\"]}}", NULL},
     "a2500 b2500 |", "b2500 | a=schedule(MON 12:00 UTC) ", false},
    {"in the buyer's zone", DISTRIBUTION_WATERFALL, {"{\"schedule\":{\"hours\":[[\"12:00\",\"13:00\"]]}}", "{\"schedule\":{\"hours\":[[\"06:00\",\"06:01\"]]}}", NULL},
     "a2500 b2500 |", "b2500 | a=schedule(MON 06:00 America/Chicago) ", true},
    {"a failing filter with a schedule needs no lock", DISTRIBUTION_WATERFALL, {"{\"filters\":" OVER(50) ",\"schedule\":{\"days\":[\"MON\"]}}", "{}", NULL},
     "b2500 | a=filter(age >=) ", "b2500 | a=filter(age >=) ", false},
    {"the first price that matches", DISTRIBUTION_WATERFALL,
     {"{\"price_rules\":[" PRICE(OVER(50), 3000) "," PRICE(OVER(40), 2600) "," PRICE(OVER(30), 9900) "]}", NULL, NULL}, "a2600 |", "a2600 |", false},
    {"no price matches", DISTRIBUTION_WATERFALL, {"{\"price_rules\":[" PRICE(OVER(50), 3000) "]}", NULL, NULL}, "a2500 |", "a2500 |", false},
    {"a price for all", DISTRIBUTION_WATERFALL, {"{\"price_rules\":[" PRICE(OVER(50), 3000) "," PRICE("{}", 100) "]}", NULL, NULL}, "a100 |", "a100 |", false},
    {"the price ranks", DISTRIBUTION_HIGHEST_BID, {"{\"price_rules\":[" PRICE(OVER(40), 2400) "]}", "{}", "{\"price_rules\":[" PRICE(OVER(40), 2600) "]}"},
     "c2600 b2500 a2400 |", "c2600 b2500 a2400 |", false},
    {"a price that waits for the clock ranks then", DISTRIBUTION_HIGHEST_BID,
     {"{}", "{\"price_rules\":[" PRICE("{\"schedule\":{\"days\":[\"TUE\"]}}", 100) "," PRICE("{\"schedule\":{\"days\":[\"MON\"]}}", 9900) "]}", NULL},
     "a2500 b2500 |", "b9900 a2500 |", false},
    {"ranks and passes over", DISTRIBUTION_HIGHEST_BID,
     {"{\"schedule\":{\"days\":[\"SUN\"]}}", "{}", "{\"filters\":{\"any\":[" RECENT "," TEXAS "]},\"price_rules\":[" PRICE("{\"schedule\":{\"days\":[\"MON\"]}}", 2501) "]}"},
     "a2500 b2500 c2500 |", "c2501 b2500 | a=schedule(MON 12:00 UTC) ", false},
};

struct world {
    struct catalog *catalog;
    struct complaints *list;
    struct campaign campaign;
};

static const struct filter *compile(struct world *world, struct json *doc)
{
    return doc != NULL ? filter_read(world->catalog, &world->campaign, doc, NULL, world->list) : NULL;
}

static void read_contract(struct world *world, struct contract *contract, const char *text)
{
    struct error err;
    struct json *doc = json_parse(span_of(text), &err), *prices = json_get(doc, "price_rules");

    assert_non_null(doc);
    contract->filters = compile(world, json_get(doc, "filters"));
    if (json_get(doc, "schedule") != NULL)
        contract->schedule = schedule_read(world->catalog->arena, json_get(doc, "schedule"), NULL, world->list);
    contract->is_timed = contract->schedule != NULL || (contract->filters != NULL && contract->filters->is_timed);
    contract->price_rule_count = json_count(prices);
    contract->price_rules = arena_alloc(world->catalog->arena, contract->price_rule_count * sizeof *contract->price_rules);
    for (size_t i = 0; i < contract->price_rule_count; i++) {
        contract->price_rules[i] = (struct price_rule){compile(world, json_get(json_at(prices, i), "filter")), json_get_integer(json_at(prices, i), "price", 0)};
        contract->is_timed |= contract->price_rules[i].filter->is_timed;
    }
    world->campaign.has_rules |= contract->filters != NULL || contract->price_rule_count > 0;
    world->campaign.is_timed |= contract->is_timed;
    assert_int_equal(world->list->count, 0);
    json_free(&doc);
}

static void print(const struct candidate *list, size_t count, char *out, size_t room)
{
    size_t len = 0, i;

    for (i = 0; i < count && list[i].pass == PASS_NONE; i++)
        len += (size_t)snprintf(out + len, room - len, "%.*s%lld ", SPAN_FMT(list[i].contract->id), (long long)list[i].price_cents);
    len += (size_t)snprintf(out + len, room - len, "|%s", i < count ? " " : "");
    for (; i < count; i++)
        len += (size_t)snprintf(out + len, room - len, "%.*s=%s(%.*s) ", SPAN_FMT(list[i].contract->id), pass_word(list[i].pass), SPAN_FMT(list[i].detail));
}

static void rules_rank(void **state)
{
    static struct field items[] = {{S("age"), VALUE_NUMBER, S("42")}, {S("moved"), VALUE_TEXT, S("2026-05-15")}, {S("state"), VALUE_TEXT, S("TX")}};
    static const char *const ids[] = {"a", "b", "c"};
    struct field_list fields = {items, 3};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world = {must_zalloc(sizeof *world.catalog), complaints_new(), {.id = S("campaign"), .fields = specs, .field_count = 3}};
        struct contract contracts[3];
        struct candidate *list;
        size_t count, eligible;
        char early[256], late[256];

        world.catalog->arena = arena_new();
        world.campaign.distribution = rows[i].distribution;
        world.campaign.contracts = contracts;
        for (size_t j = 0; j < 3 && rows[i].contracts[j] != NULL; j++) {
            contracts[j] = (struct contract){.id = span_of(ids[j]), .buyer = rows[i].in_chicago ? &chicago_buyer : &utc_buyer, .is_active = true, .price_cents = 2500, .priority = (int64_t)j + 1};
            read_contract(&world, &contracts[j], rows[i].contracts[j]);
            world.campaign.contract_count++;
        }
        list = rank_candidates(world.catalog->arena, &world.campaign, &fields, &count, &eligible);
        print(list, count, early, sizeof early);
        rank_at(world.catalog->arena, &world.campaign, &fields, NOON_US, list, eligible);
        print(list, count, late, sizeof late);
        if (strcmp(early, rows[i].early) != 0 || strcmp(late, rows[i].late) != 0)
            fail_msg("%s: \"%s\", then \"%s\"", rows[i].claim, early, late);
        complaints_free(&world.list);
        catalog_free(&world.catalog);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_rank)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
