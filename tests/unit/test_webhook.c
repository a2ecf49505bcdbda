/* The request in which a lead goes to its buyer: dispatcher/webhook.h, proto/format.h. */
#include "dispatcher/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb2s="
#define ID "01938e2a-0000-7000-8000-000000000001"
#define OWN "webhook-id: " ID "\nwebhook-timestamp: 1795395724\nwebhook-signature: *\n"
#define LEAD "01938e2a-0000-7000-8000-000000000002"

static struct field fields[] = {
    {SPAN("zip_code"), VALUE_TEXT, SPAN("02101")}, {SPAN("age"), VALUE_NUMBER, SPAN("42")}, {SPAN("owner"), VALUE_BOOL, SPAN("true")},
    {SPAN("note"), VALUE_TEXT, SPAN("a b")}, {SPAN("price"), VALUE_TEXT, SPAN("mine")},
};

static struct delivery delivery(void)
{
    struct delivery made = {
        .campaign_id = SPAN("c"), .buyer_id = SPAN("b"), .price_cents = 2500, .sold_at_ms = INT64_C(1795395723456),
        .fields = {fields, sizeof fields / sizeof *fields},
    };

    assert_int_equal(uuid_parse(&made.id, SPAN(ID)), 0);
    assert_int_equal(uuid_parse(&made.lead_id, SPAN(LEAD)), 0);
    return made;
}

/* What goes out, with * for the signature; or the complaints of the format. */
static struct span result(struct arena *arena, const char *text, const char *url)
{
    struct json *doc = json_parse(span_of(text), NULL);
    struct complaints *list = complaints_new();
    const struct format *format;
    struct delivery from = delivery();
    struct span secret = SPAN(SECRET), copy;
    struct buyer buyer = {.url = url, .secrets = &secret, .secret_count = 1};
    struct buf *out = buf_new(256);

    assert_non_null(doc);
    format = format_read(arena, doc, NULL, NULL, NULL, list);
    json_free(&doc);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s!%s", i > 0 ? " " : "", list->items[i].pointer);
    if (format != NULL) {
        struct webhook *webhook = webhook_new(format, &from);
        struct http_request request;

        memset(&from, 0, sizeof from); /* nothing of it is borrowed */
        webhook_request(webhook, &buyer, &(struct uuid){{0x01, 0x93, 0x8e, 0x2a, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}}, 1795395724, arena, &request);
        buf_printf(out, "%s %.*s\n", request.method, SPAN_FMT(request.url));
        for (size_t i = 0; i < request.header_count; i++)
            buf_printf(out, "%.*s: %.*s\n", SPAN_FMT(request.headers[i].name), span_is(request.headers[i].name, "webhook-signature") ?
                       1 : (int)request.headers[i].value.len, span_is(request.headers[i].name, "webhook-signature") ? "*" : request.headers[i].value.ptr);
        buf_printf(out, "%.*s", SPAN_FMT(request.body));
        assert_true(webhook->bytes >= sizeof *webhook + request.body.len);
        webhook_free(&webhook);
        assert_null(webhook);
    }
    copy = arena_copy(arena, buf_span(out));
    buf_free(&out);
    complaints_free(&list);
    return copy;
}

#define JSON_TYPE "content-type: application/json\n"
#define FORM_TYPE "content-type: application/x-www-form-urlencoded\n"
#define USUAL "{\"type\":\"lead.accepted\",\"timestamp\":\"2026-11-23T01:02:03.456Z\",\"data\":{\"id\":\"" LEAD "\",\"campaign_id\":\"c\",\"buyer_id\":\"b\"," \
              "\"price\":\"25.00\",\"is_test\":false,\"fields\":{\"age\":42,\"note\":\"a b\",\"owner\":true,\"price\":\"mine\",\"zip_code\":\"02101\"}}}"
#define USUAL_FORM "id=" LEAD "&campaign_id=c&buyer_id=b&price=25.00&is_test=false&timestamp=2026-11-23T01%3A02%3A03.456Z&age=42&note=a+b&owner=true&zip_code=02101"

