/* test_rank.c - router/rank.c: who may buy, and in which order. */
#include "router/rank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

static struct buyer active = {.id = S("buyer"), .is_active = true}, paused = {.id = S("buyer_off")},
    gone = {.id = S("buyer_gone"), .is_active = true, .is_endpoint_off = true};
static struct span texas[] = {S("TX")}, coasts[] = {S("CA"), S("NY")}, dallas[] = {S("75201"), S("752")}, north[] = {S("0"), S("1")};

#define ON(name, price, priority_) {.id = S(name), .buyer = &active, .is_active = true, .price_cents = price, .priority = priority_}

static const struct {
    const char *claim;
    enum distribution distribution;
    const char *want; /* the eligible in order, then a bar, then the others with their words, in the order of the campaign's list */
    struct contract contracts[5];
} rows[] = {
    {"nobody", DISTRIBUTION_WATERFALL, "|", {{.id = {NULL, 0}}}},
    {"one", DISTRIBUTION_WATERFALL, "a |", {ON("a", 100, 1)}},
    {"priority, lowest first", DISTRIBUTION_WATERFALL, "c b a |", {ON("a", 300, 3), ON("b", 200, 2), ON("c", 100, 1)}},
    {"of one priority the higher price", DISTRIBUTION_WATERFALL, "b c a |", {ON("a", 100, 1), ON("b", 300, 1), ON("c", 200, 1)}},
    {"of one price the id", DISTRIBUTION_WATERFALL, "a b c |", {ON("c", 100, 1), ON("a", 100, 1), ON("b", 100, 1)}},
    {"priority may be negative", DISTRIBUTION_WATERFALL, "b a |", {ON("a", 100, 0), ON("b", 100, -1)}},
    {"price, highest first", DISTRIBUTION_HIGHEST_BID, "a b c |", {ON("c", 100, 1), ON("b", 200, 2), ON("a", 300, 3)}},
    {"of one price the priority", DISTRIBUTION_HIGHEST_BID, "b a |", {ON("a", 100, 2), ON("b", 100, 1)}},
    {"of one price and priority the id", DISTRIBUTION_HIGHEST_BID, "a b |", {ON("b", 100, 1), ON("a", 100, 1)}},
    {"a paused contract", DISTRIBUTION_WATERFALL, "b | a=contract_paused ",
     {{.id = S("a"), .buyer = &active, .price_cents = 1}, ON("b", 100, 1)}},
    {"a paused buyer", DISTRIBUTION_WATERFALL, "b | a=buyer_paused ", {{.id = S("a"), .buyer = &paused, .is_active = true}, ON("b", 100, 1)}},
    {"an endpoint that is off", DISTRIBUTION_WATERFALL, "b | a=endpoint_off ", {{.id = S("a"), .buyer = &gone, .is_active = true}, ON("b", 100, 1)}},
    {"its state", DISTRIBUTION_WATERFALL, "a | b=state ",
     {{.id = S("a"), .buyer = &active, .is_active = true, .states = texas, .state_count = 1},
      {.id = S("b"), .buyer = &active, .is_active = true, .states = coasts, .state_count = 2}}},
    {"its zip", DISTRIBUTION_WATERFALL, "a | b=zip ",
     {{.id = S("a"), .buyer = &active, .is_active = true, .zips = dallas, .zip_count = 2},
      {.id = S("b"), .buyer = &active, .is_active = true, .zips = north, .zip_count = 2}}},
    {"state and zip both hold", DISTRIBUTION_WATERFALL, "| a=zip ",
     {{.id = S("a"), .buyer = &active, .is_active = true, .states = texas, .state_count = 1, .zips = north, .zip_count = 2}}},
    {"those passed over are in the campaign's order", DISTRIBUTION_WATERFALL, "c | a=contract_paused b=state d=contract_paused e=state ",
     {{.id = S("a"), .buyer = &active},
      {.id = S("b"), .buyer = &active, .is_active = true, .states = coasts, .state_count = 2},
      ON("c", 100, 1),
      {.id = S("d"), .buyer = &active},
      {.id = S("e"), .buyer = &active, .is_active = true, .states = coasts, .state_count = 2}}},
    {"the first reason is told", DISTRIBUTION_WATERFALL, "| a=contract_paused ",
     {{.id = S("a"), .buyer = &paused, .states = coasts, .state_count = 2}}},
};

