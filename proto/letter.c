#include "proto/letter.h"

#include "proto/ascii.h"

#include <stddef.h>
#include <string.h>

/* Each step-th code point from first to last is an upper-case letter, its lower-case one is `distance` behind it. */
static const struct { uint32_t first, last, step; int32_t distance; } rows[] = {
    {'A', 'Z', 1, 32},
    {0x00c0, 0x00d6, 1, 32}, {0x00d8, 0x00de, 1, 32},                                       /* Latin-1 */
    {0x0100, 0x012e, 2, 1}, {0x0132, 0x0136, 2, 1}, {0x0139, 0x0147, 2, 1},                 /* Latin Extended-A */
    {0x014a, 0x0176, 2, 1}, {0x0178, 0x0178, 1, -121}, {0x0179, 0x017d, 2, 1},
    {0x0386, 0x0386, 1, 38}, {0x0388, 0x038a, 1, 37}, {0x038c, 0x038c, 1, 64},              /* Greek */
    {0x038e, 0x038f, 1, 63}, {0x0391, 0x03a1, 1, 32}, {0x03a3, 0x03ab, 1, 32},
    {0x0400, 0x040f, 1, 80}, {0x0410, 0x042f, 1, 32}, {0x0460, 0x0480, 2, 1},               /* Cyrillic */
    {0x048a, 0x04be, 2, 1}, {0x04c0, 0x04c0, 1, 15}, {0x04c1, 0x04cd, 2, 1}, {0x04d0, 0x052e, 2, 1},
    {0x1e00, 0x1e94, 2, 1}, {0x1ea0, 0x1efe, 2, 1},                                         /* Latin Extended Additional */
};

uint32_t letter_upper(uint32_t c)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t upper = c - (uint32_t)rows[i].distance; /* whatever wraps around is in no row */

        if (upper >= rows[i].first && upper <= rows[i].last && (upper - rows[i].first) % rows[i].step == 0)
            return upper;
    }
    return c;
}

uint32_t letter_lower(uint32_t c)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (c >= rows[i].first && c <= rows[i].last && (c - rows[i].first) % rows[i].step == 0)
            return c + (uint32_t)rows[i].distance;
    return c;
}

/* UTF-8 --------------------------------------------------------------------------------------------------------------- */

size_t letter_bytes(char first)
{
    unsigned char byte = (unsigned char)first;

    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

uint32_t letter_read(const char *ptr, size_t bytes)
{
    static const uint8_t head_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)ptr[0] & head_bits[bytes];

    for (size_t i = 1; i < bytes; i++)
        c = c << 6 | ((uint8_t)ptr[i] & 0x3f);
    return c;
}

/* Over a character of equally many bytes, whose first byte stays as far as it says how many. */
void letter_write(char *ptr, size_t bytes, uint32_t c)
{
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = bytes; i-- > 1; c >>= 6)
        ptr[i] = (char)(0x80 | (c & 0x3f));
    ptr[0] = (char)(heads[bytes] | c);
}

struct span letter_lower_text(struct arena *arena, struct span text)
{
    struct span copy = arena_copy(arena, text);

    for (size_t at = 0, bytes; at < copy.len; at += bytes) {
        bytes = letter_bytes(copy.ptr[at]);
        letter_write((char *)copy.ptr + at, bytes, letter_lower(letter_read(copy.ptr + at, bytes)));
    }
    return copy;
}

/* The character at that place in lower case. Returns its bytes; 1 inside of one. */
static size_t lower_at(struct span text, size_t at, char out[4])
{
    unsigned char first = (unsigned char)text.ptr[at];
    size_t bytes = first < 0xc2 ? 1 : letter_bytes(text.ptr[at]);

    if (bytes == 1 || bytes > text.len - at) {
        out[0] = ascii_lower(text.ptr[at]);
        return 1;
    }
    letter_write(out, bytes, letter_lower(letter_read(text.ptr + at, bytes)));
    return bytes;
}

int letter_order(struct span text, struct span lower)
{
    size_t shorter = text.len < lower.len ? text.len : lower.len;
    char c[4];

    for (size_t at = 0; at < shorter;) {
        size_t bytes = lower_at(text, at, c);

        for (size_t i = 0; i < bytes && at < shorter; i++, at++)
            if (c[i] != lower.ptr[at])
                return (unsigned char)c[i] - (unsigned char)lower.ptr[at];
    }
    return (text.len > lower.len) - (text.len < lower.len);
}

bool letter_equal(struct span a, struct span b)
{
    char c[4], d[4];

    if (a.len != b.len)
        return false;
    for (size_t at = 0, bytes; at < a.len; at += bytes) {
        bytes = lower_at(a, at, c);
        if (lower_at(b, at, d) != bytes || memcmp(c, d, bytes) != 0)
            return false;
    }
    return true;
}