static const struct {
    const char *claim, *delivery, *url, *want;
} rows[] = {
    {"nothing said", "{}", "https://b/x", "POST https://b/x\n" JSON_TYPE OWN USUAL},
    {"the defaults said", "{\"method\":\"POST\",\"format\":\"json\",\"headers\":{}}", "https://b/x", "POST https://b/x\n" JSON_TYPE OWN USUAL},
    {"PUT", "{\"method\":\"PUT\"}", "https://b/x?a=1#f", "PUT https://b/x?a=1#f\n" JSON_TYPE OWN USUAL},
    {"PATCH and a template", "{\"method\":\"PATCH\",\"template\":{\"a\":\"{{age}}\"}}", "https://b/x", "PATCH https://b/x\n" JSON_TYPE OWN "{\"a\":42}"},
    {"the usual form", "{\"format\":\"form\"}", "https://b/x", "POST https://b/x\n" FORM_TYPE OWN USUAL_FORM},
    {"a form of one's own", "{\"format\":\"form\",\"template\":{\"z\":\"{{zip_code}}\",\"n\":\"{{note}}\"}}", "https://b/x", "POST https://b/x\n" FORM_TYPE OWN "z=02101&n=a+b"},
    {"GET", "{\"method\":\"GET\",\"template\":{\"z\":\"{{zip_code}}\"}}", "https://b/x", "GET https://b/x?z=02101\n" OWN},
    {"GET of a form", "{\"method\":\"GET\",\"format\":\"form\"}", "https://b/x", "GET https://b/x?" USUAL_FORM "\n" OWN},
    {"GET with a query of its own", "{\"method\":\"GET\",\"template\":{\"z\":\"1\"}}", "https://b/x?k=v", "GET https://b/x?k=v&z=1\n" OWN},
    {"GET with a query that goes on", "{\"method\":\"GET\",\"template\":{\"z\":\"1\"}}", "https://b/x?k=v&", "GET https://b/x?k=v&z=1\n" OWN},
    {"GET with an empty query", "{\"method\":\"GET\",\"template\":{\"z\":\"1\"}}", "https://b/x?", "GET https://b/x?z=1\n" OWN},
    {"GET with a fragment", "{\"method\":\"GET\",\"template\":{\"z\":\"1\"}}", "https://b/x#f?", "GET https://b/x?z=1\n" OWN},
    {"GET of nothing", "{\"method\":\"GET\",\"template\":{\"z\":\"{{gone}}\"}}", "https://b/x", "GET https://b/x\n" OWN},
    {"headers", "{\"headers\":{\"x-token\":\"abc\",\"X-Lead\":\"{{age}}/{{gone}}\",\"x-gone\":\"{{gone}}\"},\"template\":1}", "https://b/x",
     "POST https://b/x\n" JSON_TYPE "x-token: abc\nX-Lead: 42/\n" OWN "1"},
    {"a content type of one's own", "{\"headers\":{\"Content-Type\":\"application/vnd.b+json\"},\"template\":1}", "https://b/x",
     "POST https://b/x\nContent-Type: application/vnd.b+json\n" OWN "1"},
    {"a content type that is absent", "{\"headers\":{\"Content-Type\":\"{{gone}}\"},\"template\":1}", "https://b/x", "POST https://b/x\n" JSON_TYPE OWN "1"},
    {"GET with a content type", "{\"method\":\"GET\",\"headers\":{\"content-type\":\"x/y\"},\"template\":{}}", "https://b/x", "GET https://b/x\ncontent-type: x/y\n" OWN},
    {"the user agent may be another", "{\"headers\":{\"User-Agent\":\"x\"},\"template\":1}", "https://b/x", "POST https://b/x\n" JSON_TYPE "User-Agent: x\n" OWN "1"},
    {"GET with JSON", "{\"method\":\"GET\",\"format\":\"json\"}", "https://b/x", "!/format"},
    {"a form that is nested", "{\"format\":\"form\",\"template\":{\"a\":{}}}", "https://b/x", "!/template/a"},
    {"headers that are ours", "{\"headers\":{\"Webhook-Id\":\"x\",\"webhook-signature\":\"x\",\"WEBHOOK-TIMESTAMP\":\"x\",\"x-leaddistro-signature\":\"x\",\"Host\":\"x\"}}",
     "https://b/x", "!/headers/Webhook-Id !/headers/webhook-signature !/headers/WEBHOOK-TIMESTAMP !/headers/x-leaddistro-signature !/headers/Host"},
    {"headers that are the connection's", "{\"headers\":{\"Content-Length\":\"1\",\"connection\":\"close\",\"Transfer-Encoding\":\"chunked\",\"accept-encoding\":\"gzip\"}}",
     "https://b/x", "!/headers/Content-Length !/headers/connection !/headers/Transfer-Encoding !/headers/accept-encoding"},
    {"no names", "{\"headers\":{\"a b\":\"x\",\"\":\"x\",\"a:\":\"x\",\"\xc3\xa9\":\"x\"}}", "https://b/x", "!/headers/a b !/headers/ !/headers/a: !/headers/\xc3\xa9"},
    {"a name twice", "{\"headers\":{\"x-a\":\"1\",\"X-A\":\"2\"}}", "https://b/x", "!/headers/X-A"},
    {"a value with a line's end", "{\"headers\":{\"x-a\":\"1\\r\\nx-b: 2\"}}", "https://b/x", "!/headers/x-a"},
    {"a value's template", "{\"headers\":{\"x-a\":\"{{\",\"x-b\":\"{{shout age}}\"}}", "https://b/x", "!/headers/x-a !/headers/x-b"},
};

