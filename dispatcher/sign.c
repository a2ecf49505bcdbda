#include "dispatcher/sign.h"

#include "common/digest.h"

#include <string.h>

/* The key of a secret; padding may be left out, as some tools do. Appends to key. */
static void decode_secret(struct buf *key, struct span secret)
{
    static const struct span prefix = {"whsec_", 6};
    struct span text = secret;
    struct buf *padded;

    if (span_starts(text, prefix))
        text = (struct span){text.ptr + prefix.len, text.len - prefix.len};
    padded = buf_new(text.len + 4);
    buf_add_span(padded, text);
    while (padded->len % 4 != 0)
        buf_add(padded, "=", 1);
    if (digest_unbase64(buf_span(padded), key) != 0) {
        key->len = 0;
        buf_add_span(key, secret);
    }
    buf_free(&padded);
}

void sign_webhook(struct buf *out, const struct span *secrets, size_t count, struct span id, int64_t at_s, struct span body)
{
    struct buf *signed_text = buf_new(id.len + body.len + 32);
    struct buf *key = buf_new(64);
    uint8_t mac[DIGEST_BYTES];

    buf_add_span(signed_text, id);
    buf_printf(signed_text, ".%lld.", (long long)at_s);
    buf_add_span(signed_text, body);
    for (size_t i = 0; i < count; i++) {
        key->len = 0;
        decode_secret(key, secrets[i]);
        digest_hmac(buf_span(key), buf_span(signed_text), mac);
        buf_add_text(out, i > 0 ? " v1," : "v1,");
        digest_base64((struct span){(const char *)mac, sizeof mac}, out);
    }
    explicit_bzero(key->data, key->room);
    buf_free(&key);
    buf_free(&signed_text);
}

void sign_legacy(struct buf *out, struct span secret, struct span body)
{
    uint8_t mac[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];

    digest_hmac(secret, body, mac);
    buf_add_text(out, digest_hex(mac, sizeof mac, hex));
}
