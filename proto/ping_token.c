#include "proto/ping_token.h"

#include "common/map.h"
#include "common/must.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    HEAD_BYTES = 2 + SEAL_NONCE_BYTES,
    CONTENT_BYTES_MOST = PING_TOKEN_BYTES_MOST / 4 * 3 - HEAD_BYTES - SEAL_TAG_BYTES,
    CENTS_BYTES_MOST = 9, /* of 63 bits */
    OFFER_BYTES_LEAST = 1 + 8 + 1 + 1,
    ROOM_BYTES = 512,
};

/* Fields -------------------------------------------------------------------------------------------------------------- */

uint64_t ping_token_hash(struct span text)
{
    return map_hash(text, 0x70696e67); /* of another process, or of another version, it must be the same */
}

bool ping_token_offers(const struct ping_token *token, struct span buyer_id)
{
    uint64_t buyer = ping_token_hash(buyer_id);

    for (size_t i = 0; i < token->offer_count; i++)
        if (token->offers[i].buyer == buyer)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct field *const *x = a, *const *y = b;

    return span_compare((*x)->name, (*y)->name);
}

static void digest_fields(const struct field **fields, size_t count, uint8_t digest[16])
{
    struct buf *buf = buf_new(ROOM_BYTES);
    uint8_t sha256[DIGEST_BYTES];

    for (size_t i = 0; i < count; i++) {
        buf_add_u32(buf, (uint32_t)fields[i]->name.len);
        buf_add_span(buf, fields[i]->name);
        buf_add_u32(buf, (uint32_t)fields[i]->text.len);
        buf_add_span(buf, fields[i]->text);
    }
    digest_sha256(buf_span(buf), sha256);
    memcpy(digest, sha256, 16);
    buf_free(&buf);
}

void ping_token_fields(struct arena *arena, const struct field_list *said, struct ping_token *token)
{
    const struct field **sorted = arena_alloc(arena, said->count * sizeof *sorted);

    must(said->count <= FIELDS_MOST);
    for (size_t i = 0; i < said->count; i++)
        sorted[i] = &said->items[i];
    qsort(sorted, said->count, sizeof *sorted, by_name);
    token->names = arena_alloc(arena, said->count * sizeof *token->names);
    token->name_count = said->count;
    for (size_t i = 0; i < said->count; i++)
        token->names[i] = ping_token_hash(sorted[i]->name);
    digest_fields(sorted, said->count, token->digest);
}

static bool has_name(const struct ping_token *token, struct span name)
{
    uint64_t hash = ping_token_hash(name);

    for (size_t i = 0; i < token->name_count; i++)
        if (token->names[i] == hash)
            return true;
    return false;
}

bool ping_token_agrees(struct arena *arena, const struct ping_token *token, const struct field_list *said)
{
    const struct field **found = arena_alloc(arena, said->count * sizeof *found);
    uint8_t digest[16];
    size_t count = 0;

    for (size_t i = 0; i < said->count; i++)
        if (has_name(token, said->items[i].name))
            found[count++] = &said->items[i];
    if (count != token->name_count)
        return false;
    qsort(found, count, sizeof *found, by_name);
    digest_fields(found, count, digest);
    return memcmp(digest, token->digest, sizeof digest) == 0;
}

/* Writing ------------------------------------------------------------------------------------------------------------- */

static void add_text(struct buf *buf, struct span text)
{
    must(text.len <= UINT8_MAX);
    buf_add(buf, &(uint8_t){(uint8_t)text.len}, 1);
    buf_add_span(buf, text);
}

static void add_cents(struct buf *buf, int64_t cents)
{
    uint64_t left = (uint64_t)cents;

    for (; left >= 0x80; left >>= 7)
        buf_add(buf, &(uint8_t){(uint8_t)(left | 0x80)}, 1);
    buf_add(buf, &(uint8_t){(uint8_t)left}, 1);
}

/* The content, with as many offers as fit. Returns how many do. */
static size_t write_content(const struct ping_token *token, struct buf *buf)
{
    buf_add_span(buf, uuid_span(&token->ping_id));
    buf_add_u64(buf, (uint64_t)token->expires_at_ms);
    buf_add(buf, &(uint8_t){token->is_test}, 1);
    add_text(buf, token->supplier_id);
    add_text(buf, token->campaign_id);
    buf_add(buf, token->digest, sizeof token->digest);
    buf_add(buf, &(uint8_t){(uint8_t)token->name_count}, 1);
    for (size_t i = 0; i < token->name_count; i++)
        buf_add_u64(buf, token->names[i]);
    for (size_t i = 0; i < token->offer_count; i++) {
        const struct ping_offer *offer = &token->offers[i];
        size_t before = buf->len;

        add_text(buf, offer->contract_id);
        buf_add_u64(buf, offer->buyer);
        add_cents(buf, offer->price_cents);
        add_cents(buf, offer->exclusive_cents);
        if (buf->len > CONTENT_BYTES_MOST) {
            buf->len = before;
            return i;
        }
    }
    return token->offer_count;
}

