/* test_ping_token.c - proto/ping_token.c: what was sealed comes back, nothing else does, and changed fields are seen. */
#include "proto/ping_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct ping_keys keys = {.items = {{1, "the first key: thirty-two bytes."}, {2, "another key, of the same length."}}, .count = 2, .sealing = 1};
static const struct ping_keys foreign = {.items = {{2, "the same number, other bytes.   "}}, .count = 1};
static const struct ping_keys older = {.items = {{1, "the first key: thirty-two bytes."}}, .count = 1};

static struct field fields[] = {{SPAN("zip_code"), VALUE_TEXT, SPAN("75201")}, {SPAN("age"), VALUE_NUMBER, SPAN("42")}, {SPAN("state"), VALUE_TEXT, SPAN("TX")}};

static struct ping_token token_of(struct arena *arena, size_t field_count, struct ping_offer *offers, size_t offer_count)
{
    struct ping_token token = {.ping_id = uuid_v7(1800000000000), .expires_at_ms = 1800000001000, .supplier_id = SPAN("acme"),
                               .campaign_id = SPAN("auto"), .offers = offers, .offer_count = offer_count};

    ping_token_fields(arena, &(struct field_list){fields, field_count}, &token);
    return token;
}

static struct ping_offer offer(const char *contract, const char *buyer, int64_t price_cents, int64_t exclusive_cents)
{
    return (struct ping_offer){span_of(contract), ping_token_hash(span_of(buyer)), price_cents, exclusive_cents};
}

static void comes_back(void **state)
{
    static const struct { size_t fields, offers; bool is_test; } rows[] = {{3, 3, false}, {0, 0, false}, {1, 1, true}, {2, 3, true}};
    struct ping_offer offers[] = {offer("a", "one", 2500, 0), offer("b-2", "two", 0, 1), offer("c", "three", INT64_MAX, INT64_MAX)};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct ping_token token = token_of(arena, rows[i].fields, offers, rows[i].offers), back;
        struct buf *text = buf_new(0);

        token.is_test = rows[i].is_test;
        assert_int_equal(ping_token_seal(&keys, &token, text), rows[i].offers);
        assert_int_equal(ping_token_open(arena, &keys, buf_span(text), &back), PING_TOKEN_GOOD);
        assert_int_equal(uuid_compare(&back.ping_id, &token.ping_id), 0);
        assert_true(back.expires_at_ms == token.expires_at_ms && back.is_test == token.is_test);
        assert_true(span_equal(back.supplier_id, token.supplier_id) && span_equal(back.campaign_id, token.campaign_id));
        assert_int_equal(back.offer_count, rows[i].offers);
        for (size_t n = 0; n < rows[i].offers; n++) {
            assert_true(span_equal(back.offers[n].contract_id, offers[n].contract_id) && back.offers[n].buyer == offers[n].buyer);
            assert_true(back.offers[n].price_cents == offers[n].price_cents && back.offers[n].exclusive_cents == offers[n].exclusive_cents);
        }
        assert_true(ping_token_agrees(arena, &back, &(struct field_list){fields, rows[i].fields}));
        assert_int_equal(ping_token_offers(&back, SPAN("one")), rows[i].offers > 0);
        assert_false(ping_token_offers(&back, SPAN("four")));
        buf_free(&text);
        arena_free(&arena);
    }
}

static void two_are_never_alike(void **state)
{
    struct arena *arena = arena_new();
    struct ping_token token = token_of(arena, 3, NULL, 0);
    struct buf *one = buf_new(0), *two = buf_new(0);

    (void)state;
    ping_token_seal(&keys, &token, one);
    ping_token_seal(&keys, &token, two);
    assert_int_equal(one->len, two->len);
    assert_memory_not_equal(one->data, two->data, one->len);
    buf_free(&one);
    buf_free(&two);
    arena_free(&arena);
}

