/*
 * normal.h - brings a value to its one form, by its type (SPEC.md, 5).
 *
 * Pure functions. The validator uses them for leads, the gateway for look-ups, leadctl for imports.
 * Normalising a normal form again gives the same.
 *
 * type     taken                                                             normal form
 * string   any text; a JSON number by its text                               without white space at its ends
 * number   decimal text or a JSON number, sign and exponent allowed, no      canonical JSON: no exponent, plus sign or needless zero;
 *          separators; at most 40 digits on either side of the point         work is on the text, so nothing is rounded
 * boolean  true/false yes/no y/n 1/0 on/off t/f in any case; JSON's          true, false
 * phone    digits with blanks and - . ( ) / among them, + in front;          E.164
 *          a JSON number of digits only
 * email    RFC 5321's dot-string @ domain of two labels or more, in          the domain in lower case
 *          ASCII (a foreign domain in its xn-- form), no quotes, no
 *          address literal; local part at most 64 bytes, 254 in all
 * date     YYYY-MM-DD, with or without a time behind it (the date stays      YYYY-MM-DD
 *          as written, whatever the offset); MM/DD/YYYY, M/D/YYYY
 * state    code or full name in any case; blanks, dots and commas are left   two upper-case letters
 *          out
 * zip      5 digits, 9 digits, 5-4; JSON's 75201, but not 2101: a zero       5 digits
 *          that was lost is not guessed
 * url      http or https with a host, without user, blanks and controls      scheme and host in lower case
 * list     one of the campaign's values, without case                        as the campaign spells it
 */
#ifndef LEADLINE_PROTO_NORMAL_H
#define LEADLINE_PROTO_NORMAL_H

#include "proto/field.h"

enum normal {
    NORMAL_OK,
    NORMAL_INVALID,     /* invalid_format */
    NORMAL_TOO_LONG,    /* too_long: over VALUE_BYTES_MOST, measured as sent */
    NORMAL_NOT_ALLOWED, /* not_allowed: not one of the list's values */
};

/*
 * Gives the normal form of one value.
 *
 * spec   type, is_strict, values of a list and transforms, borrowed; its other options are proto/field_judge.h's business
 * value  as sent, not absent: kind and text
 * out    kind and text of the normal form; the text lives in arena, in the spec or in the value; its name is left alone.
 *        An empty out->text means that only white space was sent, or that the transforms left nothing: the value counts as
 *        absent. Undefined when it is refused.
 * why    when it is refused: a phrase for the supplier ("must be a phone number …"), static
 */
enum normal normal_value(struct arena *arena, const struct field_spec *spec, const struct field *value, struct field *out, const char **why);

/* The code of a field error: "invalid_format" and so on, "" for NORMAL_OK. */
const char *normal_code(enum normal normal);

/* What holds for every value, also of fields that no campaign defines: one value, not too long, UTF-8 without NUL. */
enum normal normal_check(const struct field *value, const char **why);

/*
 * E.164 ("+15551234567"). A number without + is a US one: ten digits, or eleven beginning with 1. One with + has 8 to 15
 * digits and stays as it is, but +1 obeys the US rules; a "(0)" behind a country code is dropped. A US area code begins
 * with 2-9; is_strict: the exchange code, too. Returns absent when it is no phone number, or has an extension.
 */
struct span normal_phone(struct arena *arena, struct span text, bool is_strict);

/* Trimmed, the domain in lower case. Returns absent when it is no address. */
struct span normal_email(struct arena *arena, struct span text);

/* What a value is compared by in duplicate rules and look-ups: an e-mail wholly in lower case, others as they are. */
struct span normal_match(struct arena *arena, enum field_type type, struct span normal_form);

/* Two upper-case letters, of a code or a full name in any case. Returns absent when it is none of the 50 states, DC and the territories. */
struct span normal_state(struct arena *arena, struct span text);

/* Five digits, of "75201" or "75201-1234". */
struct span normal_zip(struct arena *arena, struct span text);

/* "2026-02-28". Returns absent when there is no such day. */
struct span normal_date(struct arena *arena, struct span text);

/* "-12.5", as JSON writes numbers. Returns absent when it is none, or has too many digits. */
struct span normal_number(struct arena *arena, struct span text);

/* "true" or "false", static. Returns absent for any other word. */
struct span normal_boolean(struct span text);

/* Returns absent when it is no http or https URL. */
struct span normal_url(struct arena *arena, struct span text);

#endif
