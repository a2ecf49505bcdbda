/* test_decide.c - router/decide.c: what becomes of each lead of a batch, decided in order of arrival. */
#include "router/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}

enum { LEADS_MOST = 8, CONTRACT_COUNTER = 10, OTHER_COUNTER = 11, BUYER_COUNTER = 20, SOURCE_COUNTER = 30, SUPPLIER_COUNTER = 31 };
static const int64_t DAY_US = INT64_C(86400000000);
static const int64_t NOW_US = INT64_C(1800000000000000);

/* One lead: its persons are numbers; equal ones are equal keys. */
struct one {
    int id;               /* 0: the next */
    int phone, email;     /* 0: no such key */
    int key, body;        /* idempotency key and body; 0: none */
    int supplier;         /* 0 or 1 */
    bool is_test;
    bool is_bad;          /* the validator's verdict: validation_failed */
    bool is_foreign;      /* the validator's verdict: forbidden, which records nothing */
    int hours_off;        /* of its id */
};

/* The campaign has contracts a and b of buyer one, c of buyer two, in that order. Caps are on leads a day; 0: none, n: n - 1 leads. */
static const struct {
    const char *claim;
    struct one leads[LEADS_MOST];
    int count;
    const char *want; /* a word for each lead, see say() */
    int a_cap, b_cap, buyer_cap, source_cap, supplier_cap;
    int max_sells;    /* 0: 1; -1: 1, and buyer two is paused */
    int used;         /* what every counter has counted before */
    bool is_campaign_off, is_source_off, is_supplier_off;
    int holder, holder_days; /* an earlier lead of supplier 0 under this phone, so many days ago */
    int recorded;            /* this id is in the database */
    int recorded_key, recorded_body;
} rows[] = {
    {"a lead is sold to the first", {{0}}, .count = 1, .want = "a"},
    {"every lead is", {{0}, {0}, {0}}, .count = 3, .want = "a a a"},
    {"two buyers, not twice the same", {{0}}, .count = 1, .want = "a+c", .max_sells = 2},
    {"no more buyers than there are", {{0}}, .count = 1, .want = "a+c", .max_sells = 5},
    {"a cap holds across the batch", {{0}, {0}, {0}}, .count = 3, .want = "a a b", .a_cap = 3},
    {"a full contract gives way", {{0}, {0}, {0}, {0}}, .count = 4, .want = "a b c c", .a_cap = 2, .b_cap = 2},
    {"the buyer's cap holds over its contracts", {{0}, {0}, {0}, {0}}, .count = 4, .want = "a a c c", .buyer_cap = 3},
    {"what was counted before counts", {{0}, {0}}, .count = 2, .want = "a b", .a_cap = 6, .used = 4},
    {"a cap of none", {{0}}, .count = 1, .want = "b", .a_cap = 1},
    {"nobody has room", {{0}}, .count = 1, .want = "-", .a_cap = 1, .b_cap = 1, .buyer_cap = 1, .max_sells = -1},
    {"two sells, one has room", {{0}, {0}}, .count = 2, .want = "a+c c", .a_cap = 2, .b_cap = 1, .max_sells = 2},
    {"a second sale counts, too", {{0}, {0}}, .count = 2, .want = "a+c b+c", .a_cap = 2, .max_sells = 2},

    {"the source's cap", {{0}, {0}, {0}}, .count = 3, .want = "a a capped", .source_cap = 3},
    {"the source's cap counts a lead once", {{0}, {0}, {0}}, .count = 3, .want = "a+c a+c capped", .source_cap = 3, .max_sells = 2},
    {"the supplier's cap", {{0}, {0}}, .count = 2, .want = "a capped", .supplier_cap = 2},
    {"unsold leads do not count for the source", {{0}, {0}, {0}}, .count = 3, .want = "a - -", .a_cap = 2, .b_cap = 1, .source_cap = 3, .max_sells = -1},

    {"equal leads: the first is sold", {{.phone = 1}, {.phone = 1}, {.phone = 1}}, .count = 3, .want = "a dup=1 dup=1"},
    {"equal by another key", {{.phone = 1, .email = 2}, {.phone = 3, .email = 2}}, .count = 2, .want = "a dup=1"},
    {"a chain: who matches a duplicate only is sold", {{.phone = 1, .email = 1}, {.phone = 1, .email = 2}, {.phone = 2, .email = 2}}, .count = 3, .want = "a dup=1 a"},
    {"different leads", {{.phone = 1}, {.phone = 2}, {.email = 1}}, .count = 3, .want = "a a a"},
    {"an unsold lead is no duplicate", {{.phone = 1}, {.phone = 1}}, .count = 2, .want = "- -", .a_cap = 1, .b_cap = 1, .max_sells = -1},
    {"a rejected one neither", {{.phone = 1, .is_bad = true}, {.phone = 1}}, .count = 2, .want = "bad a"},
    {"another supplier is not told of which", {{.phone = 1}, {.phone = 1, .supplier = 1}}, .count = 2, .want = "a dup"},
    {"a duplicate takes no place", {{.phone = 1}, {.phone = 1}, {.phone = 2}}, .count = 3, .want = "a dup=1 a", .a_cap = 3},
    {"an earlier lead", {{.phone = 1}}, .count = 1, .want = "dup=99", .holder = 1, .holder_days = 29},
    {"an earlier lead, of another supplier", {{.phone = 1, .supplier = 1}}, .count = 1, .want = "dup", .holder = 1, .holder_days = 29},
    {"an earlier lead, too long ago", {{.phone = 1}, {.phone = 1}}, .count = 2, .want = "a dup=1", .holder = 1, .holder_days = 30},
    {"duplicates come before pauses", {{.phone = 1}}, .count = 1, .want = "dup=99", .holder = 1, .is_source_off = true},
    {"and before the source's cap", {{.phone = 1}, {.phone = 1}}, .count = 2, .want = "a dup=1", .source_cap = 2},

    {"test leads are sold", {{.is_test = true}, {.is_test = true}}, .count = 2, .want = "a a"},
    {"they count for no cap", {{.is_test = true}, {0}, {0}}, .count = 3, .want = "a a b", .a_cap = 2},
    {"they see caps", {{0}, {.is_test = true}}, .count = 2, .want = "a b", .a_cap = 2},
    {"they are no duplicates of each other", {{.phone = 1, .is_test = true}, {.phone = 1, .is_test = true}, {.phone = 1}}, .count = 3, .want = "a a a"},
    {"they see duplicates", {{.phone = 1}, {.phone = 1, .is_test = true}}, .count = 2, .want = "a dup=1"},
    {"they count for no source", {{.is_test = true}, {0}}, .count = 2, .want = "a a", .source_cap = 2},

    {"a paused campaign", {{0}}, .count = 1, .want = "paused", .is_campaign_off = true},
    {"a paused source", {{0}}, .count = 1, .want = "paused", .is_source_off = true},
    {"a paused supplier", {{0}}, .count = 1, .want = "paused", .is_supplier_off = true},
    {"a paused source that is full", {{0}}, .count = 1, .want = "paused", .is_source_off = true, .source_cap = 1},
    {"the validator's verdict comes first", {{.is_bad = true, .phone = 1}}, .count = 1, .want = "bad", .is_source_off = true, .holder = 1},
    {"what is not recorded", {{.is_foreign = true}}, .count = 1, .want = "forbidden"},

    {"an id that is there", {{.id = 5}}, .count = 1, .want = "repeat", .recorded = 5},
    {"also of a bad lead", {{.id = 5, .is_bad = true}}, .count = 1, .want = "repeat", .recorded = 5},
    {"also from another time", {{.id = 5, .hours_off = -2}}, .count = 1, .want = "repeat", .recorded = 5},
    {"others go on", {{.id = 5}, {0}}, .count = 2, .want = "repeat a", .recorded = 5},
    {"an old id", {{.hours_off = -2}, {0}}, .count = 2, .want = "late a"},
    {"an id of the future", {{.hours_off = 2}}, .count = 1, .want = "late"},
    {"an old id of a bad lead", {{.hours_off = -2, .is_bad = true}}, .count = 1, .want = "late"},

    {"a key that is there", {{.key = 7, .body = 1}}, .count = 1, .want = "repeat", .recorded_key = 7, .recorded_body = 1},
    {"a key that is there, another body", {{.key = 7, .body = 2}}, .count = 1, .want = "mismatch", .recorded_key = 7, .recorded_body = 1},
    {"a key that is there, from another time", {{.key = 7, .body = 1, .hours_off = -2}}, .count = 1, .want = "repeat", .recorded_key = 7, .recorded_body = 1},
    {"a key twice in the batch", {{.key = 7, .body = 1}, {.key = 7, .body = 1}, {.key = 7, .body = 1}}, .count = 3, .want = "a follow=1 follow=1"},
    {"a key twice, another body", {{.key = 7, .body = 1}, {.key = 7, .body = 2}, {.key = 7, .body = 1}}, .count = 3, .want = "a mismatch follow=1"},
    {"two keys", {{.key = 7, .body = 1}, {.key = 8, .body = 1}}, .count = 2, .want = "a a"},
    {"no keys", {{.body = 1}, {.body = 1}}, .count = 2, .want = "a a"},
    {"a follower takes no place", {{.key = 7, .body = 1}, {.key = 7, .body = 1}, {0}}, .count = 3, .want = "a follow=1 a", .a_cap = 3},
    {"a bad lead is followed", {{.key = 7, .body = 1, .is_bad = true}, {.key = 7, .body = 1, .is_bad = true}}, .count = 2, .want = "bad follow=1"},
    {"what is not recorded is not followed", {{.key = 7, .body = 1, .is_foreign = true}, {.key = 7, .body = 2}}, .count = 2, .want = "forbidden a"},
    {"what was late is not followed", {{.key = 7, .body = 1, .hours_off = 2}, {.key = 7, .body = 2}}, .count = 2, .want = "late a"},
};

