#include "proto/letter.h"

#include <stddef.h>

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
