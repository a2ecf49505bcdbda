/* test_event.c - router/event.c: which events a decision makes, and their exact bytes; proto/event.c: sets of types. */
#include "router/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}
#define ID "0193a0b0-0000-7000-8000-000000000001"
#define RECEIVED "2024-12-07T10:35:09.184Z"
#define NOT_SOLD ",\"price\":null,\"cost\":null,\"buyers\":[],"

static struct field_error wrong_fields[] = {{S("phone"), S("invalid_format"), {NULL, 0}, S("Mrs. Doe")}, {S("a\"b"), S("required"), {NULL, 0}, S("x")}};
static struct field_error wrong_filters[] = {{S("state"), S(""), S("IN"), S("TX")}};
static struct sale sales[] = {{.buyer_id = S("buyer_abc"), .contract_id = S("abc-tx"), .price_cents = 2500},
                              {.buyer_id = S("buyer_def"), .contract_id = S("def"), .price_cents = 5}};
static struct try asked;

static const struct {
    const char *claim;
    enum action action;
    enum lead_state state;
    bool is_asking, is_nameless, is_test;
    size_t sold;
    enum reason verdict, reason;
    struct field_error *errors;
    size_t error_count;
    const char *types; /* words of the events */
    const char *data;  /* of the last, behind the supplier */
} rows[] = {
    {.claim = "sold to two", .state = LEAD_ACCEPTED, .sold = 2, .types = "lead.created lead.accepted",
     .data = "\"status\":\"ACCEPTED\",\"is_test\":false,\"received_at\":\"" RECEIVED "\",\"price\":\"25.05\",\"cost\":\"10.00\",\"buyers\":["
             "{\"buyer_id\":\"buyer_abc\",\"contract_id\":\"abc-tx\",\"price\":\"25.00\"},{\"buyer_id\":\"buyer_def\",\"contract_id\":\"def\",\"price\":\"0.05\"}],"
             "\"reasons\":[]"},
    {.claim = "a test lead that nobody buys", .state = LEAD_UNMATCHED, .is_test = true, .reason = REASON_UNMATCHED, .types = "lead.created lead.unmatched",
     .data = "\"status\":\"UNMATCHED\",\"is_test\":true,\"received_at\":\"" RECEIVED "\"" NOT_SOLD "\"reasons\":[{\"code\":\"unmatched\",\"field\":null}]"},
    {.claim = "wrong fields are named, what was sent is not", .state = LEAD_REJECTED, .is_nameless = true, .verdict = REASON_VALIDATION_FAILED,
     .reason = REASON_VALIDATION_FAILED, .errors = wrong_fields, .error_count = 2, .types = "lead.created lead.rejected",
     .data = "\"status\":\"REJECTED\",\"is_test\":false,\"received_at\":\"" RECEIVED "\"" NOT_SOLD "\"reasons\":[{\"code\":\"invalid_format\",\"field\":\"phone\"},"
             "{\"code\":\"required\",\"field\":\"a\\\"b\"}]"},
    {.claim = "a filter's reason", .state = LEAD_REJECTED, .verdict = REASON_FILTERED, .reason = REASON_FILTERED, .errors = wrong_filters, .error_count = 1,
     .types = "lead.created lead.rejected",
     .data = "\"status\":\"REJECTED\",\"is_test\":false,\"received_at\":\"" RECEIVED "\"" NOT_SOLD "\"reasons\":[{\"code\":\"filtered\",\"field\":\"state\"}]"},
    {.claim = "a duplicate is rejected", .state = LEAD_DUPLICATE, .reason = REASON_DUPLICATE, .types = "lead.created lead.rejected",
     .data = "\"status\":\"DUPLICATE\",\"is_test\":false,\"received_at\":\"" RECEIVED "\"" NOT_SOLD "\"reasons\":[{\"code\":\"duplicate\",\"field\":null}]"},
    {.claim = "a buyer is asked", .state = LEAD_DISTRIBUTING, .is_asking = true, .types = "lead.created",
     .data = "\"status\":\"DISTRIBUTING\",\"is_test\":false,\"received_at\":\"" RECEIVED "\"" NOT_SOLD "\"reasons\":[]"},
    {.claim = "and the next", .action = ACTION_STEP, .state = LEAD_DISTRIBUTING, .is_asking = true, .types = ""},
    {.claim = "and it was sold", .action = ACTION_STEP, .state = LEAD_ACCEPTED, .sold = 1, .types = "lead.accepted",
     .data = "\"status\":\"ACCEPTED\",\"is_test\":false,\"received_at\":\"" RECEIVED "\",\"price\":\"25.05\",\"cost\":\"10.00\",\"buyers\":["
             "{\"buyer_id\":\"buyer_abc\",\"contract_id\":\"abc-tx\",\"price\":\"25.00\"}],\"reasons\":[]"},
    {.claim = "or not", .action = ACTION_STEP, .state = LEAD_UNMATCHED, .reason = REASON_UNMATCHED, .types = "lead.unmatched"},
    {.claim = "a repetition changes nothing", .action = ACTION_REPEAT, .state = LEAD_ACCEPTED, .types = ""},
    {.claim = "nor does one that follows", .action = ACTION_FOLLOW, .state = LEAD_ACCEPTED, .types = ""},
    {.claim = "nor a refusal that leaves no lead", .action = ACTION_REFUSE, .state = LEAD_REJECTED, .types = ""},
    {.claim = "nor one that waits", .action = ACTION_WAIT, .state = LEAD_DISTRIBUTING, .types = ""},
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lead lead = {.supplier_id = SPAN("supplier_xyz789"), .is_test = rows[i].is_test, .errors = {rows[i].errors, rows[i].error_count}};
        struct plan plan = {.lead = &lead, .verdict = rows[i].verdict};
        struct decision decision = {
            .plan = &plan, .action = rows[i].action, .reason = rows[i].reason, .state = rows[i].state, .sales = sales, .sale_count = rows[i].sold,
            .price_cents = 2505, .cost_cents = 1000, .asked = rows[i].is_asking ? &asked : NULL,
        };
        enum event_type types[EVENTS_MOST];
        struct buf *words = buf_new(64), *body = buf_new(64), *want = buf_new(64);
        size_t count;

        uuid_parse(&lead.id, SPAN(ID));
        if (!rows[i].is_nameless)
            lead.campaign_id = SPAN("campaign_abc123");
        count = event_types(&decision, types);
        for (size_t k = 0; k < count; k++)
            buf_printf(words, "%s%s", k > 0 ? " " : "", event_word(types[k]));
        if (strcmp(buf_text(words), rows[i].types) != 0)
            fail_msg("%s: %s, not %s", rows[i].claim, buf_text(words), rows[i].types);
        if (rows[i].data != NULL) {
            event_print(&decision, types[count - 1], INT64_C(1733580220288999), body);
            buf_printf(want, "{\"type\":\"%s\",\"timestamp\":\"2024-12-07T14:03:40.288Z\",\"data\":{\"id\":\"" ID "\",\"campaign_id\":%s,"
                       "\"supplier_id\":\"supplier_xyz789\",%s}}", event_word(types[count - 1]), rows[i].is_nameless ? "null" : "\"campaign_abc123\"", rows[i].data);
            if (strcmp(buf_text(body), buf_text(want)) != 0)
                fail_msg("%s:\n%s, not\n%s", rows[i].claim, buf_text(body), buf_text(want));
        }
        buf_free(&words);
        buf_free(&body);
        buf_free(&want);
    }
}

static void sets_of_types(void **state)
{
    (void)state;
    assert_int_equal(event_set(SPAN("")), 0);
    assert_int_equal(event_set(SPAN("lead.created")), 1u << EVENT_LEAD_CREATED);
    assert_int_equal(event_set(SPAN("delivery.failed lead.returned")), 1u << EVENT_DELIVERY_FAILED | 1u << EVENT_LEAD_RETURNED);
    assert_int_equal(event_set(SPAN("lead.create lead.created2 lead.later")), 0);
    assert_int_equal(event_set(SPAN("lead.created lead.accepted lead.rejected lead.unmatched lead.returned delivery.failed")), (1u << EVENT_COUNT) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(sets_of_types)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
