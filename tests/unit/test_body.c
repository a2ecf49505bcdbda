/* What a buyer reads: dispatcher/body.h. */
#include "dispatcher/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct delivery delivery(struct field *fields, size_t count)
{
    struct delivery made = {
        .campaign_id = SPAN("campaign_abc123"), .buyer_id = SPAN("buyer_abc"), .price_cents = 2500,
        .sold_at_ms = INT64_C(1795395723456), .attempt = 0, .fields = {fields, count},
    };

    assert_int_equal(uuid_parse(&made.id, SPAN("01938e2a-0000-7000-8000-000000000001")), 0);
    assert_int_equal(uuid_parse(&made.lead_id, SPAN("01938e2a-0000-7000-8000-000000000002")), 0);
    return made;
}

static void expect(const struct delivery *from, const char *want)
{
    struct buf *out = buf_new(0);

    body_print(from, out);
    assert_string_equal(buf_text(out), want);
    buf_free(&out);
}

#define HEAD "{\"type\":\"lead.accepted\",\"timestamp\":\"2026-11-23T01:02:03.456Z\"," \
             "\"data\":{\"id\":\"01938e2a-0000-7000-8000-000000000002\",\"campaign_id\":\"campaign_abc123\"," \
             "\"buyer_id\":\"buyer_abc\","

static void has_the_shape_of_the_contract(void **state)
{
    struct field fields[] = {
        {SPAN("first_name"), VALUE_TEXT, SPAN("John")}, {SPAN("phone"), VALUE_TEXT, SPAN("+15551234567")},
        {SPAN("age"), VALUE_NUMBER, SPAN("42")}, {SPAN("owner"), VALUE_BOOL, SPAN("true")}, {SPAN("smoker"), VALUE_BOOL, SPAN("false")},
    };
    struct delivery made = delivery(fields, 5);

    (void)state;
    expect(&made, HEAD "\"price\":\"25.00\",\"is_test\":false,\"fields\":{\"age\":42,\"first_name\":\"John\",\"owner\":true,"
                       "\"phone\":\"+15551234567\",\"smoker\":false}}}");
}

static void test_leads_are_marked(void **state)
{
    struct delivery made = delivery(NULL, 0);

    (void)state;
    made.is_test = true;
    made.price_cents = 5;
    expect(&made, HEAD "\"price\":\"0.05\",\"is_test\":true,\"fields\":{}}}");
}

/* A frame has the supplier's order, a row has the database's. */
static void order_of_fields_changes_nothing(void **state)
{
    struct field there[] = {{SPAN("b"), VALUE_TEXT, SPAN("2")}, {SPAN("a"), VALUE_TEXT, SPAN("1")}, {SPAN("ab"), VALUE_TEXT, SPAN("3")}};
    struct field back[] = {there[2], there[1], there[0]};
    struct delivery one = delivery(there, 3), other = delivery(back, 3);
    struct buf *left = buf_new(0), *right = buf_new(0);

    (void)state;
    body_print(&one, left);
    body_print(&other, right);
    assert_string_equal(buf_text(left), buf_text(right));
    buf_free(&left);
    buf_free(&right);
}

static const struct {
    const char *text, *want;
} numbers[] = {
    {"0", "0"}, {"-7", "-7"}, {"123456789012345678", "123456789012345678"},
    {"0.5", "0.5"}, {"0.1", "0.1"}, {"0.10000000000000001", "0.1"}, {"1.50", "1.5"}, {"100000.0", "100000"}, {"1e5", "100000"},
    {"-0.0", "0"}, {"3.14159", "3.14159"}, {"1e+24", "1e+24"}, {"1000000000000000000000000", "1e+24"}, {"0.30000000000000004", "0.30000000000000004"},
};

static void a_number_has_one_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct field field = {SPAN("n"), VALUE_NUMBER, span_of(numbers[i].text)};
        struct delivery made = delivery(&field, 1);
        struct buf *out = buf_new(0), *want = buf_new(0);

        body_print(&made, out);
        buf_printf(want, "\"fields\":{\"n\":%s}}}", numbers[i].want);
        if (strstr(buf_text(out), buf_text(want)) == NULL)
            fail_msg("%s: want %s, got %s", numbers[i].text, numbers[i].want, buf_text(out));
        buf_free(&out);
        buf_free(&want);
    }
}

static void text_is_escaped(void **state)
{
    struct field fields[] = {
        {SPAN("note"), VALUE_TEXT, SPAN("say \"hi\" \\ back\nline\ttab\x01")},
        {SPAN("name \"x\""), VALUE_TEXT, SPAN("Zo\xc3\xab \xf0\x9f\x98\x80")},
    };
    struct delivery made = delivery(fields, 2);

    (void)state;
    expect(&made, HEAD "\"price\":\"25.00\",\"is_test\":false,\"fields\":{\"name \\\"x\\\"\":\"Zo\xc3\xab \xf0\x9f\x98\x80\","
                       "\"note\":\"say \\\"hi\\\" \\\\ back\\nline\\ttab\\u0001\"}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_shape_of_the_contract), cmocka_unit_test(test_leads_are_marked),
        cmocka_unit_test(order_of_fields_changes_nothing), cmocka_unit_test(a_number_has_one_form),
        cmocka_unit_test(text_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
