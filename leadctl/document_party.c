/* document_party.c - suppliers with their keys, buyers with their endpoints. */
#include "leadctl/document_check.h"

#include "common/buf.h"
#include "common/cidr.h"
#include "common/digest.h"
#include "leadctl/endpoint_url.h"

struct span document_key_hash(struct arena *arena, const struct json *entry)
{
    struct span key = json_get_text(entry, "key"), given = json_get_text(entry, "sha256");
    char hex[DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];

    if (key.ptr != NULL)
        digest_sha256(key, sha256);
    else if (digest_unhex(given, sha256, sizeof sha256) != 0)
        return (struct span){NULL, 0};
    return arena_copy(arena, span_of(digest_hex(sha256, sizeof sha256, hex)));
}

void document_check_supplier(struct check *check, const struct json *supplier, const struct place *place)
{
    struct place keys = {place, "api_keys", 0}, ips = {place, "allowed_ips", 0};
    struct json *entry;
    struct cidr cidr;

    document_claim(check, check->suppliers, json_get_text(supplier, "id"), place, "id", "supplier");
    EACH(entry, at, json_get(supplier, "api_keys"), &keys) {
        struct span hash = document_key_hash(check->arena, entry);

        if (hash.len > 0 && map_put(check->key_hashes, hash, check) != NULL)
            complain(check->list, &at, "this key is there twice");
    }
    document_check_caps(check, supplier, place);
    EACH(entry, at, json_get(supplier, "allowed_ips"), &ips)
        if (json_text(entry).ptr != NULL && cidr_parse(&cidr, json_text(entry)) != 0)
            complain(check->list, &at, "must be an IP address, or a range like 203.0.113.0/24 without host bits");
}

enum { SECRET_BYTES_MOST = 64 }; /* Standard Webhooks 1.0; it wants 24 or more, but a buyer's old secret may be shorter */

static bool is_secret(struct span text)
{
    static const struct span prefix = {"whsec_", 6};
    struct buf *bytes = buf_new(SECRET_BYTES_MOST);
    bool is_good;

    is_good = span_starts(text, prefix) &&
              digest_unbase64((struct span){text.ptr + prefix.len, text.len - prefix.len}, bytes) == 0 &&
              bytes->len > 0 && bytes->len <= SECRET_BYTES_MOST;
    buf_free(&bytes);
    return is_good;
}

static void check_url(struct check *check, const struct json *endpoint, const struct place *place)
{
    struct place url = {place, "url", 0};
    struct span address = json_get_text(endpoint, "url");
    const char *fault = address.len > 0 ? endpoint_url_fault(address) : NULL;

    if (fault != NULL)
        complain(check->list, &url, "%s", fault);
}

void document_check_endpoint(struct check *check, const struct json *endpoint, const struct place *place)
{
    struct place secrets = {place, "secrets", 0};
    struct json *secret;

    check_url(check, endpoint, place);
    EACH(secret, at, json_get(endpoint, "secrets"), &secrets)
        if (json_text(secret).ptr != NULL && !is_secret(json_text(secret)))
            complain(check->list, &at, "must be whsec_ and the base64 of at most 64 bytes");
}

static void check_delivery(struct check *check, const struct json *delivery, const struct place *place)
{
    struct place legacy = {place, "legacy_signature", 0};

    document_check_endpoint(check, delivery, place);
    if (json_get_bool(delivery, "legacy_signature", false) && json_count(json_get(delivery, "secrets")) == 0)
        complain(check->list, &legacy, "needs a secret");
}

void document_check_buyer(struct check *check, const struct json *buyer, const struct place *place)
{
    struct place delivery = {place, "delivery", 0}, ping = {place, "ping", 0};

    document_claim(check, check->buyers, json_get_text(buyer, "id"), place, "id", "buyer");
    document_check_caps(check, buyer, place);
    document_check_suppression(check, buyer, place);
    check_delivery(check, json_get(buyer, "delivery"), &delivery);
    document_check_format(check, buyer, &delivery);
    check_url(check, json_get(buyer, "ping"), &ping);
}