static struct uuid number_id(int kind, int number)
{
    struct uuid id = {{0}};

    id.bytes[0] = (uint8_t)kind;
    id.bytes[15] = (uint8_t)number;
    return id;
}

/* A version 7 id of that moment. */
static struct uuid lead_id(int number, int hours_off)
{
    int64_t at_ms = NOW_US / 1000 + hours_off * INT64_C(3600000);
    struct uuid id = {{0}};

    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(at_ms >> (40 - 8 * i));
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    id.bytes[15] = (uint8_t)number;
    return id;
}

struct world {
    struct arena *arena;
    struct cap caps[5];
    struct buyer buyers[2];
    struct contract contracts[3];
    struct supplier suppliers[2];
    struct source sources[2];
    struct campaign campaign;
    struct counter counters[5];
    struct lead leads[LEADS_MOST];
    struct plan plans[LEADS_MOST];
    struct decision decisions[LEADS_MOST];
    struct facts facts;
    char bodies[3];
};

static void cap_owner(struct world *world, struct cap_owner *owner, int place, int64_t counter_id, int cap, int used)
{
    struct counter *counter = &world->counters[place];

    if (cap == 0)
        return;
    world->caps[place] = (struct cap){WINDOW_DAY, cap - 1, -1};
    *owner = (struct cap_owner){&world->caps[place], 1, counter_id, 0};
    counter->id = counter_id;
    counter->leads[WINDOW_DAY] = used;
    map_put(world->facts.counters, (struct span){(const char *)&counter->id, sizeof counter->id}, counter);
}

