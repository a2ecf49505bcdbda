/*
 * digest.h - hashes, message authentication, sealing, random bytes and their texts (OpenSSL).
 */
#ifndef LEADLINE_COMMON_DIGEST_H
#define LEADLINE_COMMON_DIGEST_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65, DIGEST_MD5_BYTES = 16 };

/* SHA-256 (FIPS 180-4) of the bytes. */
void digest_sha256(struct span bytes, uint8_t out[DIGEST_BYTES]);

/* MD5 (RFC 1321): for lists that others have made with it, never for safety. */
void digest_md5(struct span bytes, uint8_t out[DIGEST_MD5_BYTES]);

/* HMAC-SHA256 (RFC 2104). */
void digest_hmac(struct span key, struct span bytes, uint8_t out[DIGEST_BYTES]);

/* Random bytes fit for keys. Cannot fail. */
void digest_random(uint8_t *out, size_t len);

/* Lower-case hexadecimal and a zero; out has 2 * len + 1 bytes. Returns out. */
const char *digest_hex(const uint8_t *bytes, size_t len, char *out);

/* Reads hexadecimal of either case into exactly len bytes. Returns 0 or -1. */
int digest_unhex(struct span text, uint8_t *out, size_t len);

/* Base64 with padding (RFC 4648, 4), and with the URL alphabet without padding (RFC 4648, 5). */
void digest_base64(struct span bytes, struct buf *out);
void digest_base64url(struct span bytes, struct buf *out);

/* Reads base64 of section 4, padding required. Appends to out. Returns 0, or -1 when it is not base64. */
int digest_unbase64(struct span text, struct buf *out);

/* The same of section 5: URL alphabet, no padding. */
int digest_unbase64url(struct span text, struct buf *out);

/*
 * AES-256-GCM (RFC 5116, AEAD_AES_256_GCM). A nonce is used once under a key: random ones are.
 *
 * aad  is authenticated, too, and stays outside
 * seal appends as many bytes as plain has, and the tag. open appends what was sealed and returns 0, or -1, with out as it was, when
 * the bytes were not sealed with this key, nonce and aad.
 */
enum { SEAL_KEY_BYTES = 32, SEAL_NONCE_BYTES = 12, SEAL_TAG_BYTES = 16 };
void digest_seal(const uint8_t key[SEAL_KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES], struct span aad, struct span plain, struct buf *out);
int digest_open(const uint8_t key[SEAL_KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES], struct span aad, struct span sealed, struct buf *out);

/* Equal? Takes the same time wherever they differ. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t len);

#endif
