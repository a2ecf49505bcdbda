/* test_reply.c - router/reply.c: the exact bytes of every answer, and what stands in the row. */
#include "router/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S(text) {(text), sizeof(text) - 1}
#define ID "0193a0b0-0000-7000-8000-000000000001"
#define EARLIER "0193a0b0-0000-7000-8000-000000000002"
#define REQUEST "0193a0b0-0000-7000-8000-00000000000f"
#define HEAD(word, message, title, status)                                                                                     \
    "{\"error\":\"" word "\",\"message\":\"" message "\",\"request_id\":\"" REQUEST "\",\"type\":\"urn:leadline:error:" word   \
    "\",\"title\":\"" title "\",\"status\":" #status
#define DATA(status, more) ",\"data\":{\"id\":\"" ID "\",\"status\":\"" status "\",\"campaign_id\":\"campaign_abc123\"" more "}}"

static struct buyer buyer = {.id = S("buyer_abc")};
static struct contract contracts[] = {{.id = S("abc-tx"), .buyer = &buyer, .price_cents = 2500}, {.id = S("def"), .buyer = &buyer}, {.id = S("ghi"), .buyer = &buyer}};
static struct field_error wrong_fields[] = {
    {S("phone"), S("invalid_format"), {NULL, 0}, S("is no phone number")}, {S("a\"b"), S("required"), {NULL, 0}, S("is required")}};
static struct field_error wrong_filters[] = {{S("state"), S(""), S("IN"), S("is not taken")}};
static struct cap day_cap = {WINDOW_DAY, 100, -1}, month_cap = {WINDOW_MONTH, -1, 2500000}, both_caps = {WINDOW_WEEK, 7, 995};
static const struct recorded recorded = {.status = 409, .body = S("{\"as\":\"recorded\"}")};
static const struct decision first = {.answer_status = 201, .answer_body = S("{\"as\":\"the first\"}")};