static void add_key(struct world *world, struct plan *plan, int kind, int number)
{
    static struct span names[] = {{"phone", 5}};
    static const struct duplicate_rule rule = {names, 1, 30};

    if (number == 0)
        return;
    if (plan->keys == NULL)
        plan->keys = arena_alloc(world->arena, 2 * sizeof *plan->keys);
    plan->keys[plan->key_count++] = (struct lead_key){number_id(kind, number), 30 * DAY_US, &rule};
}

static void make_plan(struct world *world, size_t i, int n)
{
    const struct one *one = &rows[i].leads[n];
    struct plan *plan = &world->plans[n];
    struct lead *lead = &world->leads[n];

    *lead = (struct lead){.id = lead_id(one->id > 0 ? one->id : n + 1, one->hours_off), .supplier_id = world->suppliers[one->supplier].id,
                          .campaign_id = world->campaign.id, .is_test = one->is_test};
    if (one->key > 0)
        lead->idempotency_key = number_id(9, one->key);
    if (one->body > 0)
        lead->body_sha256 = (struct span){&world->bodies[one->body], 1};
    *plan = (struct plan){.lead = lead, .campaign = &world->campaign, .source = &world->sources[one->supplier],
                          .verdict = one->is_bad ? REASON_VALIDATION_FAILED : one->is_foreign ? REASON_FORBIDDEN : REASON_NONE};
    if (plan->verdict != REASON_NONE)
        return;
    add_key(world, plan, 1, one->phone);
    add_key(world, plan, 2, one->email);
    plan->candidates = rank_candidates(world->arena, plan->campaign, &lead->fields, &plan->candidate_count, &plan->eligible_count);
}

