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

/* So many characters of a group that are no padding become one byte less. Returns 0, or -1 when they are no base64. */
static int decode_group(const char *text, size_t kept, int (*six_of)(char), struct buf *out)
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int six = i < kept ? six_of(text[i]) : 0;

        if (six < 0)
            return -1;
        group = group << 6 | (uint32_t)six;
    }
    if ((kept == 2 && (group & 0xffff) != 0) || (kept == 3 && (group & 0xff) != 0))
        return -1; /* bits behind the end: two texts would stand for the same bytes */
    buf_add(out, (const uint8_t[]){(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group}, kept - 1);
    return 0;
}

static int decode(struct span text, int (*six_of)(char), struct buf *out)
{
    size_t before = out->len;

    if (text.len % 4 == 1)
        return -1;
    buf_reserve(out, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i += 4)
        if (decode_group(text.ptr + i, text.len - i < 4 ? text.len - i : 4, six_of, out) != 0) {
            out->len = before;
            return -1;
        }
    return 0;
}

int digest_unbase64(struct span text, struct buf *out)
{
    size_t pads = 0;

    if (text.len % 4 != 0)
        return -1;
    while (pads < 2 && pads < text.len && text.ptr[text.len - 1 - pads] == '=')
        pads++;
    return decode((struct span){text.ptr, text.len - pads}, sextet, out);
}

static int url_sextet(char c)
{
    return c == '-' ? 62 : c == '_' ? 63 : c == '+' || c == '/' ? -1 : sextet(c);
}

int digest_unbase64url(struct span text, struct buf *out)
{
    return decode(text, url_sextet, out);
}

/* Sealing ------------------------------------------------------------------------------------------------------------- */

/* A direction's context, with the key of the last time: setting one up costs more than sealing a small text. */
struct sealing {
    EVP_CIPHER_CTX *ctx;
    uint8_t key[SEAL_KEY_BYTES];
};

static EVP_CIPHER_CTX *sealing_ctx(struct sealing *sealing, bool seals, const uint8_t *key, const uint8_t *nonce)
{
    static EVP_CIPHER *aes;
    const uint8_t *new_key = sealing->ctx == NULL || memcmp(sealing->key, key, SEAL_KEY_BYTES) != 0 ? key : NULL;
    const EVP_CIPHER *cipher = NULL;

    if (aes == NULL)
        must((aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) != NULL);
    if (sealing->ctx == NULL) {
        must((sealing->ctx = EVP_CIPHER_CTX_new()) != NULL);
        cipher = aes;
    }
    must(EVP_CipherInit_ex2(sealing->ctx, cipher, new_key, nonce, seals, NULL) == 1);
    memcpy(sealing->key, key, SEAL_KEY_BYTES);
    return sealing->ctx;
}

void digest_seal(const uint8_t key[SEAL_KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES], struct span aad, struct span plain, struct buf *out)
{
    static struct sealing sealing;
    EVP_CIPHER_CTX *ctx = sealing_ctx(&sealing, true, key, nonce);
    uint8_t *to = (uint8_t *)buf_reserve(out, plain.len + SEAL_TAG_BYTES);
    int len;

    must(EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)aad.ptr, (int)aad.len) == 1);
    must(EVP_EncryptUpdate(ctx, to, &len, (const uint8_t *)plain.ptr, (int)plain.len) == 1 && (size_t)len == plain.len);
    must(EVP_EncryptFinal_ex(ctx, to + plain.len, &len) == 1 && len == 0);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, to + plain.len) == 1);
    out->len += plain.len + SEAL_TAG_BYTES;
}

int digest_open(const uint8_t key[SEAL_KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES], struct span aad, struct span sealed, struct buf *out)
{
    static struct sealing sealing;
    size_t plain_len = sealed.len - SEAL_TAG_BYTES;
    uint8_t tag[SEAL_TAG_BYTES], *to;
    EVP_CIPHER_CTX *ctx;
    int len;

    if (sealed.len < SEAL_TAG_BYTES)
        return -1;
    ctx = sealing_ctx(&sealing, false, key, nonce);
    to = (uint8_t *)buf_reserve(out, plain_len);
    memcpy(tag, sealed.ptr + plain_len, sizeof tag);
    must(EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)aad.ptr, (int)aad.len) == 1);
    must(EVP_DecryptUpdate(ctx, to, &len, (const uint8_t *)sealed.ptr, (int)plain_len) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1);
    if (EVP_DecryptFinal_ex(ctx, to + plain_len, &len) != 1)
        return -1;
    out->len += plain_len;
    return 0;
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
