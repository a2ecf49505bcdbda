/*
 * letter.h - upper and lower case of characters, whatever the locale says.
 *
 * Knows the Latin letters of names in use (ASCII, Latin-1, Latin Extended-A, Vietnamese), Greek and Cyrillic, each with the one
 * letter that is its other case. What has none, or one in fewer or more bytes of UTF-8, stays as it is: ß, ı, İ, ſ.
 */
#ifndef LEADLINE_PROTO_LETTER_H
#define LEADLINE_PROTO_LETTER_H

#include "common/arena.h"
#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

/* A code point in; the code point of the other case, as many bytes long in UTF-8, or the same. */
uint32_t letter_upper(uint32_t c);
uint32_t letter_lower(uint32_t c);

/* Characters of well-formed UTF-8: how many bytes the one has that begins with this; which one it is; another one over it, of as many bytes. */
size_t letter_bytes(char first);
uint32_t letter_read(const char *ptr, size_t bytes);
void letter_write(char *ptr, size_t bytes, uint32_t c);

/* Well-formed UTF-8 with each letter in lower case; in arena. */
struct span letter_lower_text(struct arena *arena, struct span text);

/* The order by bytes of a text and one that is in lower case already, without regard to case: below, equal to or above 0. Either may begin
 * or end inside a character. */
int letter_order(struct span text, struct span lower);

/* Equal without regard to case. */
bool letter_equal(struct span a, struct span b);

#endif