static void add_recorded(struct world *world, size_t i)
{
    struct recorded *recorded = arena_alloc(world->arena, sizeof *recorded);

    recorded->status = 201;
    recorded->lead_id = lead_id(rows[i].recorded, rows[i].leads[0].hours_off);
    recorded->idempotency_key = number_id(9, rows[i].recorded_key);
    recorded->body_sha256 = (struct span){&world->bodies[rows[i].recorded_body], 1};
    if (rows[i].recorded > 0)
        map_put(world->facts.recorded, uuid_span(&recorded->lead_id), recorded);
    if (rows[i].recorded_key > 0)
        map_put(world->facts.idempotent, uuid_span(&recorded->idempotency_key), recorded);
}

static void make_world(struct world *world, size_t i)
{
    static const struct span ids[] = {S("a"), S("b"), S("c")};

    memset(world, 0, sizeof *world);
    memcpy(world->bodies, "012", 3);
    world->arena = arena_new();
    world->facts = (struct facts){.now_us = NOW_US, .counters = map_new(), .holders = map_new(), .recorded = map_new(), .idempotent = map_new()};
    for (int n = 0; n < 2; n++) {
        world->buyers[n] = (struct buyer){.id = n == 0 ? SPAN("one") : SPAN("two"), .is_active = n == 0 || rows[i].max_sells >= 0, .timeout_ms = 5000, .url = "http://buyer.example/"};
        world->suppliers[n] = (struct supplier){.id = n == 0 ? SPAN("acme") : SPAN("bolt"), .is_active = !rows[i].is_supplier_off};
        world->sources[n] = (struct source){.supplier_id = world->suppliers[n].id, .supplier = &world->suppliers[n], .is_active = !rows[i].is_source_off,
                                            .cost = {COST_FIXED, 1000, 0}};
    }
    for (int n = 0; n < 3; n++)
        world->contracts[n] = (struct contract){.id = ids[n], .buyer = &world->buyers[n / 2], .is_active = true, .price_cents = 2500, .priority = n};
    world->campaign = (struct campaign){.id = SPAN("campaign"), .is_active = !rows[i].is_campaign_off, .contracts = world->contracts, .contract_count = 3,
                                        .max_sells = rows[i].max_sells > 0 ? rows[i].max_sells : 1};
    cap_owner(world, &world->contracts[0].caps, 0, CONTRACT_COUNTER, rows[i].a_cap, rows[i].used);
    cap_owner(world, &world->contracts[1].caps, 1, OTHER_COUNTER, rows[i].b_cap, 0);
    cap_owner(world, &world->buyers[0].caps, 2, BUYER_COUNTER, rows[i].buyer_cap, rows[i].used);
    cap_owner(world, &world->sources[0].caps, 3, SOURCE_COUNTER, rows[i].source_cap, rows[i].used);
    cap_owner(world, &world->suppliers[0].caps, 4, SUPPLIER_COUNTER, rows[i].supplier_cap, rows[i].used);
    if (rows[i].holder > 0) {
        struct holder *holder = arena_alloc(world->arena, sizeof *holder);

        *holder = (struct holder){.key = number_id(1, rows[i].holder), .lead_id = lead_id(99, 0), .supplier_id = world->suppliers[0].id,
                                  .at_us = NOW_US - rows[i].holder_days * DAY_US};
        map_put(world->facts.holders, uuid_span(&holder->key), holder);
    }
    add_recorded(world, i);
    for (int n = 0; n < rows[i].count; n++)
        make_plan(world, i, n);
}

