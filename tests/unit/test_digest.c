/* test_digest.c - common/digest.c against the vectors of FIPS 180-4, RFC 4231 and RFC 4648. */
#include "common/digest.h"

#include "common/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void sha256(void **state)
{
    static const struct { const char *claim; struct span text; const char *want; } rows[] = {
        {"nothing", {NULL, 0}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"one block", SPAN("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"two blocks", SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t out[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    char *million = must_alloc(1000000);

    (void)state;
    for (int turn = 0; turn < 2; turn++) /* the context is used again */
        for (size_t i = 0; i < COUNT(rows); i++) {
            digest_sha256(rows[i].text, out);
            if (strcmp(digest_hex(out, sizeof out, hex), rows[i].want) != 0)
                fail_msg("%s: got %s", rows[i].claim, hex);
        }
    memset(million, 'a', 1000000);
    digest_sha256((struct span){million, 1000000}, out);
    assert_string_equal(digest_hex(out, sizeof out, hex), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* RFC 4231, section 4; keys and data as hexadecimal, "xx*n" for a byte n times. */
static struct span unpack(const char *text, uint8_t *out)
{
    const char *star = strchr(text, '*');
    size_t len = star != NULL ? (size_t)atoi(star + 1) : strlen(text) / 2;

    if (star != NULL) {
        assert_int_equal(digest_unhex((struct span){text, 2}, out, 1), 0);
        memset(out, out[0], len);
    } else {
        assert_int_equal(digest_unhex(span_of(text), out, len), 0);
    }
    return (struct span){(const char *)out, len};
}

static void hmac(void **state)
{
    static const struct { const char *claim, *key, *data, *want; } rows[] = {
        {"case 1", "0b*20", "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"case 2, a short key", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"case 3", "aa*20", "dd*50", "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"case 4", "0102030405060708090a0b0c0d0e0f10111213141516171819", "cd*50",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {"case 6, a key longer than a block", "aa*131",
         "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"an empty key and no data", "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    uint8_t key[200], data[200], out[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];

    (void)state;
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            digest_hmac(unpack(rows[i].key, key), unpack(rows[i].data, data), out);
            if (strcmp(digest_hex(out, sizeof out, hex), rows[i].want) != 0)
                fail_msg("%s: got %s", rows[i].claim, hex);
        }
    digest_hmac((struct span){NULL, 0}, (struct span){NULL, 0}, out);
    assert_string_equal(digest_hex(out, sizeof out, hex), rows[COUNT(rows) - 1].want);
}

static void base64(void **state)
{
    static const struct { const char *text, *want, *url; } rows[] = {
        {"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"}, {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf *out = buf_new(0);

        buf_add_text(out, ">");
        digest_base64(span_of(rows[i].text), out);
        assert_string_equal(buf_text(out) + 1, rows[i].want);
        out->len = 1;
        digest_base64url(span_of(rows[i].text), out);
        assert_string_equal(buf_text(out) + 1, rows[i].url);
        out->len = 1;
        assert_int_equal(digest_unbase64(span_of(rows[i].want), out), 0);
        assert_string_equal(buf_text(out) + 1, rows[i].text);
        buf_free(&out);
    }
}

static void bad_base64(void **state)
{
    static const struct { const char *claim, *text; } rows[] = {
        {"padding is required", "Zg"}, {"one character is none", "Z"}, {"one pad too few", "Zg="}, {"three pads", "Z==="},
        {"pads only", "===="}, {"a pad in the middle", "Zg==Zg=="}, {"another alphabet", "-_-_"}, {"a blank", "Zm 9"},
        {"a line break", "Zm9v\n"}, {"bits behind the end", "Zh=="}, {"bits behind the end", "Zm9="},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf *out = buf_new(0);

        if (digest_unbase64(span_of(rows[i].text), out) != -1 || out->len != 0)
            fail_msg("%s: %s was read", rows[i].claim, rows[i].text);
        buf_free(&out);
    }
}

static void base64_of_everything(void **state)
{
    uint8_t bytes[256];

    (void)state;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct buf *text = buf_new(0), *back = buf_new(0);

        digest_random(bytes, len);
        digest_base64((struct span){(char *)bytes, len}, text);
        assert_int_equal(digest_unbase64(buf_span(text), back), 0);
        assert_true(span_equal(buf_span(back), (struct span){(char *)bytes, len}));
        buf_free(&text);
        buf_free(&back);
    }
}

static void hexadecimal(void **state)
{
    uint8_t out[4] = {0};
    char text[9];

    (void)state;
    assert_int_equal(digest_unhex(SPAN("00fFA1e9"), out, 4), 0);
    assert_string_equal(digest_hex(out, 4, text), "00ffa1e9");
    assert_int_equal(digest_unhex(SPAN("00ffa1e"), out, 4), -1);
    assert_int_equal(digest_unhex(SPAN("00ffa1e9a"), out, 4), -1);
    assert_int_equal(digest_unhex(SPAN("00ffa1g9"), out, 4), -1);
    assert_int_equal(digest_unhex(SPAN("00ffa1 9"), out, 4), -1);
    assert_int_equal(digest_unhex(SPAN("0@"), out, 1), -1);
    assert_int_equal(digest_unhex(SPAN(""), out, 0), 0);
}

static void random_and_equal(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    assert_true(digest_equal(a, b, sizeof a));
    digest_random(a, sizeof a);
    assert_false(digest_equal(a, b, sizeof a));
    digest_random(b, sizeof b);
    assert_false(digest_equal(a, b, sizeof a));
    memcpy(b, a, sizeof b);
    assert_true(digest_equal(a, b, sizeof a));
    b[31] ^= 1;
    assert_false(digest_equal(a, b, sizeof a));
    assert_true(digest_equal(a, b, 31));
}

/* AES-256-GCM of McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16. */
static const struct {
    const char *key, *nonce, *aad, *plain, *sealed;
} seals[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void sealing(void **state)
{
    uint8_t key[SEAL_KEY_BYTES], nonce[SEAL_NONCE_BYTES], aad[64], plain[64], sealed[96];

    (void)state;
    for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
        size_t aad_len = strlen(seals[i].aad) / 2, plain_len = strlen(seals[i].plain) / 2, sealed_len = strlen(seals[i].sealed) / 2;
        struct buf *out = buf_new(0), *back = buf_new(0);

        digest_unhex(span_of(seals[i].key), key, sizeof key);
        digest_unhex(span_of(seals[i].nonce), nonce, sizeof nonce);
        digest_unhex(span_of(seals[i].aad), aad, aad_len);
        digest_unhex(span_of(seals[i].plain), plain, plain_len);
        digest_unhex(span_of(seals[i].sealed), sealed, sealed_len);
        digest_seal(key, nonce, (struct span){(char *)aad, aad_len}, (struct span){(char *)plain, plain_len}, out);
        assert_int_equal(out->len, sealed_len);
        assert_memory_equal(out->data, sealed, sealed_len);
        assert_int_equal(digest_open(key, nonce, (struct span){(char *)aad, aad_len}, buf_span(out), back), 0);
        assert_true(span_equal(buf_span(back), (struct span){(char *)plain, plain_len}));
        back->len = 0;
        nonce[0] ^= 1;
        assert_int_equal(digest_open(key, nonce, (struct span){(char *)aad, aad_len}, buf_span(out), back), -1);
        nonce[0] ^= 1;
        out->data[out->len - 1] ^= 1;
        assert_int_equal(digest_open(key, nonce, (struct span){(char *)aad, aad_len}, buf_span(out), back), -1);
        assert_int_equal(digest_open(key, nonce, (struct span){(char *)aad, aad_len}, (struct span){out->data, SEAL_TAG_BYTES - 1}, back), -1);
        assert_int_equal(back->len, 0);
        buf_free(&out);
        buf_free(&back);
    }
}

static const struct { const char *text; int rc; const char *hex; } url_rows[] = {
    {"", 0, ""}, {"-_8", 0, "fbff"}, {"AA", 0, "00"}, {"AAA", 0, "0000"}, {"AAAA", 0, "000000"},
    {"A", -1, ""}, {"AB", -1, ""}, {"AAB", -1, ""}, {"AA==", -1, ""}, {"+/8", -1, ""}, {"AA\n", -1, ""}, {"AAAAA", -1, ""},
};

static void base64url_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof url_rows / sizeof *url_rows; i++) {
        struct buf *out = buf_new(0);
        char hex[16];

        if (digest_unbase64url(span_of(url_rows[i].text), out) != url_rows[i].rc)
            fail_msg("%s is taken, or not", url_rows[i].text);
        assert_string_equal(digest_hex((uint8_t *)out->data, out->len, hex), url_rows[i].hex);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),
        cmocka_unit_test(hmac),
        cmocka_unit_test(base64),
        cmocka_unit_test(bad_base64),
        cmocka_unit_test(base64_of_everything),
        cmocka_unit_test(hexadecimal),
        cmocka_unit_test(random_and_equal),
        cmocka_unit_test(sealing),
        cmocka_unit_test(base64url_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
