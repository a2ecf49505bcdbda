/*
 * normal.h - brings a value to its one form, by its type (SPEC.md, 5).
 *
 * Pure functions. The validator uses them for leads, the gateway for look-ups, leadctl for imports.
 */
#ifndef LEADLINE_PROTO_NORMAL_H
#define LEADLINE_PROTO_NORMAL_H

#include "proto/field.h"

enum normal {
    NORMAL_OK,
    NORMAL_INVALID,     /* invalid_format */
    NORMAL_TOO_LONG,    /* too_long: over VALUE_BYTES_MOST */
    NORMAL_NOT_ALLOWED, /* not_allowed: not one of the list's values */
};

/*
 * Gives the normal form of one value.
 *
 * spec   type and options, borrowed
 * value  as sent, not absent: kind and text
 * out    kind and text of the normal form; the text lives in arena (or is the value's own); its name is left alone.
 *        An empty out->text means that only white space was sent: the value counts as absent.
 * why    when it is refused: a phrase for the supplier ("must be a phone number of ten digits"), static
 */
enum normal normal_value(struct arena *arena, const struct field_spec *spec, const struct field *value, struct field *out, const char **why);

/* E.164 ("+15551234567"). is_strict: exchange codes are checked, too. Returns absent when it is no phone number. */
struct span normal_phone(struct arena *arena, struct span text, bool is_strict);

/* Trimmed, the domain in lower case. Returns absent when it is no address. */
struct span normal_email(struct arena *arena, struct span text);

/* What a value is compared by in duplicate rules and look-ups: an e-mail wholly in lower case, others as they are. */
struct span normal_match(struct arena *arena, enum field_type type, struct span normal_form);

/* Two upper-case letters, of a code or a full name in any case. Returns absent when it is none of the 50 states, DC and the territories. */
struct span normal_state(struct arena *arena, struct span text);

/* Five digits, of "75201" or "75201-1234". */
struct span normal_zip(struct arena *arena, struct span text);

#endif
