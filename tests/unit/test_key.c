/* test_key.c - proto/key.c: equal things have equal keys, and no others. */
#include "proto/key.h"

#include "common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t secret[32] = "an installation's secret, 32 by";
static const uint8_t other_secret[32] = "an installation's secret, 32 bz";

/* One key to be made: of a duplicate rule with up to three fields, a look-up, or a request. */
struct input {
    enum { DUPLICATE, DUPLICATE_ALL, DUPLICATE_SOLD, LOOKUP, IDEMPOTENCY } kind;
    struct span scope; /* or the supplier, or the buyer */
    struct span names[3], values[3];
    size_t count;
};

static struct uuid key_of(const uint8_t with[32], const struct input *input)
{
    struct span names[3];
    struct duplicate_rule rule = {.fields = names, .field_count = input->count, .window_days = 30};

    memcpy(names, input->names, sizeof names);
    switch (input->kind) {
    case DUPLICATE:
        return key_duplicate(with, AGAINST_ACCEPTED, input->scope, &rule, input->values);
    case DUPLICATE_ALL:
        return key_duplicate(with, AGAINST_ALL, input->scope, &rule, input->values);
    case DUPLICATE_SOLD:
        return key_duplicate(with, AGAINST_SOLD, input->scope, &rule, input->values);
    case LOOKUP:
        return key_lookup(with, input->scope, input->names[0], input->values[0]);
    case IDEMPOTENCY:
        return key_idempotency(with, input->scope, input->names[0], input->values[0]);
    }
    return (struct uuid){{0}};
}