/* sold: to buyer_abc, and with 2 to buyer_def, too. */
static const struct {
    const char *claim;
    enum action action;
    enum answer_form form;
    enum reason verdict, reason;
    enum lead_state state;
    int sold;
    bool is_test, is_nameless, is_own;
    const char *message, *why;
    const struct cap *full;
    const struct field_error *errors;
    size_t error_count;
    int status;
    const char *body;
    const char *reasons;
    const char *step;
    const char *trail;
} rows[] = {
    {.claim = "sold", .form = ANSWER_SALE, .state = LEAD_ACCEPTED, .sold = 1, .status = 201,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\",\"campaign_id\":\"campaign_abc123\"}}",
     .reasons = "[]", .step = "sale",
     .trail = "[{\"contract_id\":\"abc-tx\",\"decision\":\"sold\",\"detail\":\"25.00\"},"
              "{\"contract_id\":\"def\",\"decision\":\"passed_over\",\"reason\":\"contract_cap\",\"detail\":\"day: 100 leads\"},"
              "{\"contract_id\":\"ghi\",\"decision\":\"not_needed\",\"reason\":\"sold_out\"}]"},
    {.claim = "sold to two: the first is named", .form = ANSWER_SALE, .state = LEAD_ACCEPTED, .sold = 2, .status = 201,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\",\"campaign_id\":\"campaign_abc123\"}}"},
    {.claim = "a test lead", .form = ANSWER_SALE, .state = LEAD_ACCEPTED, .sold = 1, .is_test = true, .status = 201,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\",\"campaign_id\":\"campaign_abc123\",\"is_test\":true}}"},
    {.claim = "sold, told in full", .form = ANSWER_FULL, .state = LEAD_ACCEPTED, .sold = 2, .status = 201,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\",\"campaign_id\":\"campaign_abc123\","
             "\"buyers\":[{\"buyer_id\":\"buyer_abc\",\"price\":\"25.00\"},{\"buyer_id\":\"buyer_def\",\"price\":\"19.99\"}],\"price\":\"44.99\"}}"},
    {.claim = "a test lead, told in full", .form = ANSWER_FULL, .state = LEAD_ACCEPTED, .sold = 1, .is_test = true, .status = 201,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"ACCEPTED\",\"buyer_id\":\"buyer_abc\",\"campaign_id\":\"campaign_abc123\",\"is_test\":true,"
             "\"buyers\":[{\"buyer_id\":\"buyer_abc\",\"price\":\"25.00\"}],\"price\":\"25.00\"}}"},
    {.claim = "sold, told nothing", .form = ANSWER_RECEIVED, .state = LEAD_ACCEPTED, .sold = 1, .is_test = true, .status = 200,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"RECEIVED\"}}"},
    {.claim = "nobody buys", .form = ANSWER_SALE, .reason = REASON_UNMATCHED, .state = LEAD_UNMATCHED, .status = 200,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"UNMATCHED\",\"buyer_id\":null,\"campaign_id\":\"campaign_abc123\"}}",
     .reasons = "[{\"code\":\"unmatched\",\"field\":null,\"message\":\"no buyer takes this lead\"}]", .step = "sale"},
    {.claim = "nobody buys, told in full", .form = ANSWER_FULL, .reason = REASON_UNMATCHED, .state = LEAD_UNMATCHED, .status = 200,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"UNMATCHED\",\"buyer_id\":null,\"campaign_id\":\"campaign_abc123\"}}"},
    {.claim = "nobody buys, told nothing", .form = ANSWER_RECEIVED, .reason = REASON_UNMATCHED, .state = LEAD_UNMATCHED, .status = 200,
     .body = "{\"data\":{\"id\":\"" ID "\",\"status\":\"RECEIVED\"}}"},

    {.claim = "a duplicate of its own", .reason = REASON_DUPLICATE, .state = LEAD_DUPLICATE, .is_own = true, .status = 409,
     .body = HEAD("duplicate", "this lead matches an earlier one", "Duplicate lead", 409) DATA("DUPLICATE", ",\"duplicate_of\":\"" EARLIER "\""),
     .reasons = "[{\"code\":\"duplicate\",\"field\":null,\"message\":\"this lead matches an earlier one\"}]", .step = "duplicates",
     .why = "phone: 30 days, of " EARLIER,
     .trail = "[{\"decision\":\"duplicate\",\"reason\":\"duplicate\",\"detail\":\"phone: 30 days, of " EARLIER "\"}]"},
    {.claim = "a duplicate of another's", .form = ANSWER_RECEIVED, .reason = REASON_DUPLICATE, .state = LEAD_DUPLICATE, .status = 409,
     .body = HEAD("duplicate", "this lead matches an earlier one", "Duplicate lead", 409) DATA("DUPLICATE", "")},
    {.claim = "wrong fields", .verdict = REASON_VALIDATION_FAILED, .reason = REASON_VALIDATION_FAILED, .state = LEAD_REJECTED, .status = 400,
     .errors = wrong_fields, .error_count = 2,
     .body = HEAD("validation_failed", "one or more fields are missing or malformed", "Validation failed", 400)
         ",\"field_errors\":[{\"field\":\"phone\",\"code\":\"invalid_format\",\"message\":\"is no phone number\"},"
         "{\"field\":\"a\\\"b\",\"code\":\"required\",\"message\":\"is required\"}]" DATA("REJECTED", ""),
     .reasons = "[{\"code\":\"invalid_format\",\"field\":\"phone\",\"message\":\"is no phone number\"},"
                "{\"code\":\"required\",\"field\":\"a\\\"b\",\"message\":\"is required\"}]",
     .step = "validation", .trail = "[{\"decision\":\"rejected\",\"reason\":\"validation_failed\"}]"},
    {.claim = "wrong fields, the campaign among them", .verdict = REASON_VALIDATION_FAILED, .reason = REASON_VALIDATION_FAILED, .state = LEAD_REJECTED,
     .is_nameless = true, .status = 400,
     .body = HEAD("validation_failed", "one or more fields are missing or malformed", "Validation failed", 400)
         ",\"data\":{\"id\":\"" ID "\",\"status\":\"REJECTED\",\"campaign_id\":null}}"},
    {.claim = "an inbound filter", .verdict = REASON_FILTERED, .reason = REASON_FILTERED, .state = LEAD_REJECTED, .status = 422,
     .errors = wrong_filters, .error_count = 1, .message = "not from there",
     .body = HEAD("filtered", "not from there", "Filtered", 422)
         ",\"filter_errors\":[{\"field\":\"state\",\"operator\":\"IN\",\"message\":\"is not taken\"}]" DATA("REJECTED", ""),
     .step = "validation"},
    {.claim = "suppressed", .verdict = REASON_SUPPRESSED, .reason = REASON_SUPPRESSED, .state = LEAD_REJECTED, .status = 422,
     .body = HEAD("suppressed", "this person must not be contacted", "Suppressed", 422) DATA("REJECTED", "")},
    {.claim = "a paused source", .reason = REASON_SOURCE_PAUSED, .state = LEAD_REJECTED, .status = 403,
     .body = HEAD("source_paused", "leads from this source are not taken at present", "Source paused", 403) DATA("REJECTED", ""), .step = "sale",
     .trail = "[{\"decision\":\"rejected\",\"reason\":\"source_paused\"}]"},
    {.claim = "a full source", .reason = REASON_SOURCE_CAPPED, .state = LEAD_REJECTED, .full = &day_cap, .status = 403,
     .body = HEAD("source_capped", "this source has reached its cap", "Source capped", 403) DATA("REJECTED", ""), .step = "sale",
     .trail = "[{\"decision\":\"rejected\",\"reason\":\"source_capped\",\"detail\":\"day: 100 leads\"}]"},
    {.claim = "a source without money", .reason = REASON_SOURCE_CAPPED, .state = LEAD_REJECTED, .full = &month_cap, .status = 403,
     .body = HEAD("source_capped", "this source has reached its cap", "Source capped", 403) DATA("REJECTED", ""),
     .trail = "[{\"decision\":\"rejected\",\"reason\":\"source_capped\",\"detail\":\"month: 25000.00\"}]"},
    {.claim = "a source with both in one cap", .reason = REASON_SOURCE_CAPPED, .state = LEAD_REJECTED, .full = &both_caps, .status = 403,
     .body = HEAD("source_capped", "this source has reached its cap", "Source capped", 403) DATA("REJECTED", ""),
     .trail = "[{\"decision\":\"rejected\",\"reason\":\"source_capped\",\"detail\":\"week: 7 leads, 9.95\"}]"},

    {.claim = "forbidden: nothing is recorded", .action = ACTION_REFUSE, .verdict = REASON_FORBIDDEN, .reason = REASON_FORBIDDEN,
     .message = "this supplier is not on the campaign", .status = 403,
     .body = HEAD("forbidden", "this supplier is not on the campaign", "Forbidden", 403) "}"},
    {.claim = "no such campaign", .action = ACTION_REFUSE, .verdict = REASON_CAMPAIGN_NOT_FOUND, .reason = REASON_CAMPAIGN_NOT_FOUND, .status = 404,
     .body = HEAD("campaign_not_found", "there is no campaign of this id", "Campaign not found", 404) "}"},
    {.claim = "a key with another body", .action = ACTION_REFUSE, .reason = REASON_IDEMPOTENCY_MISMATCH, .message = "the validator's", .status = 422,
     .body = HEAD("idempotency_mismatch", "this Idempotency-Key was used with another body", "Idempotency mismatch", 422) "}"},
    {.claim = "unavailable: the gateway writes it", .action = ACTION_REFUSE, .reason = REASON_UNAVAILABLE, .status = 503, .body = ""},
    {.claim = "our fault: the gateway writes it", .action = ACTION_REFUSE, .verdict = REASON_INTERNAL, .reason = REASON_INTERNAL, .status = 500, .body = ""},
    {.claim = "as it was recorded", .action = ACTION_REPEAT, .status = 409, .body = "{\"as\":\"recorded\"}"},
    {.claim = "as the first of the batch", .action = ACTION_FOLLOW, .status = 201, .body = "{\"as\":\"the first\"}"},
};

