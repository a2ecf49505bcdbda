/*
 * transform.h - what a campaign has done to a value before it is checked by its type (SPEC.md, 5).
 *
 * Pure functions of the text.
 *
 * trim    no white space at both ends, Unicode's neither (ASCII's goes from every value anyway)
 * upper   upper case: the letters of proto/letter.h
 * lower   lower case
 * digits  nothing but 0-9: "$50,000" becomes 50000; a sign, a point and a + are lost, too
 * title   each word with one upper-case letter in front, the rest lower: "ANNA-LENA O'BRIEN" becomes "Anna-Lena O'Brien".
 *         Letters and digits make a word; an apostrophe begins another one only behind a single letter (O', D')
 */
#ifndef LEADLINE_PROTO_TRANSFORM_H
#define LEADLINE_PROTO_TRANSFORM_H

#include "common/arena.h"
#include "common/span.h"

#include <stddef.h>

enum transform { TRANSFORM_TRIM, TRANSFORM_UPPER, TRANSFORM_LOWER, TRANSFORM_DIGITS, TRANSFORM_TITLE };

/* The transform of that word ("trim"), or -1. */
int transform_of(struct span word);
const char *transform_word(enum transform transform);

/* All words, for a sentence: "trim, upper, …". Static. */
const char *transform_words(void);

/*
 * Does them one after another.
 *
 * text  well-formed UTF-8
 * Returns the text that comes out, never longer, in text or in arena; it may be empty.
 */
struct span transform_text(struct arena *arena, const enum transform *transforms, size_t count, struct span text);

#endif
