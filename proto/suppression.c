#include "proto/suppression.h"

#include "common/digest.h"
#include "proto/normal.h"

#include <string.h>

enum { MD5_HEX = 2 * DIGEST_MD5_BYTES, SHA256_HEX = 2 * DIGEST_BYTES };

/* The text that lists have hashed; absent when the value has no normal form. */
static struct span hashed_text(struct arena *arena, enum field_type type, struct span value)
{
    static const struct span us = {"+1", 2};
    struct span form;

    if (type == FIELD_EMAIL)
        return normal_match(arena, type, normal_email(arena, value));
    form = normal_phone(arena, value, false);
    if (form.ptr != NULL && span_starts(form, us))
        return (struct span){form.ptr + us.len, form.len - us.len};
    return form;
}

bool suppression_keys_of(struct arena *arena, enum field_type type, struct span value, struct suppression_keys *keys)
{
    struct span text = hashed_text(arena, type, value);
    uint8_t sha256[DIGEST_BYTES];

    if (text.len == 0)
        return false;
    digest_md5(text, keys->md5.bytes);
    digest_sha256(text, sha256);
    memcpy(keys->sha256.bytes, sha256, sizeof keys->sha256.bytes);
    return true;
}

enum suppression_kind suppression_kind_of(enum field_type type, bool is_md5)
{
    if (type == FIELD_PHONE)
        return is_md5 ? SUPPRESSION_PHONE_MD5 : SUPPRESSION_PHONE_SHA256;
    return is_md5 ? SUPPRESSION_EMAIL_MD5 : SUPPRESSION_EMAIL_SHA256;
}

/* Reads a hash into both keys. Returns false when it is of another shape. */
static bool read_hash(struct span text, struct suppression_keys *keys)
{
    uint8_t bytes[DIGEST_BYTES];

    if (text.len != MD5_HEX && text.len != SHA256_HEX)
        return false;
    if (digest_unhex(text, bytes, text.len / 2) != 0)
        return false;
    memcpy(keys->md5.bytes, bytes, sizeof keys->md5.bytes);
    keys->sha256 = keys->md5;
    return true;
}

const char *suppression_entry_read(struct arena *arena, enum field_type type, struct span text, struct suppression_entry *entry)
{
    text = span_trim(text);
    entry->is_hash = read_hash(text, &entry->keys);
    entry->is_md5 = entry->is_hash && text.len == MD5_HEX;
    if (entry->is_hash || suppression_keys_of(arena, type, text, &entry->keys))
        return NULL;
    return type == FIELD_EMAIL ? "is no e-mail address, MD5 or SHA-256" : "is no phone number, MD5 or SHA-256";
}
