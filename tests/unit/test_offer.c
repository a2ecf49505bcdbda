/*
 * test_offer.c - router/plan.c, offer.c, quote.c and decide.c: what a ping is offered, what a post may be sold by, bids and exclusive prices.
 *
 * Contracts a, b, c of buyers one, two, three, in that order of priority.
 */
#include "router/plan.h"
#include "router/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CONTRACTS = 3, COUNTER = 100 };
static const int64_t NOW_US = INT64_C(1800000000000000);
static const struct ping_keys keys = {.items = {{1, "thirty-two bytes for this key..."}}, .count = 1};
static const struct ping_keys no_keys = {.count = 0};

/* What there is: 0 means the usual. */
struct setting {
    int prices[CONTRACTS];     /* 2500, 2000, 1500; below 0: paused */
    int exclusive[CONTRACTS];
    int leads_left[CONTRACTS]; /* n + 1 stands for n, 0: no cap */
    int cents_left[CONTRACTS]; /* the same of money */
    int source_left;
    int max_sells;
    enum distribution distribution;
    const char *bids;          /* of one, two, three: a number, - for none; "": nobody was asked; NULL: nobody sells by bids */
    bool is_ping_post;
    enum lead_mode mode;
    const char *offers;        /* of the ping that the lead names: "b2000 a2500"; NULL: it names none */
    const char *wanted;        /* flo_buyer_id */
};

struct world {
    struct arena *arena;
    struct counter counters[CONTRACTS + 1];
    struct cap caps[CONTRACTS + 1][2];
    struct buyer buyers[CONTRACTS];
    struct contract contracts[CONTRACTS];
    struct supplier supplier;
    struct source source;
    struct campaign campaign;
    struct catalog catalog;
    struct lead lead;
    struct plan plan;
    struct facts facts;
    struct decision decision;
    struct quote quotes[CONTRACTS];
};

static void own(struct world *world, struct cap_owner *owner, int place, int leads, int cents)
{
    struct counter *counter = &world->counters[place];

    counter->id = COUNTER + place;
    map_put(world->facts.counters, (struct span){(const char *)&counter->id, sizeof counter->id}, counter);
    if (leads > 0)
        world->caps[place][owner->cap_count++] = (struct cap){WINDOW_DAY, leads - 1, -1};
    if (cents > 0)
        world->caps[place][owner->cap_count++] = (struct cap){WINDOW_DAY, -1, cents - 1};
    owner->caps = world->caps[place];
    owner->counter_id = counter->id;
}

static struct span name_of(int n)
{
    static const struct span names[] = {{"one", 3}, {"two", 3}, {"three", 5}};

    return names[n];
}

/* "b2000 a2500" as a ping id. */
static struct span sealed(struct world *world, const char *text)
{
    struct ping_offer offers[CONTRACTS];
    struct ping_token token = {.ping_id = uuid_v7(NOW_US / 1000), .expires_at_ms = NOW_US / 1000 + 1000, .supplier_id = SPAN("acme"),
                               .campaign_id = SPAN("auto"), .offers = offers};
    struct buf *out = buf_new(0);
    struct span copy;
    char *end;

    for (; *text != '\0'; text = *end == ' ' ? end + 1 : end) {
        int n = text[0] - 'a';

        offers[token.offer_count++] = (struct ping_offer){{&"abc"[n], 1}, ping_token_hash(name_of(n)), strtol(text + 1, &end, 10), world->contracts[n].exclusive_cents};
    }
    ping_token_fields(world->arena, &(struct field_list){NULL, 0}, &token);
    ping_token_seal(&keys, &token, out);
    copy = arena_copy(world->arena, buf_span(out));
    buf_free(&out);
    return copy;
}

static size_t read_bids(struct world *world, const char *bids)
{
    char *end;
    int n = 0;

    for (; *bids != '\0'; n++) {
        world->quotes[n] = (struct quote){.buyer_id = name_of(n), .outcome = BID_OUTCOME_LATE, .took_ms = 300};
        if (*bids != '-')
            world->quotes[n] = (struct quote){name_of(n), BID_OUTCOME_BID, strtol(bids, &end, 10), 12};
        else
            end = (char *)(uintptr_t)bids + 1;
        bids = *end == ' ' ? end + 1 : end;
    }
    return (size_t)n;
}