static void rank(struct arena *arena, size_t i, const struct field_list *fields, char *out, size_t room)
{
    struct campaign campaign = {.id = S("campaign"), .distribution = rows[i].distribution, .contracts = (struct contract *)(uintptr_t)rows[i].contracts};
    size_t count, eligible, len = 0;
    struct candidate *list;

    while (campaign.contract_count < 5 && rows[i].contracts[campaign.contract_count].id.ptr != NULL)
        campaign.contract_count++;
    list = rank_candidates(arena, &campaign, fields, &count, &eligible);
    assert_int_equal(count, campaign.contract_count);
    for (size_t j = 0; j < eligible; j++) {
        assert_int_equal(list[j].pass, PASS_NONE);
        assert_int_equal(list[j].price_cents, list[j].contract->price_cents);
        len += (size_t)snprintf(out + len, room - len, "%.*s ", SPAN_FMT(list[j].contract->id));
    }
    len += (size_t)snprintf(out + len, room - len, "|");
    for (size_t j = eligible; j < count; j++)
        len += (size_t)snprintf(out + len, room - len, "%s%.*s=%s ", j == eligible ? " " : "", SPAN_FMT(list[j].contract->id), pass_word(list[j].pass));
}

static void candidates_are_ranked(void **state)
{
    static struct field items[] = {{S("state"), VALUE_TEXT, S("TX")}, {S("zip_code"), VALUE_TEXT, S("75201")}};
    struct field_list fields = {items, 2};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        char text[512];

        rank(arena, i, &fields, text, sizeof text);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].claim, text);
        arena_free(&arena);
    }
}

/* Contract a asks for a state and a zip of these; b for none. */
static const struct {
    const char *claim, *state, *zip;
    enum pass want;
} absent_rows[] = {
    {"both there", "TX", "75201", PASS_NONE},
    {"a longer zip than the prefix", "TX", "75299", PASS_NONE},
    {"no state fails", NULL, "75201", PASS_STATE},
    {"no zip fails", "TX", NULL, PASS_ZIP},
    {"another state", "NY", "75201", PASS_STATE},
    {"a prefix that is only begun", "TX", "75", PASS_ZIP},
    {"another zip", "TX", "75301", PASS_ZIP},
};

static void absent_fields_fail_what_asks_for_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof absent_rows / sizeof *absent_rows; i++) {
        struct contract contracts[] = {
            {.id = S("a"), .buyer = &active, .is_active = true, .states = texas, .state_count = 1, .zips = dallas, .zip_count = 2}, ON("b", 1, 9)};
        struct campaign campaign = {.id = S("campaign"), .contracts = contracts, .contract_count = 2};
        struct field items[2];
        struct field_list fields = {items, 0};
        struct arena *arena = arena_new();
        struct candidate *list;
        size_t count, eligible;

        if (absent_rows[i].state != NULL)
            items[fields.count++] = (struct field){S("state"), VALUE_TEXT, span_of(absent_rows[i].state)};
        if (absent_rows[i].zip != NULL)
            items[fields.count++] = (struct field){S("zip_code"), VALUE_TEXT, span_of(absent_rows[i].zip)};
        list = rank_candidates(arena, &campaign, &fields, &count, &eligible);
        if (eligible != (absent_rows[i].want == PASS_NONE ? 2 : 1) || (eligible == 1 && list[1].pass != absent_rows[i].want))
            fail_msg("%s", absent_rows[i].claim);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_are_ranked),
        cmocka_unit_test(absent_fields_fail_what_asks_for_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
