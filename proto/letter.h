/*
 * letter.h - upper and lower case of single characters, whatever the locale says.
 *
 * Knows the Latin letters of names in use (ASCII, Latin-1, Latin Extended-A, Vietnamese), Greek and Cyrillic, each with the one
 * letter that is its other case. What has none, or one in fewer or more bytes of UTF-8, stays as it is: ß, ı, İ, ſ.
 */
#ifndef LEADLINE_PROTO_LETTER_H
#define LEADLINE_PROTO_LETTER_H

#include <stdint.h>

/* A code point in; the code point of the other case, as many bytes long in UTF-8, or the same. */
uint32_t letter_upper(uint32_t c);
uint32_t letter_lower(uint32_t c);

#endif