#define S SPAN
/* All of these are different things, many with the same bytes in a row. */
static const struct input different[] = {
    {DUPLICATE, S("c1"), {S("phone")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1"), {S("phone")}, {S("+15551234568")}, 1},
    {DUPLICATE, S("c2"), {S("phone")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1"), {S("email")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1p"), {S("hone")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c"), {S("1phone")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1"), {S("phone+")}, {S("15551234567")}, 1},
    {DUPLICATE, S(""), {S("c1phone")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1phone"), {S("")}, {S("+15551234567")}, 1},
    {DUPLICATE, S("c1"), {S("phone")}, {S("")}, 1},
    {DUPLICATE, S("c1"), {S("phone"), S("+15551234567")}, {S(""), S("")}, 2},
    {DUPLICATE, S("c1"), {S("a"), S("b")}, {S("x"), S("y")}, 2},
    {DUPLICATE, S("c1"), {S("a"), S("b")}, {S("y"), S("x")}, 2},
    {DUPLICATE, S("c1"), {S("a"), S("b")}, {S("xy"), S("")}, 2},
    {DUPLICATE, S("c1"), {S("a"), S("b")}, {S(""), S("xy")}, 2},
    {DUPLICATE, S("c1"), {S("a"), S("xb")}, {S(""), S("y")}, 2},
    {DUPLICATE, S("c1"), {S("a")}, {S("xby")}, 1},
    {DUPLICATE, S("c1"), {S("a")}, {S("x")}, 1},
    {DUPLICATE, S("c1"), {S("a")}, {S("x\0\0\0\1b\0\0\0\1y")}, 1},
    {DUPLICATE, S("c1"), {S("a"), S("b"), S("c")}, {S("x"), S("y"), S("")}, 3},
    {DUPLICATE, S("c1"), {S("a"), S("b"), S("c")}, {S("x"), S(""), S("y")}, 3},
    {DUPLICATE, S("c1"), {S("a")}, {S("X")}, 1},
    {DUPLICATE, S("c1"), {S("a")}, {S("x ")}, 1},
    {DUPLICATE, S("c1"), {S("")}, {S("")}, 0},
    {DUPLICATE_ALL, S("c1"), {S("phone")}, {S("+15551234567")}, 1},
    {DUPLICATE_ALL, S("c2"), {S("phone")}, {S("+15551234567")}, 1},
    {DUPLICATE_SOLD, S("c1"), {S("phone")}, {S("+15551234567")}, 1},
    {DUPLICATE_SOLD, S("c2"), {S("phone")}, {S("+15551234567")}, 1},
    {LOOKUP, S("c1"), {S("phone")}, {S("+15551234567")}, 1},
    {LOOKUP, S("c1"), {S("email")}, {S("+15551234567")}, 1},
    {LOOKUP, S("c2"), {S("phone")}, {S("+15551234567")}, 1},
    {LOOKUP, S("c1phone"), {S("")}, {S("+15551234567")}, 1},
    {LOOKUP, S("c1"), {S("phone+")}, {S("15551234567")}, 1},
    {IDEMPOTENCY, S("c1"), {S("phone")}, {S("+15551234567")}, 1},
    {IDEMPOTENCY, S("c1"), {S("/api/v1/ingest")}, {S("k1")}, 1},
    {IDEMPOTENCY, S("c1"), {S("/api/v1/ping")}, {S("k1")}, 1},
    {IDEMPOTENCY, S("c2"), {S("/api/v1/ingest")}, {S("k1")}, 1},
    {IDEMPOTENCY, S("c1"), {S("/api/v1/ingest")}, {S("k2")}, 1},
    {IDEMPOTENCY, S("c1"), {S("/api/v1/ingestk")}, {S("1")}, 1},
};

static void different_things_have_different_keys(void **state)
{
    size_t count = sizeof different / sizeof *different;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct uuid mine = key_of(secret, &different[i]), theirs = key_of(other_secret, &different[i]);

        if (uuid_compare(&mine, &theirs) == 0)
            fail_msg("row %zu does not depend on the secret", i);
        if (uuid_is_nil(&mine))
            fail_msg("row %zu has no key", i);
        for (size_t j = i + 1; j < count; j++) {
            struct uuid other = key_of(secret, &different[j]);

            if (uuid_compare(&mine, &other) == 0)
                fail_msg("rows %zu and %zu have one key", i, j);
        }
    }
}

static void equal_things_have_equal_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        struct uuid a = key_of(secret, &different[i]), b = key_of(secret, &different[i]);

        assert_int_equal(uuid_compare(&a, &b), 0);
    }
}

/* Keys are stored: the bytes that are hashed are written out here, and may not change. */
static void encoding_is_for_ever(void **state)
{
#define RULE "\0\0\0\x01" "\0\0\0\x05" "phone" "\0\0\0\x0c" "+15551234567"
    static const struct span bytes[] = {
        [DUPLICATE] = S("\0\0\0\x09" "duplicate" "\0\0\0\x02" "c1" RULE), [DUPLICATE_ALL] = S("\0\0\0\x0d" "duplicate_all" "\0\0\0\x02" "c1" RULE),
        [DUPLICATE_SOLD] = S("\0\0\0\x0e" "duplicate_sold" RULE),
    };
    static const char of_buyer[] = "\0\0\0\x0f" "duplicate_buyer" "\0\0\0\x02" "c1";

    (void)state;
    for (int kind = DUPLICATE; kind <= DUPLICATE_SOLD; kind++) {
        uint8_t digest[DIGEST_BYTES], buyers[DIGEST_BYTES];
        struct input input = different[0];
        struct uuid key;

        input.kind = kind;
        key = key_of(secret, &input);
        digest_hmac((struct span){(const char *)secret, 32}, bytes[kind], digest);
        digest_hmac((struct span){(const char *)secret, 32}, SPAN(of_buyer), buyers);
        for (size_t i = 0; kind == DUPLICATE_SOLD && i < sizeof key.bytes; i++)
            digest[i] ^= buyers[i];
        assert_memory_equal(key.bytes, digest, sizeof key.bytes);
    }
}

/* Many buyers' keys are made from one half. */
static void halves_make_the_whole(void **state)
{
    struct span names[] = {SPAN("phone")}, value[] = {SPAN("1")};
    struct duplicate_rule rule = {names, 1, 30};
    struct uuid values = key_duplicate(secret, AGAINST_SOLD, SPAN(""), &rule, value), buyer = key_of_buyer(secret, SPAN("b"));
    struct uuid made = key_for_buyer(&values, &buyer), whole = key_duplicate(secret, AGAINST_SOLD, SPAN("b"), &rule, value);

    (void)state;
    assert_int_equal(uuid_compare(&made, &whole), 0);
}

static void window_is_not_in_the_key(void **state)
{
    struct span names[] = {SPAN("phone")}, value[] = {SPAN("1")};
    struct duplicate_rule month = {names, 1, 30}, year = {names, 1, 365};
    struct uuid a = key_duplicate(secret, AGAINST_ACCEPTED, SPAN("c"), &month, value), b = key_duplicate(secret, AGAINST_ACCEPTED, SPAN("c"), &year, value);

    (void)state;
    assert_int_equal(uuid_compare(&a, &b), 0);
}

static struct field_spec specs[] = {
    {.name = SPAN("age"), .type = FIELD_NUMBER},
    {.name = SPAN("email"), .type = FIELD_EMAIL},
    {.name = SPAN("phone"), .type = FIELD_PHONE},
};
static const struct campaign campaign = {.id = SPAN("c1"), .fields = specs, .field_count = 3};

static const struct {
    const char *claim;
    struct span names[2];
    size_t name_count;
    struct field fields[2];
    size_t field_count;
    bool is_there;
    struct input same; /* the key that it has */
} leads[] = {
    {"one field", {S("phone")}, 1, {{S("phone"), VALUE_TEXT, S("+15551234567")}}, 1, true,
     {DUPLICATE, S("c1"), {S("phone")}, {S("+15551234567")}, 1}},
    {"e-mail is matched in lower case", {S("email")}, 1, {{S("email"), VALUE_TEXT, S("John@example.com")}}, 1, true,
     {DUPLICATE, S("c1"), {S("email")}, {S("john@example.com")}, 1}},
    {"the rule's order, not the lead's", {S("email"), S("phone")}, 2,
     {{S("phone"), VALUE_TEXT, S("+15551234567")}, {S("email"), VALUE_TEXT, S("j@example.com")}}, 2, true,
     {DUPLICATE, S("c1"), {S("email"), S("phone")}, {S("j@example.com"), S("+15551234567")}, 2}},
    {"numbers by their text", {S("age")}, 1, {{S("age"), VALUE_NUMBER, S("42")}}, 1, true,
     {DUPLICATE, S("c1"), {S("age")}, {S("42")}, 1}},
    {"one absent", {S("email"), S("phone")}, 2, {{S("phone"), VALUE_TEXT, S("+15551234567")}}, 1, false, {.count = 0}},
    {"all absent", {S("phone")}, 1, {{.name = {NULL, 0}}}, 0, false, {.count = 0}},
    {"empty is absent", {S("phone")}, 1, {{S("phone"), VALUE_TEXT, S("")}}, 1, false, {.count = 0}},
    {"what the campaign does not define is absent", {S("roof")}, 1, {{S("roof"), VALUE_TEXT, S("tile")}}, 1, false, {.count = 0}},
};

static void leads_have_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        struct arena *arena = arena_new();
        struct span names[2] = {leads[i].names[0], leads[i].names[1]};
        struct duplicate_rule rule = {names, leads[i].name_count, 30};
        struct field fields[2] = {leads[i].fields[0], leads[i].fields[1]};
        struct field_list normal = {fields, leads[i].field_count};
        struct uuid key = {{7}}, want = {{7}};

        if (key_of_lead(secret, arena, AGAINST_ACCEPTED, campaign.id, &campaign, &rule, &normal, &key) != leads[i].is_there)
            fail_msg("%s: there or not?", leads[i].claim);
        if (leads[i].is_there)
            want = key_of(secret, &leads[i].same);
        if (uuid_compare(&key, &want) != 0)
            fail_msg("%s: another key", leads[i].claim);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_things_have_different_keys),
        cmocka_unit_test(equal_things_have_equal_keys),
        cmocka_unit_test(encoding_is_for_ever),
        cmocka_unit_test(halves_make_the_whole),
        cmocka_unit_test(window_is_not_in_the_key),
        cmocka_unit_test(leads_have_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
