#include "tests/buyer/signature.h"

#include "common/digest.h"

#include <stdlib.h>

static const struct span PREFIX = {"whsec_", 6};

struct buf *signature_key(const char *secret, struct error *err)
{
    struct span text = span_of(secret);
    struct buf *key;

    if (!span_starts(text, PREFIX)) {
        error_set(err, "a secret begins with whsec_");
        return NULL;
    }
    key = buf_new(64);
    if (digest_unbase64((struct span){text.ptr + PREFIX.len, text.len - PREFIX.len}, key) != 0 || key->len == 0) {
        error_set(err, "behind whsec_ a secret is base64");
        buf_free(&key);
    }
    return key;
}

/* Seconds since 1970; -1 when it is no such number. */
static int64_t seconds_of(struct span text)
{
    int64_t value = 0;

    if (text.len == 0 || text.len > 12)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        value = value * 10 + (text.ptr[i] - '0');
    }
    return value;
}

/* Is one of the signatures, parted by blanks, this one? All are looked at, whichever it is. */
static bool has_signature(struct span list, struct span wanted)
{
    bool found = false;
    size_t at = 0;

    while (at < list.len) {
        size_t end = at;

        while (end < list.len && list.ptr[end] != ' ')
            end++;
        if (end - at == wanted.len &&
            digest_equal((const uint8_t *)list.ptr + at, (const uint8_t *)wanted.ptr, wanted.len))
            found = true;
        at = end + 1;
    }
    return found;
}

const char *signature_wrong(struct span key, struct span id, struct span timestamp, struct span signatures, struct span body,
                            int64_t now_ms)
{
    int64_t at_s = seconds_of(timestamp);
    uint8_t mac[DIGEST_BYTES];
    struct buf *signed_text, *wanted;
    bool is_right;

    if (id.len == 0 || timestamp.len == 0 || signatures.len == 0)
        return "missing";
    if (at_s < 0)
        return "wrong: its timestamp is no number";
    if (llabs(now_ms / 1000 - at_s) > SIGNATURE_TOLERANCE_S)
        return "wrong: its timestamp is not of now";

    signed_text = buf_new(id.len + timestamp.len + body.len + 2);
    buf_add_span(signed_text, id);
    buf_add_text(signed_text, ".");
    buf_add_span(signed_text, timestamp);
    buf_add_text(signed_text, ".");
    buf_add_span(signed_text, body);
    digest_hmac(key, buf_span(signed_text), mac);

    wanted = buf_new(64);
    buf_add_text(wanted, "v1,");
    digest_base64((struct span){(const char *)mac, sizeof mac}, wanted);
    is_right = has_signature(signatures, buf_span(wanted));
    buf_free(&wanted);
    buf_free(&signed_text);
    return is_right ? NULL : "wrong";
}