static void open_world(struct world *world, const struct setting *setting)
{
    static const int usual[] = {2500, 2000, 1500};
    struct quotes quotes = {world->quotes, 0};

    memset(world, 0, sizeof *world);
    world->arena = arena_new();
    world->facts = (struct facts){.now_us = NOW_US, .counters = map_new(), .holders = map_new(), .recorded = map_new(), .idempotent = map_new(), .uses = map_new()};
    for (int n = 0; n < CONTRACTS; n++) {
        int price = setting->prices[n] != 0 ? setting->prices[n] : usual[n];

        world->buyers[n] = (struct buyer){.id = name_of(n), .is_active = true, .url = "", .ping_url = setting->bids != NULL ? "http://b/" : ""};
        world->contracts[n] = (struct contract){.id = {&"abc"[n], 1}, .buyer = &world->buyers[n], .is_active = price > 0, .price_cents = price > 0 ? price : 0,
                                                .exclusive_cents = setting->exclusive[n], .priority = n, .weight = 1};
        own(world, &world->contracts[n].caps, n, setting->leads_left[n], setting->cents_left[n]);
    }
    world->supplier = (struct supplier){.id = SPAN("acme"), .is_active = true};
    world->source = (struct source){.supplier_id = SPAN("acme"), .supplier = &world->supplier, .is_active = true, .cost = {COST_FIXED, 100, 0}};
    own(world, &world->source.caps, CONTRACTS, setting->source_left, 0);
    world->campaign = (struct campaign){.id = SPAN("auto"), .is_active = true, .contracts = world->contracts, .contract_count = CONTRACTS,
                                        .sources = &world->source, .source_count = 1, .distribution = setting->distribution,
                                        .max_sells = setting->max_sells > 0 ? setting->max_sells : 1, .is_ping_post = setting->is_ping_post};
    world->catalog = (struct catalog){.campaigns = &world->campaign, .campaign_count = 1};
    world->lead = (struct lead){.id = uuid_v7(NOW_US / 1000), .supplier_id = SPAN("acme"), .campaign_id = SPAN("auto"), .mode = setting->mode,
                                .wanted_buyer_id = span_of(setting->wanted)};
    if (setting->offers != NULL)
        world->lead.ping_id = sealed(world, setting->offers);
    if (setting->bids != NULL)
        quotes.count = read_bids(world, setting->bids);
    plan_make(world->arena, &world->catalog, &keys, &world->lead, setting->bids != NULL && quotes.count == 0 ? NULL : &quotes, &world->plan);
}

static void close_world(struct world *world)
{
    map_free(&world->facts.counters);
    map_free(&world->facts.holders);
    map_free(&world->facts.recorded);
    map_free(&world->facts.idempotent);
    map_free(&world->facts.uses);
    arena_free(&world->arena);
}