size_t ping_token_seal(const struct ping_keys *keys, const struct ping_token *token, struct buf *out)
{
    const struct ping_key *key = &keys->items[keys->sealing];
    struct buf *content = buf_new(ROOM_BYTES), *sealed = buf_new(ROOM_BYTES);
    uint8_t head[HEAD_BYTES] = {VERSION, key->id};
    size_t count;

    must(keys->sealing < keys->count);
    count = write_content(token, content);
    digest_random(head + 2, SEAL_NONCE_BYTES);
    buf_add(sealed, head, sizeof head);
    digest_seal(key->key, head + 2, (struct span){(const char *)head, 2}, buf_span(content), sealed);
    digest_base64url(buf_span(sealed), out);
    buf_free(&content);
    buf_free(&sealed);
    return count;
}

/* Reading ------------------------------------------------------------------------------------------------------------- */

/* What is left of the content. is_short: it ended too early, or holds what was never written. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool is_short;
};

static const uint8_t *take(struct reader *reader, size_t len)
{
    static const uint8_t nothing[16];
    const uint8_t *at = reader->at;

    if (reader->left < len) {
        reader->is_short = true;
        must(len <= sizeof nothing);
        return nothing;
    }
    reader->at += len;
    reader->left -= len;
    return at;
}

static uint64_t take_u64(struct reader *reader)
{
    uint64_t value;

    memcpy(&value, take(reader, sizeof value), sizeof value);
    return be64toh(value);
}

static struct span take_text(struct reader *reader)
{
    size_t len = *take(reader, 1);

    if (reader->left < len) {
        reader->is_short = true;
        return SPAN("");
    }
    return (struct span){(const char *)take(reader, len), len};
}

static int64_t take_cents(struct reader *reader)
{
    uint64_t value = 0;

    for (int i = 0; i < CENTS_BYTES_MOST; i++) {
        uint8_t byte = *take(reader, 1);

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return (int64_t)value;
    }
    reader->is_short = true;
    return 0;
}

static bool read_content(struct arena *arena, struct span content, struct ping_token *token)
{
    struct reader reader = {(const uint8_t *)content.ptr, content.len, false};
    size_t offers_most;

    memcpy(token->ping_id.bytes, take(&reader, sizeof token->ping_id.bytes), sizeof token->ping_id.bytes);
    token->expires_at_ms = (int64_t)take_u64(&reader);
    token->is_test = *take(&reader, 1) != 0;
    token->supplier_id = take_text(&reader);
    token->campaign_id = take_text(&reader);
    memcpy(token->digest, take(&reader, sizeof token->digest), sizeof token->digest);
    token->name_count = *take(&reader, 1);
    token->names = arena_alloc(arena, token->name_count * sizeof *token->names);
    for (size_t i = 0; i < token->name_count; i++)
        token->names[i] = take_u64(&reader);
    offers_most = reader.left / OFFER_BYTES_LEAST;
    token->offers = arena_alloc(arena, offers_most * sizeof *token->offers);
    while (!reader.is_short && reader.left > 0 && token->offer_count < offers_most) {
        struct ping_offer *offer = &token->offers[token->offer_count++];

        offer->contract_id = take_text(&reader);
        offer->buyer = take_u64(&reader);
        offer->price_cents = take_cents(&reader);
        offer->exclusive_cents = take_cents(&reader);
    }
    return !reader.is_short && reader.left == 0;
}

static const struct ping_key *find_key(const struct ping_keys *keys, uint8_t id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->items[i].id == id)
            return &keys->items[i];
    return NULL;
}

enum ping_token_fault ping_token_open(struct arena *arena, const struct ping_keys *keys, struct span text, struct ping_token *token)
{
    struct buf *sealed = buf_new(ROOM_BYTES), *content = buf_new(ROOM_BYTES);
    enum ping_token_fault fault = PING_TOKEN_BAD;
    const struct ping_key *key;
    const uint8_t *head;

    memset(token, 0, sizeof *token);
    if (text.len > PING_TOKEN_BYTES_MOST || digest_unbase64url(text, sealed) != 0)
        goto out;
    head = (const uint8_t *)sealed->data;
    if (sealed->len < HEAD_BYTES + SEAL_TAG_BYTES || head[0] != VERSION)
        goto out;
    key = find_key(keys, head[1]);
    if (key == NULL) {
        fault = PING_TOKEN_NO_KEY;
        goto out;
    }
    if (digest_open(key->key, head + 2, (struct span){sealed->data, 2},
                    (struct span){sealed->data + HEAD_BYTES, sealed->len - HEAD_BYTES}, content) != 0)
        goto out;
    if (read_content(arena, arena_copy(arena, buf_span(content)), token))
        fault = PING_TOKEN_GOOD;
out:
    buf_free(&sealed);
    buf_free(&content);
    return fault;
}