/* Every bit of it. */
static void no_change_is_missed(void **state)
{
    struct arena *arena = arena_new();
    struct ping_offer offers[] = {offer("a", "one", 2500, 0)};
    struct ping_token token = token_of(arena, 2, offers, 1), back;
    struct buf *text = buf_new(0), *bytes = buf_new(0), *changed = buf_new(0);

    (void)state;
    ping_token_seal(&keys, &token, text);
    assert_int_equal(digest_unbase64url(buf_span(text), bytes), 0);
    for (size_t bit = 0; bit < 8 * bytes->len; bit++) {
        bytes->data[bit / 8] ^= (char)(1 << bit % 8);
        changed->len = 0;
        digest_base64url(buf_span(bytes), changed);
        if (ping_token_open(arena, &keys, buf_span(changed), &back) == PING_TOKEN_GOOD)
            fail_msg("bit %zu", bit);
        bytes->data[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t len = 0; len < text->len; len++)
        if (ping_token_open(arena, &keys, (struct span){text->data, len}, &back) == PING_TOKEN_GOOD)
            fail_msg("cut at %zu", len);
    buf_add_text(text, "A");
    assert_int_equal(ping_token_open(arena, &keys, buf_span(text), &back), PING_TOKEN_BAD);
    buf_free(&text);
    buf_free(&bytes);
    buf_free(&changed);
    arena_free(&arena);
}

static void keys_matter(void **state)
{
    struct arena *arena = arena_new();
    struct ping_token token = token_of(arena, 1, NULL, 0), back;
    struct buf *text = buf_new(0);

    (void)state;
    ping_token_seal(&keys, &token, text);
    assert_int_equal(ping_token_open(arena, &foreign, buf_span(text), &back), PING_TOKEN_BAD);
    assert_int_equal(ping_token_open(arena, &older, buf_span(text), &back), PING_TOKEN_NO_KEY);
    assert_int_equal(ping_token_open(arena, &(struct ping_keys){.count = 0}, buf_span(text), &back), PING_TOKEN_NO_KEY);
    text->len = 0;
    ping_token_seal(&older, &token, text);
    assert_int_equal(ping_token_open(arena, &keys, buf_span(text), &back), PING_TOKEN_GOOD);
    buf_free(&text);
    arena_free(&arena);
}

static void what_is_none(void **state)
{
    static const char *const rows[] = {"", "x", "AQE", "not base64!", "AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct arena *arena = arena_new();
    struct ping_token back;
    char *large = arena_alloc(arena, PING_TOKEN_BYTES_MOST + 4);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (ping_token_open(arena, &keys, span_of(rows[i]), &back) != PING_TOKEN_BAD)
            fail_msg("%s", rows[i]);
    memset(large, 'A', PING_TOKEN_BYTES_MOST + 4);
    assert_int_equal(ping_token_open(arena, &keys, (struct span){large, PING_TOKEN_BYTES_MOST + 4}, &back), PING_TOKEN_BAD);
    arena_free(&arena);
}

#define S SPAN
static const struct {
    const char *claim;
    bool agrees;
    struct field post[5];
} posts[] = {
    {"the same, in another order", true, {{S("age"), VALUE_NUMBER, S("42")}, {S("state"), VALUE_TEXT, S("TX")}, {S("zip_code"), VALUE_TEXT, S("75201")}}},
    {"more of them", true, {{S("age"), VALUE_NUMBER, S("42")}, {S("phone"), VALUE_TEXT, S("+1")}, {S("state"), VALUE_TEXT, S("TX")}, {S("zip_code"), VALUE_TEXT, S("75201")}}},
    {"one is changed", false, {{S("age"), VALUE_NUMBER, S("43")}, {S("state"), VALUE_TEXT, S("TX")}, {S("zip_code"), VALUE_TEXT, S("75201")}}},
    {"one is missing", false, {{S("age"), VALUE_NUMBER, S("42")}, {S("state"), VALUE_TEXT, S("TX")}}},
    {"values have changed places", false, {{S("age"), VALUE_NUMBER, S("42")}, {S("state"), VALUE_TEXT, S("75201")}, {S("zip_code"), VALUE_TEXT, S("TX")}}},
    {"nothing", false, {{{NULL, 0}, VALUE_TEXT, {NULL, 0}}}},
};

static void changed_fields_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        struct arena *arena = arena_new();
        struct ping_token token = token_of(arena, 3, NULL, 0);
        struct field_list list = {(struct field *)posts[i].post, 0};

        while (list.items[list.count].name.ptr != NULL)
            list.count++;
        if (ping_token_agrees(arena, &token, &list) != posts[i].agrees)
            fail_msg("%s", posts[i].claim);
        arena_free(&arena);
    }
}

/* It has to fit into a field; what does not fit is not offered. */
static void it_always_fits(void **state)
{
    struct arena *arena = arena_new();
    struct field *many = arena_alloc(arena, FIELDS_MOST * sizeof *many);
    struct ping_offer *offers = arena_alloc(arena, 200 * sizeof *offers);
    static const char longest[] = "0123456789012345678901234567890123456789012345678901234567890123";
    struct ping_token token = {.supplier_id = SPAN(longest), .campaign_id = SPAN(longest), .offers = offers, .offer_count = 200}, back;
    struct buf *text = buf_new(0);
    size_t fitting;

    (void)state;
    for (size_t i = 0; i < FIELDS_MOST; i++)
        many[i] = (struct field){arena_printf(arena, "field_%zu", i), VALUE_TEXT, SPAN("x")};
    for (size_t i = 0; i < 200; i++)
        offers[i] = offer(longest, longest, 9999999, 9999999);
    ping_token_fields(arena, &(struct field_list){many, FIELDS_MOST}, &token);
    fitting = ping_token_seal(&keys, &token, text);
    assert_in_range(fitting, 14, 40);
    assert_in_range(text->len, 0, PING_TOKEN_BYTES_MOST);
    assert_int_equal(ping_token_open(arena, &keys, buf_span(text), &back), PING_TOKEN_GOOD);
    assert_int_equal(back.offer_count, fitting);
    assert_true(ping_token_agrees(arena, &back, &(struct field_list){many, FIELDS_MOST}));
    buf_free(&text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back), cmocka_unit_test(two_are_never_alike), cmocka_unit_test(no_change_is_missed), cmocka_unit_test(keys_matter),
        cmocka_unit_test(what_is_none), cmocka_unit_test(changed_fields_are_seen), cmocka_unit_test(it_always_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