static const struct {
    const char *claim;
    const char *want; /* "a2500+b2000", "-" unmatched, or the error; then, behind a bar, why the others did not buy */
    struct setting given;
} posts[] = {
    {"no ping, none needed", "a2500 |b=sold_out c=sold_out", {.max_sells = 1}},
    {"a ping is needed", "ping_required", {.is_ping_post = true}},
    {"or both in one call", "a2500 |b=sold_out c=sold_out", {.is_ping_post = true, .mode = MODE_FULL}},
    {"in the order of the ping, at its prices", "c9900 |a=sold_out b=not_offered", {.is_ping_post = true, .offers = "c9900 a2400"}},
    {"also where prices decide", "b100 |a=sold_out c=not_offered", {.distribution = DISTRIBUTION_HIGHEST_BID, .offers = "b100 a900"}},
    {"the first is full: the next of the ping", "b2000 |a=contract_cap c=not_offered", {.leads_left = {1}, .offers = "a2500 b2000"}},
    {"a budget is judged by the locked price", "b2000 |a=contract_cap c=not_offered", {.cents_left = {2600}, .offers = "a2600 b2000"}},
    {"the first is paused", "b2000 |a=contract_paused c=not_offered", {.prices = {-1}, .offers = "a2500 b2000"}},
    {"nobody of the ping is left, others do not matter", "- |a=contract_cap b=not_offered c=not_offered", {.leads_left = {1}, .offers = "a2500"}},
    {"the buyer that the supplier wants", "b2000 |a=other_buyer c=not_offered", {.offers = "a2500 b2000", .wanted = "two"}},
    {"it is full: nobody else", "- |a=other_buyer b=contract_cap c=not_offered", {.leads_left = {0, 1}, .offers = "a2500 b2000", .wanted = "two"}},
    {"one that was not offered", "ping_mismatch", {.offers = "a2500 b2000", .wanted = "three"}},
    {"a buyer is wanted without a ping", "b2000 |a=other_buyer c=other_buyer", {.wanted = "two"}},
    {"a buyer is wanted that there is not", "- |a=other_buyer b=other_buyer c=other_buyer", {.wanted = "nobody"}},
    {"a ping that offered nobody", "- |a=not_offered b=not_offered c=not_offered", {.offers = ""}},
    {"two of the ping", "c9900+b10 |a=sold_out", {.max_sells = 2, .offers = "c9900 b10 a2500"}},
    {"turns do not change a ping's order", "c1500 |a=not_offered b=sold_out", {.distribution = DISTRIBUTION_ROUND_ROBIN, .offers = "c1500 b2000"}},

    {"bids decide the price, the campaign's order stays", "a900 |b=sold_out c=no_bid", {.bids = "900 1800 -", .is_ping_post = true, .mode = MODE_FULL}},
    {"the highest bid", "b1800 |a=sold_out c=no_bid", {.bids = "900 1800 -", .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"the best two bids", "b1800+c1700 |a=sold_out", {.bids = "900 1800 1700", .distribution = DISTRIBUTION_HIGHEST_BID, .max_sells = 2}},
    {"no bids, no sale", "- |a=no_bid b=no_bid c=no_bid", {.bids = "- - -", .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"who was not asked has not bid", "a900 |b=no_bid c=no_bid", {.bids = "900", .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"a bid beyond the budget", "b1800 |a=contract_cap c=no_bid", {.bids = "9000 1800 -", .cents_left = {9000}, .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"bids matter on these campaigns only", "a2500 |b=sold_out c=sold_out", {.bids = "900 1800 -"}},
    {"a post is sold by its ping, not by new bids", "a2500 |b=not_offered c=not_offered", {.bids = "- - -", .is_ping_post = true, .offers = "a2500"}},

    {"an exclusive price of more than two shares", "c4501 |a=exclusive b=exclusive", {.max_sells = 2, .exclusive = {0, 0, 4501}}},
    {"of as much: they share", "a2500+b2000 |c=sold_out", {.max_sells = 2, .exclusive = {0, 0, 4500}}},
    {"the best of two", "b5000 |a=exclusive c=contract_paused", {.max_sells = 3, .exclusive = {4900, 5000, 9999}, .prices = {0, 0, -1}}},
    {"no room for the exclusive price", "a2500+b2000 |c=sold_out", {.max_sells = 2, .exclusive = {0, 0, 4501}, .cents_left = {0, 0, 4501}}},
    {"one sells to one anyway", "a2500 |b=sold_out c=sold_out", {.exclusive = {9000, 9000, 9000}}},
    {"who shares may be exclusive, too", "a6000 |b=exclusive c=exclusive", {.max_sells = 2, .exclusive = {6000}}},
    {"against bids", "c5000 |a=exclusive b=exclusive", {.bids = "900 1800 100", .distribution = DISTRIBUTION_HIGHEST_BID, .max_sells = 2, .exclusive = {0, 0, 5000}}},
    {"as it was offered", "a9000 |b=exclusive c=not_offered", {.max_sells = 2, .exclusive = {9000}, .offers = "b2000 a2500"}},
    {"not to the one who is wanted", "a2500 |b=other_buyer c=not_offered", {.max_sells = 2, .exclusive = {9000}, .offers = "b2000 a2500", .wanted = "one"}},
    {"turns", "c9000 |a=exclusive b=exclusive", {.max_sells = 2, .exclusive = {0, 0, 9000}, .distribution = DISTRIBUTION_ROUND_ROBIN}},
};

/* "a2500+b2000 |c=sold_out" */
static void say(const struct world *world, char *out, size_t room)
{
    const struct decision *decision = &world->decision;
    size_t len = 0;

    if (decision->state == LEAD_REJECTED) {
        snprintf(out, room, "%s", reason_word(decision->reason));
        return;
    }
    if (decision->sale_count == 0)
        len += (size_t)snprintf(out, room, "-");
    for (size_t i = 0; i < decision->sale_count; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%.*s%lld", i > 0 ? "+" : "", SPAN_FMT(decision->sales[i].contract_id), (long long)decision->sales[i].price_cents);
    len += (size_t)snprintf(out + len, room - len, " |");
    for (char id = 'a'; id <= 'c'; id++)
        for (size_t i = 0; i < world->plan.candidate_count; i++)
            if (world->plan.candidates[i].contract->id.ptr[0] == id && world->plan.candidates[i].pass != PASS_NONE)
                len += (size_t)snprintf(out + len, room - len, "%s%c=%s", out[len - 1] == '|' ? "" : " ", id, pass_word(world->plan.candidates[i].pass));
}

static void posts_are_sold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        struct world world;
        int64_t leads = 0, cents = 0, credit = 0;
        char got[256];

        open_world(&world, &posts[i].given);
        decide_batch(world.arena, &world.facts, &world.plan, 1, &world.decision);
        say(&world, got, sizeof got);
        if (strcmp(got, posts[i].want) != 0)
            fail_msg("%s: %s, not %s", posts[i].claim, got, posts[i].want);
        for (int n = 0; n < CONTRACTS; n++) {
            leads += world.counters[n].leads[WINDOW_DAY];
            cents += world.counters[n].cents[WINDOW_DAY];
            credit += world.counters[n].turn_credit;
        }
        if (leads != (int64_t)world.decision.sale_count || cents != world.decision.price_cents || credit != 0)
            fail_msg("%s: counted %lld and %lld, credit %lld", posts[i].claim, (long long)leads, (long long)cents, (long long)credit);
        if (map_count(world.facts.uses) != (posts[i].given.offers != NULL && world.decision.sale_count > 0))
            fail_msg("%s: the ping is used up, or not", posts[i].claim);
        close_world(&world);
    }
}

static const struct {
    const char *claim;
    const char *want; /* who would buy, best first; then what is said when nobody does */
    struct setting given;
} pings[] = {
    {"all who would", "a2500 b2000 c1500", {.max_sells = 1}},
    {"by price", "c9000 a2500 b2000", {.prices = {0, 0, 9000}, .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"not the full ones", "b2000", {.leads_left = {1, 0, 1}}},
    {"not the paused ones", "a2500", {.prices = {0, -1, -1}}},
    {"all are full", "capped", {.leads_left = {1, 1, 1}}},
    {"those who would buy are full", "capped", {.leads_left = {1, 1}, .prices = {0, 0, -1}}},
    {"nobody would buy", "no_buyer", {.prices = {-1, -1, -1}}},
    {"the source is full", "source_capped", {.source_left = 1}},
    {"by turns", "a2500 b2000 c1500", {.distribution = DISTRIBUTION_ROUND_ROBIN}},
    {"bids", "b800 a500", {.bids = "500 800 -", .distribution = DISTRIBUTION_HIGHEST_BID}},
    {"nobody bids", "no_buyer", {.bids = "- - -", .is_ping_post = true}},
    {"bids that nobody has room for", "capped", {.bids = "500 - -", .cents_left = {500}, .is_ping_post = true}},
    {"to be asked: who has room for a cent", "a1? b1?", {.bids = "", .is_ping_post = true, .cents_left = {2, 0, 1}}},
    {"who has no room for a lead is not asked", "b1? c1?", {.bids = "", .is_ping_post = true, .leads_left = {1}}},
};

static void pings_are_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pings / sizeof *pings; i++) {
        struct setting given = pings[i].given;
        struct world world;
        size_t len = 0;
        char got[256] = "";

        given.mode = MODE_PING;
        open_world(&world, &given);
        decide_ping(world.arena, &world.facts, &world.plan, &world.decision);
        for (size_t n = 0; n < world.plan.eligible_count; n++) {
            const struct candidate *candidate = &world.plan.candidates[n];

            if (world.decision.reason == REASON_NONE && candidate->pass == PASS_NONE)
                len += (size_t)snprintf(got + len, sizeof got - len, "%s%c%lld%s", len > 0 ? " " : "", candidate->contract->id.ptr[0],
                                        (long long)candidate->price_cents, candidate->sells_by_bid && pings[i].given.bids[0] == '\0' ? "?" : "");
        }
        if (world.decision.reason == REASON_UNMATCHED)
            snprintf(got + len, sizeof got - len, "%s", world.decision.is_full ? "capped" : "no_buyer");
        else if (world.decision.reason != REASON_NONE)
            snprintf(got + len, sizeof got - len, "%s", reason_word(world.decision.reason));
        if (strcmp(got, pings[i].want) != 0)
            fail_msg("%s: %s, not %s", pings[i].claim, got, pings[i].want);
        for (int n = 0; n <= CONTRACTS; n++)
            if (world.counters[n].is_changed || world.counters[n].turn_credit != 0)
                fail_msg("%s: a counter is changed", pings[i].claim);
        close_world(&world);
    }
}

static void a_ping_is_used_once_in_a_batch(void **state)
{
    struct setting setting = {.offers = "a2500"};
    struct plan plans[2];
    struct decision decisions[2];
    struct world world;
    struct lead again;

    (void)state;
    open_world(&world, &setting);
    again = world.lead;
    again.id = uuid_v7(NOW_US / 1000);
    plans[0] = world.plan;
    plan_make(world.arena, &world.catalog, &keys, &again, NULL, &plans[1]);
    decide_batch(world.arena, &world.facts, plans, 2, decisions);
    assert_int_equal(decisions[0].state, LEAD_ACCEPTED);
    assert_int_equal(decisions[1].reason, REASON_PING_USED);
    assert_int_equal(uuid_compare(&decisions[1].use->lead_id, &world.lead.id), 0);
    assert_true(span_is(decisions[1].use->buyer_id, "one") && span_is(decisions[1].use->status, "ACCEPTED"));
    assert_int_equal(decisions[1].use->expires_us, (plans[0].ping->expires_at_ms + 3600000) * 1000);
    close_world(&world);
}

static void time_and_keys(void **state)
{
    struct setting setting = {.offers = "a2500"};
    struct world world;

    (void)state;
    open_world(&world, &setting);
    world.facts.now_us = world.plan.ping->expires_at_ms * 1000;
    world.lead.id = uuid_v7(world.facts.now_us / 1000);
    decide_batch(world.arena, &world.facts, &world.plan, 1, &world.decision);
    assert_int_equal(world.decision.reason, REASON_PING_EXPIRED);
    plan_make(world.arena, &world.catalog, &no_keys, &world.lead, NULL, &world.plan);
    assert_true(world.plan.lacks_ping_key);
    decide_batch(world.arena, &world.facts, &world.plan, 1, &world.decision);
    assert_int_equal(world.decision.reason, REASON_PING_MISMATCH);
    world.lead.supplier_id = SPAN("other");
    plan_make(world.arena, &world.catalog, &keys, &world.lead, NULL, &world.plan);
    assert_int_equal(world.plan.verdict, REASON_CAMPAIGN_NOT_FOUND); /* no source of theirs */
    world.lead.supplier_id = SPAN("acme");
    world.lead.is_test = true;
    plan_make(world.arena, &world.catalog, &keys, &world.lead, NULL, &world.plan);
    assert_int_equal(world.plan.ping_fault, REASON_PING_MISMATCH);
    close_world(&world);
}

static void who_has_to_be_asked(void **state)
{
    static const struct { const char *claim; struct setting given; bool is_needed; } rows[] = {
        {"the highest bid", {.bids = "", .distribution = DISTRIBUTION_HIGHEST_BID}, true},
        {"ping and post in one", {.bids = "", .is_ping_post = true, .mode = MODE_FULL}, true},
        {"a ping", {.bids = "", .is_ping_post = true, .mode = MODE_PING}, true},
        {"a post without a ping is refused anyway", {.bids = "", .is_ping_post = true}, false},
        {"a post with its ping", {.bids = "", .is_ping_post = true, .offers = "a1"}, false},
        {"other campaigns", {.bids = ""}, false},
        {"nobody bids", {.distribution = DISTRIBUTION_HIGHEST_BID}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;

        open_world(&world, &rows[i].given);
        if (plan_needs_bids(&world.catalog, &world.lead) != rows[i].is_needed)
            fail_msg("%s", rows[i].claim);
        world.lead.reason = SPAN("filtered");
        assert_false(plan_needs_bids(&world.catalog, &world.lead));
        close_world(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_are_sold), cmocka_unit_test(pings_are_offered), cmocka_unit_test(a_ping_is_used_once_in_a_batch),
        cmocka_unit_test(time_and_keys), cmocka_unit_test(who_has_to_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
