/*
 * ping_token.h - the ping id: what a supplier was offered, sealed, so that the post can be sold at that price without a row for every ping.
 *
 * It is opaque to the supplier and needs no memory of ours: base64url (RFC 4648, 5, no padding) of
 *
 *     version 1 | key id | nonce 12 | AES-256-GCM of the content | tag 16        version and key id are authenticated, too
 *
 * and the content is, in network byte order and with texts preceded by their length in a byte,
 *
 *     ping's UUID 16 | expires_at_ms 8 | is_test 1 | supplier id | campaign id | fields' digest 16 | number of fields 1 | of each its
 *     name's hash 8 | offers, best first: contract id, buyer id's hash 8, price, exclusive price
 *
 * Prices are cents in groups of seven bits, lowest first, the high bit meaning that more follow.
 * The digest is over names and texts of the fields that were in the ping (router/plan.h, plan_said), sorted by name; the hashes find these among the fields of
 * the post. What does not fit into a field's 4,096 bytes is not offered: that is beyond 200 fields and 14 offers with the longest ids.
 *
 * Pure: keys and times are arguments (randomness apart: nonces).
 */
#ifndef LEADLINE_PROTO_PING_TOKEN_H
#define LEADLINE_PROTO_PING_TOKEN_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/uuid.h"
#include "proto/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PING_TOKEN_BYTES_MOST = VALUE_BYTES_MOST,
    PING_KEYS_MOST = 8, /* that a process has at hand; two or three are in the database */
    PING_KEY_ID_MOST = 255,
};

struct ping_key {
    uint8_t id; /* from 1 */
    uint8_t key[SEAL_KEY_BYTES];
};

/* All that open; one of them seals. */
struct ping_keys {
    struct ping_key items[PING_KEYS_MOST];
    size_t count;
    size_t sealing; /* the index of the one that seals */
};

struct ping_offer {
    struct span contract_id;
    uint64_t buyer; /* ping_token_hash() of the buyer's id */
    int64_t price_cents;
    int64_t exclusive_cents; /* the price when nobody else gets the lead; 0: none */
};

struct ping_token {
    struct uuid ping_id;
    int64_t expires_at_ms;
    bool is_test;
    struct span supplier_id, campaign_id;
    uint8_t digest[16]; /* of the fields */
    uint64_t *names;    /* their hashes, in the order of their names */
    size_t name_count;
    struct ping_offer *offers; /* best first */
    size_t offer_count;
};

uint64_t ping_token_hash(struct span text);

/* Was this buyer's contract among the offers? */
bool ping_token_offers(const struct ping_token *token, struct span buyer_id);

/* Takes the fields of a ping (at most FIELDS_MOST) into the token: names and digest, in the arena. */
void ping_token_fields(struct arena *arena, const struct field_list *said, struct ping_token *token);

/*
 * Seals the token with the sealing key and appends it to out.
 *
 * Returns how many of its offers are in it: the first so many that fit. There must be a key.
 */
size_t ping_token_seal(const struct ping_keys *keys, const struct ping_token *token, struct buf *out);

enum ping_token_fault {
    PING_TOKEN_GOOD,
    PING_TOKEN_NO_KEY, /* it may be one, but we have no key of that id */
    PING_TOKEN_BAD,    /* it is none, was altered, or sealed elsewhere */
};

/* Reads a token; its lists and texts live in the arena. Whether it has expired and whose it is, is the caller's business. */
enum ping_token_fault ping_token_open(struct arena *arena, const struct ping_keys *keys, struct span text, struct ping_token *token);

/* Are the fields that were in the ping in the post, too, and the same? said: the post's. */
bool ping_token_agrees(struct arena *arena, const struct ping_token *token, const struct field_list *said);

#endif