static void makes_the_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct span got = result(arena, rows[i].delivery, rows[i].url);

        if (!span_is(got, rows[i].want))
            fail_msg("%s: want\n%s\ngot\n%.*s", rows[i].claim, rows[i].want, SPAN_FMT(got));
        arena_free(&arena);
    }
}

static struct span header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (span_is(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct span){NULL, 0};
}

/* The signature itself is test_sign.c's business. */
static void signs_what_goes_out(void **state)
{
    struct span secrets[] = {SPAN(SECRET), SPAN("whsec_b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXM=")};
    struct buyer buyer = {.url = "https://b/x", .secrets = secrets, .secret_count = 2, .has_legacy_signature = true};
    struct delivery from = delivery();
    struct webhook *webhook = webhook_new(NULL, &from), *again = webhook_new(&format_usual, &from);
    struct arena *arena = arena_new();
    struct http_request first, second;

    (void)state;
    assert_int_equal(webhook->body.len, again->body.len);
    assert_memory_equal(webhook->body.ptr, again->body.ptr, again->body.len);
    webhook_request(webhook, &buyer, &from.id, 1, arena, &first);
    webhook_request(again, &buyer, &from.id, 2, arena, &second);
    assert_true(span_equal(first.body, second.body));
    assert_true(span_is(header(&first, "webhook-timestamp"), "1") && span_is(header(&second, "webhook-timestamp"), "2"));
    assert_false(span_equal(header(&first, "webhook-signature"), header(&second, "webhook-signature")));
    assert_true(span_equal(header(&first, "X-LeadDistro-Signature"), header(&second, "X-LeadDistro-Signature")));
    assert_int_equal(header(&first, "X-LeadDistro-Signature").len, 64);
    assert_non_null(memchr(header(&first, "webhook-signature").ptr, ' ', header(&first, "webhook-signature").len)); /* one for each secret */
    buyer.secret_count = 0;
    webhook_request(webhook, &buyer, &from.id, 1, arena, &first);
    assert_int_equal(header(&first, "webhook-signature").len, 0);
    assert_null(header(&first, "X-LeadDistro-Signature").ptr);
    arena_free(&arena);
    webhook_free(&webhook);
    webhook_free(&again);
}

static void an_event_goes_as_it_is(void **state)
{
    struct delivery event = {.buyer_id = SPAN("@0123456789abcdef"), .event = SPAN("{\"type\" : \"lead.created\"}")};
    struct webhook *webhook = webhook_new(&format_usual, &event);

    (void)state;
    assert_true(span_equal(webhook->body, event.event) && webhook->body.ptr != event.event.ptr);
    assert_int_equal(webhook->header_count, 1);
    assert_true(span_is(webhook->headers[0].value, "application/json"));
    webhook_free(&webhook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(makes_the_request), cmocka_unit_test(signs_what_goes_out), cmocka_unit_test(an_event_goes_as_it_is)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
