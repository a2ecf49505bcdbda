/* proto/suppression.c: by which keys lists know a value. */
#include "common/digest.h"
#include "proto/suppression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void key_text(const struct uuid *key, char out[33])
{
    digest_hex(key->bytes, sizeof key->bytes, out);
}

static void expect_keys(const char *claim, const struct suppression_keys *keys, const char *text)
{
    uint8_t md5[DIGEST_MD5_BYTES], sha256[DIGEST_BYTES];

    digest_md5(span_of(text), md5);
    digest_sha256(span_of(text), sha256);
    if (memcmp(keys->md5.bytes, md5, 16) != 0 || memcmp(keys->sha256.bytes, sha256, 16) != 0)
        fail_msg("%s: not the keys of %s", claim, text);
}

static const struct {
    const char *claim;
    enum field_type type;
    const char *value;
    const char *hashed; /* NULL: none */
} rows[] = {
    {"ten digits", FIELD_PHONE, "5552345678", "5552345678"},
    {"as people write it", FIELD_PHONE, " +1 (555) 234-5678", "5552345678"},
    {"eleven digits", FIELD_PHONE, "15552345678", "5552345678"},
    {"the normal form", FIELD_PHONE, "+15552345678", "5552345678"},
    {"another country", FIELD_PHONE, "+44 20 7946 0958", "+442079460958"},
    {"no area code", FIELD_PHONE, "2345678", NULL},
    {"no phone", FIELD_PHONE, "john@example.com", NULL},
    {"nothing", FIELD_PHONE, "", NULL},
    {"an address", FIELD_EMAIL, "john@example.com", "john@example.com"},
    {"in capitals", FIELD_EMAIL, " John.DOE@Example.COM ", "john.doe@example.com"},
    {"no address", FIELD_EMAIL, "john@", NULL},
    {"a phone is no address", FIELD_EMAIL, "5552345678", NULL},
};

static void test_keys(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct suppression_keys keys;
        struct suppression_entry entry;
        bool is_good = suppression_keys_of(arena, rows[i].type, span_of(rows[i].value), &keys);
        const char *why = suppression_entry_read(arena, rows[i].type, span_of(rows[i].value), &entry);

        if (is_good != (rows[i].hashed != NULL) || is_good != (why == NULL))
            fail_msg("%s: %s", rows[i].claim, is_good ? "taken" : "refused");
        if (!is_good)
            continue;
        expect_keys(rows[i].claim, &keys, rows[i].hashed);
        expect_keys(rows[i].claim, &entry.keys, rows[i].hashed);
        assert_false(entry.is_hash);
    }
    arena_free(&arena);
}

static void test_md5_is_md5(void **state)
{
    uint8_t md5[DIGEST_MD5_BYTES];
    char hex[33];

    (void)state;
    digest_md5(SPAN(""), md5);
    assert_string_equal(digest_hex(md5, sizeof md5, hex), "d41d8cd98f00b204e9800998ecf8427e");
    digest_md5(SPAN("abc"), md5);
    assert_string_equal(digest_hex(md5, sizeof md5, hex), "900150983cd24fb0d6963f7d28e17f72");
}

static void test_hashes_are_told_by_their_shape(void **state)
{
    static const char sha256[] = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"; /* of "abc" */
    struct arena *arena = arena_new();
    struct suppression_entry entry;
    char hex[33];

    (void)state;
    assert_null(suppression_entry_read(arena, FIELD_PHONE, SPAN(" 900150983cd24fb0d6963f7d28e17f72\r"), &entry));
    key_text(&entry.keys.md5, hex);
    assert_true(entry.is_hash && entry.is_md5 && strcmp(hex, "900150983cd24fb0d6963f7d28e17f72") == 0);
    assert_memory_equal(&entry.keys.md5, &entry.keys.sha256, 16);
    assert_null(suppression_entry_read(arena, FIELD_EMAIL, span_of(sha256), &entry));
    key_text(&entry.keys.sha256, hex);
    assert_true(entry.is_hash && !entry.is_md5 && strcmp(hex, "ba7816bf8f01cfea414140de5dae2223") == 0);
    assert_non_null(suppression_entry_read(arena, FIELD_PHONE, (struct span){sha256, 63}, &entry));
    assert_non_null(suppression_entry_read(arena, FIELD_PHONE, (struct span){sha256, 31}, &entry));
    assert_non_null(suppression_entry_read(arena, FIELD_EMAIL, SPAN("g00150983cd24fb0d6963f7d28e17f72"), &entry));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_md5_is_md5),
        cmocka_unit_test(test_hashes_are_told_by_their_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