static void free_world(struct world *world)
{
    map_free(&world->facts.counters);
    map_free(&world->facts.holders);
    map_free(&world->facts.recorded);
    map_free(&world->facts.idempotent);
    arena_free(&world->arena);
}

/* One word for what was decided. */
static void say(const struct world *world, const struct decision *decision, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    if (decision->action == ACTION_REPEAT)
        snprintf(out, room, "repeat");
    else if (decision->action == ACTION_FOLLOW)
        snprintf(out, room, "follow=%d", (int)(decision->follows - world->decisions) + 1);
    else if (decision->action == ACTION_REFUSE)
        snprintf(out, room, "%s", decision->reason == REASON_UNAVAILABLE ? "late" : decision->reason == REASON_IDEMPOTENCY_MISMATCH ? "mismatch" :
                 reason_word(decision->reason));
    else if (decision->state == LEAD_DUPLICATE && uuid_is_nil(&decision->duplicate_of))
        snprintf(out, room, "dup");
    else if (decision->state == LEAD_DUPLICATE)
        snprintf(out, room, "dup=%d", decision->duplicate_of.bytes[15]);
    else if (decision->state == LEAD_REJECTED)
        snprintf(out, room, "%s", decision->reason == REASON_SOURCE_PAUSED ? "paused" : decision->reason == REASON_SOURCE_CAPPED ? "capped" : "bad");
    else if (decision->state == LEAD_UNMATCHED)
        snprintf(out, room, "-");
    else
        for (size_t i = 0; i < decision->sale_count; i++)
            len += (size_t)snprintf(out + len, room - len, "%s%.*s", i > 0 ? "+" : "", SPAN_FMT(decision->sales[i].contract_id));
}

/* What holds whatever was decided. */
static void check_sums(const struct world *world, size_t i)
{
    int64_t of_a = 0, of_one = 0, of_acme = 0;

    for (int n = 0; n < rows[i].count; n++) {
        const struct decision *decision = &world->decisions[n];
        int64_t price = 0, cost = 0;

        assert_ptr_equal(decision->plan, &world->plans[n]);
        assert_true((decision->action == ACTION_RECORD && decision->state == LEAD_ACCEPTED) == (decision->sale_count > 0));
        for (size_t j = 0; j < decision->sale_count; j++) {
            price += decision->sales[j].price_cents;
            cost += decision->sales[j].cost_cents;
            assert_int_equal(decision->sales[j].lease_ms, 5000);
            if (!decision->plan->lead->is_test) {
                of_a += span_is(decision->sales[j].contract_id, "a");
                of_one += span_is(decision->sales[j].buyer_id, "one");
            }
        }
        of_acme += decision->sale_count > 0 && !decision->plan->lead->is_test && span_is(decision->plan->lead->supplier_id, "acme");
        assert_int_equal(decision->price_cents, price);
        assert_int_equal(decision->cost_cents, cost);
        assert_int_equal(cost, decision->sale_count > 0 && !decision->plan->lead->is_test ? 1000 : 0);
    }
    if (rows[i].a_cap > 0)
        assert_int_equal(world->counters[0].leads[WINDOW_DAY] - rows[i].used, of_a);
    if (rows[i].buyer_cap > 0)
        assert_int_equal(world->counters[2].leads[WINDOW_DAY] - rows[i].used, of_one);
    if (rows[i].source_cap > 0)
        assert_int_equal(world->counters[3].leads[WINDOW_DAY] - rows[i].used, of_acme);
    for (int n = 0; n < 5; n++)
        assert_true(world->counters[n].is_changed == (world->counters[n].leads[WINDOW_TOTAL] > 0));
}

