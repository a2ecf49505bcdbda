/*
 * suppression.h - by what a suppression list knows a phone or an e-mail (SPEC.md, 5).
 *
 * What is hashed is the normal form: a US phone as ten digits, another with + and country code, an e-mail wholly in lower case.
 * Lists hold MD5 or SHA-256 of it, whichever they were given; of a SHA-256 the first 16 bytes are kept, of a plain value those of
 * its SHA-256. So whoever looks a value up looks for two keys, and either is a hit.
 *
 * All functions are pure. Keys are stored: this never changes.
 */
#ifndef LEADLINE_PROTO_SUPPRESSION_H
#define LEADLINE_PROTO_SUPPRESSION_H

#include "common/arena.h"
#include "common/span.h"
#include "common/uuid.h"
#include "proto/field.h"

#include <stdbool.h>

/* Both keys of one value. */
struct suppression_keys {
    struct uuid md5, sha256;
};

/*
 * The keys of a phone or an e-mail.
 *
 * type   FIELD_PHONE or FIELD_EMAIL
 * value  in any form that is taken of a lead
 * Returns false when it is none.
 */
bool suppression_keys_of(struct arena *arena, enum field_type type, struct span value, struct suppression_keys *keys);

/*
 * What an entry may be. A list knows of which kinds it has any, so that a lead is looked up by those only: mostly that is one search
 * instead of four.
 */
enum suppression_kind { SUPPRESSION_PHONE_MD5, SUPPRESSION_PHONE_SHA256, SUPPRESSION_EMAIL_MD5, SUPPRESSION_EMAIL_SHA256, SUPPRESSION_KINDS };

/* The kind of a phone's or an e-mail's (FIELD_PHONE, FIELD_EMAIL) digest. */
enum suppression_kind suppression_kind_of(enum field_type type, bool is_md5);

/* An entry as an operator gives it. */
struct suppression_entry {
    bool is_hash;                 /* MD5 or SHA-256: keys.md5 and keys.sha256 are both that one */
    bool is_md5;                  /* then: which */
    struct suppression_keys keys;
};

/*
 * Reads an entry: 32 hexadecimal digits are an MD5, 64 a SHA-256, in either case; anything else is a plain value.
 *
 * Returns NULL, or why it is none ("is no phone number"), static.
 */
const char *suppression_entry_read(struct arena *arena, enum field_type type, struct span text, struct suppression_entry *entry);

#endif
