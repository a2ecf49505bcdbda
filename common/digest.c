#include "common/digest.h"

#include "common/must.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

/* Fetching an algorithm costs more than hashing a lead: both contexts are made once and live as long as the process. */
static EVP_MD_CTX *sha256_ctx(const EVP_MD **md)
{
    static EVP_MD *sha256;
    static EVP_MD_CTX *ctx;

    if (ctx == NULL) {
        must((sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) != NULL);
        must((ctx = EVP_MD_CTX_new()) != NULL);
    }
    *md = sha256;
    return ctx;
}

static EVP_MAC_CTX *hmac_ctx(void)
{
    static EVP_MAC_CTX *ctx;

    if (ctx == NULL) {
        char name[] = "SHA256";
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
            OSSL_PARAM_construct_end(),
        };
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

        must(mac != NULL && (ctx = EVP_MAC_CTX_new(mac)) != NULL);
        must(EVP_MAC_CTX_set_params(ctx, params) == 1);
        EVP_MAC_free(mac); /* the context keeps its own reference */
    }
    return ctx;
}

void digest_sha256(struct span bytes, uint8_t out[DIGEST_BYTES])
{
    const EVP_MD *md;
    EVP_MD_CTX *ctx = sha256_ctx(&md);

    must(EVP_DigestInit_ex2(ctx, md, NULL) == 1);
    must(EVP_DigestUpdate(ctx, bytes.ptr, bytes.len) == 1);
    must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

void digest_md5(struct span bytes, uint8_t out[DIGEST_MD5_BYTES])
{
    static EVP_MD *md5;
    static EVP_MD_CTX *ctx;

    if (ctx == NULL) {
        must((md5 = EVP_MD_fetch(NULL, "MD5", NULL)) != NULL);
        must((ctx = EVP_MD_CTX_new()) != NULL);
    }
    must(EVP_DigestInit_ex2(ctx, md5, NULL) == 1);
    must(EVP_DigestUpdate(ctx, bytes.ptr, bytes.len) == 1);
    must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

void digest_hmac(struct span key, struct span bytes, uint8_t out[DIGEST_BYTES])
{
    static char last[128]; /* most keys are used again and again: setting one up costs as much as a short text */
    static size_t last_len = SIZE_MAX;
    EVP_MAC_CTX *ctx = hmac_ctx();
    size_t len = 0;

    if (key.len == last_len && memcmp(key.ptr, last, last_len) == 0) {
        must(EVP_MAC_init(ctx, NULL, 0, NULL) == 1);
    } else {
        must(EVP_MAC_init(ctx, (const uint8_t *)(key.len > 0 ? key.ptr : ""), key.len, NULL) == 1);
        last_len = key.len > 0 && key.len <= sizeof last ? key.len : SIZE_MAX;
        if (last_len != SIZE_MAX)
            memcpy(last, key.ptr, key.len);
    }
    must(EVP_MAC_update(ctx, (const uint8_t *)bytes.ptr, bytes.len) == 1);
    must(EVP_MAC_final(ctx, out, &len, DIGEST_BYTES) == 1 && len == DIGEST_BYTES);
}

void digest_random(uint8_t *out, size_t len)
{
    while (len > 0) {
        int part = len < 65536 ? (int)len : 65536;

        must(RAND_bytes(out, part) == 1);
        out += part;
        len -= (size_t)part;
    }
}

const char *digest_hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex[bytes[i] >> 4];
        out[2 * i + 1] = hex[bytes[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_unhex(struct span text, uint8_t *out, size_t len)
{
    if (text.len != 2 * len)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text.ptr[2 * i]), low = nibble(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static void encode(struct span bytes, const char *alphabet, bool is_padded, struct buf *out)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    char *to = buf_reserve(out, (bytes.len + 2) / 3 * 4);

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);

        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        if (left > 1)
            *to++ = alphabet[group >> 6 & 63];
        else if (is_padded)
            *to++ = '=';
        if (left > 2)
            *to++ = alphabet[group & 63];
        else if (is_padded)
            *to++ = '=';
    }
    out->len = (size_t)(to - out->data);
}

void digest_base64(struct span bytes, struct buf *out)
{
    encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true, out);
}

void digest_base64url(struct span bytes, struct buf *out)
{
    encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false, out);
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int digest_unbase64(struct span text, struct buf *out)
{
    size_t before = out->len, pads = 0;
    uint8_t *to;

    if (text.len % 4 != 0)
        return -1;
    while (pads < 2 && pads < text.len && text.ptr[text.len - 1 - pads] == '=')
        pads++;
    to = (uint8_t *)buf_reserve(out, text.len / 4 * 3);
    for (size_t i = 0; i < text.len; i += 4) {
        size_t kept = i + 4 == text.len ? 4 - pads : 4; /* characters of this group that are no padding */
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            int six = j < kept ? sextet(text.ptr[i + j]) : 0;

            if (six < 0)
                return -1;
            group = group << 6 | (uint32_t)six;
        }
        if ((kept == 2 && (group & 0xffff) != 0) || (kept == 3 && (group & 0xff) != 0))
            return -1; /* bits behind the end: two texts would stand for the same bytes */
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8);
        *to++ = (uint8_t)group;
    }
    out->len = before + text.len / 4 * 3 - pads;
    return 0;
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