static struct uuid id_of(const char *text)
{
    struct uuid id;

    assert_int_equal(uuid_parse(&id, span_of(text)), 0);
    return id;
}

static void answers_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct source source = {.supplier_id = SPAN("acme"), .answer = rows[i].form};
        struct campaign campaign = {.id = SPAN("campaign_abc123")};
        struct lead lead = {.id = id_of(ID), .request_id = id_of(REQUEST), .supplier_id = SPAN("acme"), .is_test = rows[i].is_test,
                            .campaign_id = rows[i].is_nameless ? SPAN("") : campaign.id, .message = span_of(rows[i].message),
                            .errors = {(struct field_error *)(uintptr_t)rows[i].errors, rows[i].error_count}};
        struct candidate candidates[] = {
            {.contract = &contracts[0], .price_cents = 2500}, {.contract = &contracts[1], .pass = PASS_CONTRACT_CAP, .full = &day_cap},
            {.contract = &contracts[2], .pass = PASS_SOLD_OUT}};
        struct plan plan = {.lead = &lead, .verdict = rows[i].verdict, .campaign = &campaign, .source = &source, .candidates = candidates, .candidate_count = 3};
        struct sale sales[] = {{.buyer_id = SPAN("buyer_abc"), .price_cents = 2500}, {.buyer_id = SPAN("buyer_def"), .price_cents = 1999}};
        struct decision decision = {.plan = &plan, .action = rows[i].action, .reason = rows[i].reason, .state = rows[i].state, .full = rows[i].full,
                                    .sales = sales, .sale_count = (size_t)rows[i].sold, .recorded = &recorded, .follows = &first};

        for (int n = 0; n < rows[i].sold; n++)
            decision.price_cents += sales[n].price_cents;
        decision.why = span_of(rows[i].why);
        if (rows[i].is_own)
            decision.duplicate_of = id_of(EARLIER);
        reply_fill(arena, &decision);
        if (decision.answer_status != rows[i].status || !span_is(decision.answer_body, rows[i].body))
            fail_msg("%s: %d %.*s", rows[i].claim, (int)decision.answer_status, SPAN_FMT(decision.answer_body));
        if (rows[i].reasons != NULL && !span_is(decision.reasons, rows[i].reasons))
            fail_msg("%s: reasons %.*s", rows[i].claim, SPAN_FMT(decision.reasons));
        if (rows[i].step != NULL && strcmp(reply_step(&decision), rows[i].step) != 0)
            fail_msg("%s: step %s", rows[i].claim, reply_step(&decision));
        if (rows[i].trail != NULL && !span_is(decision.trail, rows[i].trail))
            fail_msg("%s: trail %.*s", rows[i].claim, SPAN_FMT(decision.trail));
        arena_free(&arena);
    }
}

