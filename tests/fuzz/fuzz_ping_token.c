/*
 * fuzz_ping_token.c - any bytes as a ping id: nothing crashes, and nothing that we did not seal is read.
 *
 * The first byte says whether the rest is a ping id as a supplier sends it, or the content of one that was sealed with our key: what only
 * another version of this program could have written. What is read is sealed again and has to be the same.
 */
#include "common/must.h"
#include "proto/ping_token.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ping_keys keys = {.items = {{1, "thirty-two bytes: key of a fuzz."}, {7, "and another one, as long as it.."}}, .count = 2};

/* A ping id with that content. */
static void seal(struct span content, struct buf *text)
{
    static const uint8_t head[2 + SEAL_NONCE_BYTES] = {1, 1, 'n', 'o', 'n', 'c', 'e'};
    struct buf *sealed = buf_new(512);

    buf_add(sealed, head, sizeof head);
    digest_seal(keys.items[0].key, head + 2, (struct span){(const char *)head, 2}, content, sealed);
    digest_base64url(buf_span(sealed), text);
    buf_free(&sealed);
}

static void check_again(struct arena *arena, const struct ping_token *token)
{
    struct field_list none = {NULL, 0};
    struct buf *text = buf_new(512);
    struct ping_token again;
    size_t count;

    ping_token_agrees(arena, token, &none);
    ping_token_offers(token, SPAN("buyer"));
    count = ping_token_seal(&keys, token, text);
    must(count <= token->offer_count && text->len <= PING_TOKEN_BYTES_MOST);
    must(ping_token_open(arena, &keys, buf_span(text), &again) == PING_TOKEN_GOOD);
    must(again.offer_count == count && again.name_count == token->name_count && again.expires_at_ms == token->expires_at_ms);
    for (size_t i = 0; i < count; i++)
        must(span_equal(again.offers[i].contract_id, token->offers[i].contract_id) && again.offers[i].price_cents == token->offers[i].price_cents);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data + 1, size - 1};
    struct ping_token token;
    struct arena *arena;
    struct buf *text;

    if (size == 0)
        return 0;
    arena = arena_new();
    text = buf_new(512);
    if (data[0] & 1)
        seal(rest, text);
    else
        buf_add_span(text, rest);
    if (ping_token_open(arena, &keys, buf_span(text), &token) == PING_TOKEN_GOOD) {
        must(data[0] & 1);
        check_again(arena, &token);
    }
    buf_free(&text);
    arena_free(&arena);
    return 0;
}
