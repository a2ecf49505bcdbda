/*
 * fuzz_template.c - any bytes as a buyer's delivery (method, headers, format, template), and behind a NUL as the values of a lead:
 * it compiles or says what is wrong, and what it makes is a request that can be sent, the same every time.
 */
#include "common/json.h"
#include "common/must.h"
#include "dispatcher/webhook.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct { const char *name; enum field_type type; enum value_kind kind; } known[] = {
    {"first_name", FIELD_STRING, VALUE_TEXT}, {"last_name", FIELD_STRING, VALUE_TEXT}, {"phone", FIELD_PHONE, VALUE_TEXT}, {"age", FIELD_NUMBER, VALUE_NUMBER},
    {"owner", FIELD_BOOLEAN, VALUE_BOOL}, {"born", FIELD_DATE, VALUE_TEXT}, {"gone", FIELD_STRING, VALUE_TEXT},
};
enum { KNOWN = sizeof known / sizeof *known };

static int type_of(void *ctx, struct span name)
{
    (void)ctx;
    for (size_t i = 0; i < KNOWN; i++)
        if (span_is(name, known[i].name))
            return (int)known[i].type;
    return -1;
}

static bool are_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void try(const struct format *format, struct span text)
{
    struct field values[KNOWN];
    struct delivery delivery = {.campaign_id = SPAN("c"), .buyer_id = SPAN("b"), .price_cents = 1, .sold_at_ms = INT64_C(1795395723456), .fields = {values, 0}};
    struct buyer buyer = {.url = "https://b.example/x?y"};
    struct arena *arena = arena_new();
    struct webhook *one, *other;
    struct http_request request;

    for (size_t i = 0; i + 1 < KNOWN; i++)
        values[delivery.fields.count++] = (struct field){span_of(known[i].name), known[i].kind, text};
    one = webhook_new(format, &delivery);
    other = webhook_new(format, &delivery);
    webhook_request(one, &buyer, &delivery.id, 1, arena, &request);
    must(are_equal(one->body, other->body) && are_equal(one->query, other->query) && one->header_count == other->header_count);
    for (size_t i = 0; i < request.header_count; i++)
        must(http_header_is_good(&request.headers[i]));
    for (size_t i = 0; i < request.url.len; i++)
        must((unsigned char)request.url.ptr[i] > 0x20 && (unsigned char)request.url.ptr[i] < 0x7f);
    if (!format->is_form && (text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL)) { /* our JSON takes no NUL */
        struct json *body = json_parse(request.body, NULL);

        must(body != NULL);
        json_free(&body);
    }
    webhook_free(&one);
    webhook_free(&other);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    struct span text = {(const char *)data + len, size - len};
    struct arena *arena = arena_new();
    struct complaints *list = complaints_new();
    struct json *doc = json_parse((struct span){(const char *)data, len}, NULL);
    const struct format *format = NULL;

    if (doc != NULL && json_kind(doc) == JSON_OBJECT) {
        format = format_read(arena, doc, type_of, NULL, NULL, list);
        must((format != NULL) == (list->count == 0));
    }
    if (doc != NULL)
        json_free(&doc);
    if (format != NULL)
        try(format, text.len > 0 ? (struct span){text.ptr + 1, text.len - 1} : SPAN("1985-06-30"));
    for (size_t i = 0; i < list->count; i++)
        must(list->items[i].sentence[0] != '\0');
    complaints_free(&list);
    arena_free(&arena);
    return 0;
}