static void fields_keep_their_kinds(void **state)
{
    static struct field items[] = {
        {S("first_name"), VALUE_TEXT, S("Zo\xc3\xab \"Z\"")}, {S("age"), VALUE_NUMBER, S("42")}, {S("income"), VALUE_NUMBER, S("12345.5")},
        {S("owner"), VALUE_BOOL, S("true")}, {S("smoker"), VALUE_BOOL, S("false")}, {S("zip_code"), VALUE_TEXT, S("02101")},
        {S("odd"), VALUE_NUMBER, S("no number")}, {S("none"), VALUE_NESTED, S("")},
    };
    struct campaign campaign = {.id = SPAN("campaign_abc123")};
    struct source source = {.supplier_id = SPAN("acme")};
    struct lead lead = {.id = id_of(ID), .campaign_id = campaign.id, .fields = {items, sizeof items / sizeof *items}};
    struct plan plan = {.lead = &lead, .campaign = &campaign, .source = &source};
    struct decision decision = {.plan = &plan, .reason = REASON_UNMATCHED, .state = LEAD_UNMATCHED};
    struct arena *arena = arena_new();

    (void)state;
    reply_fill(arena, &decision);
    if (!span_is(decision.fields, "{\"first_name\":\"Zo\xc3\xab \\\"Z\\\"\",\"age\":42,\"income\":12345.5,\"owner\":true,\"smoker\":false,"
                                  "\"zip_code\":\"02101\",\"odd\":\"no number\"}"))
        fail_msg("%.*s", SPAN_FMT(decision.fields));
    assert_true(span_is(decision.trail, "[{\"decision\":\"unmatched\"}]"));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_written),
        cmocka_unit_test(fields_keep_their_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