static void leads_are_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        char got[256] = "", word[64];

        make_world(&world, i);
        decide_batch(world.arena, &world.facts, world.plans, (size_t)rows[i].count, world.decisions);
        for (int n = 0; n < rows[i].count; n++) {
            say(&world, &world.decisions[n], word, sizeof word);
            if (n > 0)
                strcat(got, " ");
            strcat(got, word);
        }
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %s, not %s", rows[i].claim, got, rows[i].want);
        check_sums(&world, i);
        free_world(&world);
    }
}

/* Which row of rows[] has that claim. */
static size_t row_of(const char *claim)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].claim, claim) == 0)
            return i;
    fail_msg("no row %s", claim);
    return 0;
}

static void a_sold_lead_holds_its_keys(void **state)
{
    size_t i = row_of("equal leads: the first is sold");
    struct uuid key = number_id(1, 1);
    const struct holder *holder;
    struct world world;

    (void)state;
    make_world(&world, i);
    decide_batch(world.arena, &world.facts, world.plans, 3, world.decisions);
    holder = map_get(world.facts.holders, uuid_span(&key));
    assert_non_null(holder);
    assert_true(holder->is_ours && uuid_is_nil(&holder->seen));
    assert_int_equal(uuid_compare(&holder->lead_id, &world.leads[0].id), 0);
    assert_int_equal(holder->at_us, NOW_US);
    assert_int_equal(holder->expires_us, NOW_US + 30 * DAY_US);
    assert_int_equal(map_count(world.facts.holders), 1);
    free_world(&world);
}

static void an_expired_key_is_replaced_as_it_was_seen(void **state)
{
    size_t i = row_of("an earlier lead, too long ago");
    struct uuid key = number_id(1, 1), before = lead_id(99, 0);
    const struct holder *holder;
    struct world world;

    (void)state;
    make_world(&world, i);
    decide_batch(world.arena, &world.facts, world.plans, 2, world.decisions);
    holder = map_get(world.facts.holders, uuid_span(&key));
    assert_true(holder->is_ours);
    assert_int_equal(uuid_compare(&holder->seen, &before), 0);
    assert_int_equal(uuid_compare(&holder->lead_id, &world.leads[0].id), 0);
    free_world(&world);
}

static void who_did_not_buy_is_told_why(void **state)
{
    static const struct {
        const char *claim;
        int lead;
        enum pass want[3]; /* a, b, c */
    } told[] = {
        {"a lead is sold to the first", 0, {PASS_NONE, PASS_SOLD_OUT, PASS_SOLD_OUT}},
        {"two buyers, not twice the same", 0, {PASS_NONE, PASS_SAME_BUYER, PASS_NONE}},
        {"a cap holds across the batch", 2, {PASS_CONTRACT_CAP, PASS_NONE, PASS_SOLD_OUT}},
        {"the buyer's cap holds over its contracts", 2, {PASS_BUYER_CAP, PASS_BUYER_CAP, PASS_NONE}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        size_t row = row_of(told[i].claim);
        struct world world;
        const struct plan *plan;

        make_world(&world, row);
        decide_batch(world.arena, &world.facts, world.plans, (size_t)rows[row].count, world.decisions);
        plan = &world.plans[told[i].lead];
        for (size_t j = 0; j < 3; j++) {
            enum pass pass = plan->candidates[j].pass;

            if (pass != told[i].want[j] || (plan->candidates[j].full != NULL) != (pass == PASS_CONTRACT_CAP || pass == PASS_BUYER_CAP))
                fail_msg("%s: %zu is %s", told[i].claim, j, pass_word(pass));
        }
        free_world(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_are_decided),
        cmocka_unit_test(a_sold_lead_holds_its_keys),
        cmocka_unit_test(an_expired_key_is_replaced_as_it_was_seen),
        cmocka_unit_test(who_did_not_buy_is_told_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
