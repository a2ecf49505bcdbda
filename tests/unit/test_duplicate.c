/* test_duplicate.c - router/duplicate.c: who equals whom, by the campaign's rules and by the buyers'. */
#include "router/duplicate.h"

#include "proto/key.h"
#include "router/plan.h"
#include "router/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

enum { CONTRACTS = 3, LEADS_MOST = 6, RULES_MOST = 4 };
static const int64_t DAY_US = INT64_C(86400000000), NOW_US = INT64_C(1800000000000000);

static struct span phone[] = {S("phone")}, email_phone[] = {S("email"), S("phone")};
static struct field_spec specs[] = {{.name = S("email"), .type = FIELD_EMAIL}, {.name = S("phone"), .type = FIELD_PHONE}};

/* Rules of a contract, by the buyers' two: phone; e-mail and phone. 0: it has none. */
struct days {
    int phone, both;
};

/*
 * Campaigns one and two with contracts a, b of buyer one and c of buyer two, in that order; rules hold on campaign one only. A lead is two
 * letters for e-mail and phone ('-': absent), and flags: 2 on campaign two, t a test, ! malformed, s paused supplier.
 * Wanted for each: who bought, '-' unmatched, "dup", "bad".
 */
static const struct {
    const char *claim;
    const char *leads[LEADS_MOST];
    const char *want;
    struct days contracts[CONTRACTS];
    int max_sells;        /* 0: 1 */
    int campaign_days;    /* of a rule over the phone; 0: none */
    enum duplicate_against against;
    struct { int rule, days_ago; } sold_to_one; /* the lead of phone p, e-mail e: 1 under phone, 2 under both; 0: none */
    const char *detail;   /* of contract a, the last lead's */
} rows[] = {
    {"no rules", {"ep", "ep"}, .want = "a a"},
    {"sold to the buyer before: the next contract", {"ep", "ep", "ep"}, "a b b", .contracts = {{30, 0}}, .detail = "phone: 30 days"},
    {"both contracts of the buyer have the rule", {"ep", "ep", "ep"}, "a c c", .contracts = {{30, 0}, {30, 0}}},
    {"everybody has it", {"ep", "ep", "ep"}, "a c -", .contracts = {{30, 0}, {30, 0}, {30, 0}}, .detail = "phone: 30 days"},
    {"another phone", {"ep", "eq", "ep"}, "a a c", .contracts = {{30, 0}, {1, 0}}, .detail = "phone: 30 days"},
    {"all fields of a rule", {"ep", "eq", "fp", "ep"}, "a a a b", .contracts = {{0, 7}}, .detail = "email, phone: 7 days"},
    {"one of two rules", {"ep", "fp"}, "a b", .contracts = {{1, 7}}, .detail = "phone: 1 day"},
    {"an absent field: the rule does not hold", {"-p", "-p", "ep", "ep"}, "a a a b", .contracts = {{0, 7}}},
    {"e-mails without regard to case", {"ep", "Ep"}, "a b", .contracts = {{0, 7}}},
    {"a contract without rules leaves keys for the other", {"ep2", "ep"}, "a b", .contracts = {{30, 0}}},
    {"and the other campaign's contract sees none", {"ep", "ep2"}, "a a", .contracts = {{30, 0}}},
    {"another buyer's sale is none", {"ep", "ep", "ep"}, "a c c", .contracts = {{30, 0}, {30, 0}}, .detail = "phone: 30 days"},
    {"two sells: each buyer for itself", {"ep", "ep", "eq"}, "a+c - a+c", .contracts = {{30, 0}, {30, 0}, {30, 0}}, .max_sells = 2},
    {"two sells: one of them saw it", {"ep", "ep"}, "a+c b+c", .contracts = {{30, 0}}, .max_sells = 2},

    {"inside the window", {"ep"}, "b", .contracts = {{30, 0}}, .sold_to_one = {1, 29}, .detail = "phone: 30 days"},
    {"the window is over", {"ep", "ep"}, "a b", .contracts = {{30, 0}}, .sold_to_one = {1, 30}},
    {"each contract its own window over one key", {"ep"}, "a", .contracts = {{30, 0}, {90, 0}}, .sold_to_one = {1, 60}},
    {"the longer one still holds", {"ep"}, "b", .contracts = {{90, 0}, {30, 0}}, .sold_to_one = {1, 60}, .detail = "phone: 90 days"},
    {"a newer sale begins the window again", {"ep", "ep"}, "a c", .contracts = {{30, 0}, {90, 0}}, .sold_to_one = {1, 60}},
    {"the other rule's key", {"ep"}, "b", .contracts = {{1, 30}}, .sold_to_one = {2, 10}, .detail = "email, phone: 30 days"},

    {"test leads do not count and are not blocked", {"ept", "ep", "ept", "ep"}, "a a a b", .contracts = {{30, 0}}},

    {"the campaign's rule comes first", {"ep", "ep"}, "a dup", .contracts = {{30, 0}}, .campaign_days = 30},
    {"accepted: a refused one does not count", {"ep!", "ep", "ep"}, "bad a dup", .campaign_days = 30},
    {"all: it does", {"ep!", "ep"}, "bad dup", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: as far as its fields go", {"e-!", "ep", "ep"}, "bad a dup", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: a paused supplier's", {"eps", "ep"}, "bad dup", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: refused ones are refused for what is wrong", {"ep", "ep!"}, "a bad", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: test leads see and do not count", {"ept", "ep!t", "ep", "ept"}, "a bad a dup", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: a duplicate's other fields do not count", {"ep", "fp", "fq"}, "a dup a", .campaign_days = 30, .against = AGAINST_ALL},
    {"all: an unmatched one counts", {"eq2", "eq", "eq"}, "a+c - dup", .contracts = {{9, 0}, {9, 0}, {9, 0}}, .max_sells = 2, .campaign_days = 30, .against = AGAINST_ALL},
    {"accepted: it does not", {"eq2", "eq", "eq"}, "a+c - -", .contracts = {{9, 0}, {9, 0}, {9, 0}}, .max_sells = 2, .campaign_days = 30},
    {"all: the other campaign's do not", {"ep2", "ep"}, "a a", .campaign_days = 30, .against = AGAINST_ALL},
};

struct world {
    struct arena *arena;
    struct catalog catalog;
    struct duplicate_rule buyer_rules[2][2], campaign_rule;
    struct contract_duplicate contract_rules[CONTRACTS][2];
    struct buyer buyers[2];
    struct contract contracts[2][CONTRACTS];
    struct supplier suppliers[2];
    struct source sources[2][2];
    struct campaign campaigns[2];
    struct field fields[LEADS_MOST][2];
    struct lead leads[LEADS_MOST];
    struct plan plans[LEADS_MOST];
    struct decision decisions[LEADS_MOST];
    struct facts facts;
};

static int longest(size_t i, int first, int last, bool is_both)
{
    int days = 0;

    for (int n = first; n <= last; n++) {
        int mine = is_both ? rows[i].contracts[n].both : rows[i].contracts[n].phone;

        days = mine > days ? mine : days;
    }
    return days;
}

static void add_rule(struct world *world, int n, size_t rule, int days)
{
    struct contract *contract = &world->contracts[0][n];

    if (days > 0)
        world->contract_rules[n][contract->duplicate_count++] = (struct contract_duplicate){rule, days};
}

static void make_contracts(struct world *world, size_t i)
{
    static const struct span ids[] = {S("a"), S("b"), S("c")};

    for (int n = 0; n < 2; n++) {
        int first = n == 0 ? 0 : 2, last = n == 0 ? 1 : 2;

        world->buyer_rules[n][0] = (struct duplicate_rule){phone, 1, longest(i, first, last, false)};
        world->buyer_rules[n][1] = (struct duplicate_rule){email_phone, 2, longest(i, first, last, true)};
        world->buyers[n] = (struct buyer){.id = n == 0 ? SPAN("one") : SPAN("two"), .is_active = true, .url = "", .duplicates = world->buyer_rules[n],
                                          .duplicate_key = key_of_buyer(world->catalog.secret, n == 0 ? SPAN("one") : SPAN("two")),
                                          .duplicate_count = longest(i, first, last, true) > 0 ? 2 : longest(i, first, last, false) > 0 ? 1 : 0};
    }
    for (int n = 0; n < CONTRACTS; n++) {
        world->contracts[0][n] = (struct contract){.id = ids[n], .buyer = &world->buyers[n / 2], .is_active = true, .price_cents = 100, .priority = n,
                                                   .duplicates = world->contract_rules[n]};
        world->contracts[1][n] = world->contracts[0][n];
        add_rule(world, n, 0, rows[i].contracts[n].phone);
        add_rule(world, n, 1, rows[i].contracts[n].both);
    }
}

static void add_field(struct field_list *list, struct span name, const char *letter)
{
    if (*letter != '-')
        list->items[list->count++] = (struct field){.name = name, .text = {letter, 1}};
}

static void make_lead(struct world *world, size_t i, int n)
{
    const char *text = rows[i].leads[n];
    struct lead *lead = &world->leads[n];

    for (int byte = 0; byte < 6; byte++)
        lead->id.bytes[byte] = (uint8_t)(NOW_US / 1000 >> (40 - 8 * byte));
    lead->id.bytes[15] = (uint8_t)(n + 1);
    lead->campaign_id = strchr(text, '2') != NULL ? SPAN("two") : SPAN("one");
    lead->supplier_id = strchr(text, 's') != NULL ? SPAN("paused") : SPAN("acme");
    lead->is_test = strchr(text, 't') != NULL;
    lead->reason = strchr(text, '!') != NULL ? SPAN("validation_failed") : SPAN("");
    lead->fields.items = world->fields[n];
    add_field(&lead->fields, SPAN("email"), &text[0]);
    add_field(&lead->fields, SPAN("phone"), &text[1]);
    plan_make(world->arena, &world->catalog, NULL, lead, NULL, &world->plans[n]);
}

/* What buyer one was sold before. */
static void add_holder(struct world *world, size_t i)
{
    struct span both[] = {SPAN("e"), SPAN("p")}, *one = &both[1];
    struct holder *holder = arena_alloc(world->arena, sizeof *holder);
    int rule = rows[i].sold_to_one.rule - 1;

    if (rule < 0)
        return;
    holder->key = key_duplicate(world->catalog.secret, AGAINST_SOLD, SPAN("one"), &world->buyer_rules[0][rule], rule == 0 ? one : both);
    holder->lead_id.bytes[15] = 99;
    holder->supplier_id = SPAN("acme");
    holder->at_us = NOW_US - rows[i].sold_to_one.days_ago * DAY_US;
    map_put(world->facts.holders, uuid_span(&holder->key), holder);
}

static int open_world(struct world *world, size_t i)
{
    int count = 0;

    memset(world, 0, sizeof *world);
    world->arena = arena_new();
    world->facts = (struct facts){.now_us = NOW_US, .counters = map_new(), .holders = map_new(), .recorded = map_new(), .idempotent = map_new()};
    make_contracts(world, i);
    world->suppliers[0] = (struct supplier){.id = SPAN("acme"), .is_active = true};
    world->suppliers[1] = (struct supplier){.id = SPAN("paused")};
    world->campaign_rule = (struct duplicate_rule){phone, 1, rows[i].campaign_days};
    for (int n = 0; n < 2; n++) {
        for (int m = 0; m < 2; m++)
            world->sources[n][m] = (struct source){.supplier_id = world->suppliers[m].id, .supplier = &world->suppliers[m], .is_active = true};
        world->campaigns[n] = (struct campaign){
            .id = n == 0 ? SPAN("one") : SPAN("two"), .is_active = true, .fields = specs, .field_count = 2, .sources = world->sources[n], .source_count = 2,
            .contracts = world->contracts[n], .contract_count = CONTRACTS, .max_sells = rows[i].max_sells > 0 ? rows[i].max_sells : 1,
            .duplicates = &world->campaign_rule, .duplicate_count = n == 0 && rows[i].campaign_days > 0, .duplicates_against = rows[i].against};
    }
    world->catalog.campaigns = world->campaigns;
    world->catalog.campaign_count = 2;
    add_holder(world, i);
    for (; count < LEADS_MOST && rows[i].leads[count] != NULL; count++)
        make_lead(world, i, count);
    return count;
}

static void close_world(struct world *world)
{
    map_free(&world->facts.counters);
    map_free(&world->facts.holders);
    map_free(&world->facts.recorded);
    map_free(&world->facts.idempotent);
    arena_free(&world->arena);
}

static size_t say(const struct decision *decision, char *out, size_t room)
{
    size_t len = 0;

    if (decision->state != LEAD_ACCEPTED)
        return (size_t)snprintf(out, room, "%s", decision->state == LEAD_DUPLICATE ? "dup" : decision->state == LEAD_UNMATCHED ? "-" : "bad");
    for (size_t i = 0; i < decision->sale_count; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%.*s", i > 0 ? "+" : "", SPAN_FMT(decision->sales[i].contract_id));
    return len;
}

/* Whatever is written was asked for before: a key that was not read would be written over unseen. */
static void check_wanted(struct world *world, size_t i, int count)
{
    struct wanted wanted;
    const struct holder *holder;
    size_t at = 0;

    wanted_collect(world->arena, world->plans, (size_t)count, false, &wanted);
    while ((holder = map_next(world->facts.holders, &at)) != NULL) {
        bool is_wanted = !holder->is_ours;

        for (size_t n = 0; n < wanted.duplicate_key_count; n++) {
            assert_false(uuid_is_nil(&wanted.duplicate_keys[n]));
            is_wanted |= uuid_compare(&wanted.duplicate_keys[n], &holder->key) == 0;
        }
        if (!is_wanted)
            fail_msg("%s: a key that was not read", rows[i].claim);
        if (holder->is_ours && holder->seen.bytes[15] != 0 && holder->seen.bytes[15] != 99)
            fail_msg("%s: replaces a row that is not in the database", rows[i].claim);
    }
}

static const struct candidate *find(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->candidate_count; i++)
        if (span_is(plan->candidates[i].contract->id, id))
            return &plan->candidates[i];
    fail();
    return NULL;
}

static void equal_leads_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        int count = open_world(&world, i);
        char text[200] = "";
        size_t len = 0;

        decide_batch(world.arena, &world.facts, world.plans, (size_t)count, world.decisions);
        for (int n = 0; n < count; n++) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", n > 0 ? " " : "");
            len += say(&world.decisions[n], text + len, sizeof text - len);
        }
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%s: got \"%s\", not \"%s\"", rows[i].claim, text, rows[i].want);
        if (rows[i].detail != NULL) {
            const struct candidate *a = find(&world.plans[count - 1], "a");

            if (a->pass != PASS_DUPLICATE || !span_is(a->detail, rows[i].detail))
                fail_msg("%s: contract a was passed over for %s (%.*s)", rows[i].claim, pass_word(a->pass), SPAN_FMT(a->detail));
        }
        check_wanted(&world, i, count);
        close_world(&world);
    }
}

/* Row of that claim. */
static size_t row_of(const char *claim)
{
    size_t i = 0;

    while (strcmp(rows[i].claim, claim) != 0)
        i++;
    return i;
}

/* A key lasts for the longest window of all rules that share it, and its row is replaced as it was read. */
static void keys_last_as_long_as_the_longest_window(void **state)
{
    struct world world;
    int count = open_world(&world, row_of("a newer sale begins the window again"));
    const struct holder *holder;
    size_t at = 0;

    (void)state;
    decide_batch(world.arena, &world.facts, world.plans, (size_t)count, world.decisions);
    holder = map_next(world.facts.holders, &at);
    assert_int_equal(holder->expires_us, NOW_US + 90 * DAY_US);
    assert_int_equal(holder->seen.bytes[15], 99);
    assert_int_equal(holder->lead_id.bytes[15], 1);
    assert_null(map_next(world.facts.holders, &at));
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_leads_are_seen),
        cmocka_unit_test(keys_last_as_long_as_the_longest_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
