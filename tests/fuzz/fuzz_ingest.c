/*
 * fuzz_ingest.c - any bytes as what comes over HTTP: a body becomes a lead that can be sent and read again, or has a reason;
 * headers that we read ourselves (X-Forwarded-For, Idempotency-Key, Accept, PROXY protocol) never do harm.
 *
 * The first byte says what the rest is.
 */
#include "common/must.h"
#include "gateway/accept.h"
#include "gateway/address.h"
#include "gateway/idempotency.h"
#include "gateway/ingest.h"
#include "gateway/proxy_protocol.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sending(struct arena *arena, const struct lead *lead)
{
    struct buf *message = buf_new(256);
    struct frame frame;
    struct lead again;

    frame_head(message, FRAME_LEADS, SPAN("gateway-1"), 1, 1);
    frame_put_lead(message, lead);
    must(frame_open(&frame, buf_span(message), NULL) == 0 && frame_next_lead(&frame, arena, &again, NULL) == 0);
    must(span_equal(again.raw, lead->raw) && again.fields.count == lead->fields.count);
    for (size_t i = 0; i < lead->fields.count; i++) {
        const struct field *a = &lead->fields.items[i], *b = &again.fields.items[i];

        must(span_equal(a->name, b->name) && a->kind == b->kind && span_equal(a->text, b->text));
        must(a->kind == VALUE_NESTED ? a->text.len == 0 : a->text.len > 0);
        must(span_is_utf8(a->name) && span_is_utf8(a->text));
    }
    frame_close(&frame);
    buf_free(&message);
}

static void body(struct arena *arena, enum media media, struct span bytes)
{
    struct lead lead = {.supplier_id = SPAN("supplier"), .gateway = SPAN("gateway-1"), .left_ms = 5000};
    struct json *json = NULL;
    struct error err = {""};
    enum reason reason = ingest_read(arena, media, bytes, &lead, &json, &err);

    if (reason == REASON_NONE) {
        check_sending(arena, &lead);
        if (media == MEDIA_JSON) { /* numbers that are too long are the only thing that it takes and JSON's parser does not */
            struct json *plain = json_parse(bytes, &err);

            must(plain != NULL || strstr(err.text, "out of range") != NULL);
            json_free(&plain);
        }
    } else {
        must(json == NULL && err.text[0] != '\0' && reason == (media == MEDIA_FORM ? REASON_INVALID_FORM : REASON_INVALID_JSON));
    }
    if (json != NULL)
        json_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct trusted_proxies trusted;
    uint8_t peer[16], address[16];
    struct span bytes = {(const char *)data + 1, size - 1}, key;
    bool has_address;
    int len;

    switch (size > 0 ? data[0] % 8 : 7) {
    case 0:
    case 1:
        body(arena, MEDIA_JSON, bytes);
        break;
    case 2:
        body(arena, MEDIA_FORM, bytes);
        break;
    case 3:
        must(trusted_read(&trusted, SPAN("10.0.0.0/8, fd00::/8"), NULL) == 0 && cidr_address(SPAN("10.0.0.1"), peer) == 0);
        if (address_of_client(&trusted, peer, bytes, address))
            must(!cidr_any_has(trusted.ranges, trusted.count, address) || memchr(bytes.ptr, '.', bytes.len) != NULL || memchr(bytes.ptr, ':', bytes.len) != NULL);
        break;
    case 4:
        if (idempotency_read(arena, bytes, &key) == 0)
            must(key.len >= 1 && key.len <= IDEMPOTENCY_KEY_BYTES_MOST && memchr(key.ptr, '\n', key.len) == NULL);
        break;
    case 5:
        (void)accepts_problem(bytes);
        (void)media_of(bytes);
        break;
    case 6:
        len = proxy_read(bytes, address, &has_address);
        must(len == -1 || len == 0 || (len >= 16 && (size_t)len <= bytes.len));
        break;
    default:
        break;
    }
    arena_free(&arena);
    return 0;
}
