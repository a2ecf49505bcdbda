#include "proto/ascii.h"
#include "proto/normal.h"

enum { ZIP_DIGITS = 5, PLUS_FOUR_DIGITS = 4 };

struct span normal_zip(struct arena *arena, struct span text)
{
    struct span zip, rest;

    (void)arena; /* it is the beginning of what was sent */
    text = span_trim(text);
    if (text.len < ZIP_DIGITS)
        return (struct span){NULL, 0};
    zip = (struct span){text.ptr, ZIP_DIGITS};
    rest = (struct span){text.ptr + ZIP_DIGITS, text.len - ZIP_DIGITS};
    if (rest.len == 1 + PLUS_FOUR_DIGITS && rest.ptr[0] == '-')
        rest = (struct span){rest.ptr + 1, PLUS_FOUR_DIGITS};
    if ((rest.len != 0 && rest.len != PLUS_FOUR_DIGITS) || !ascii_are_digits(zip) || !ascii_are_digits(rest))
        return (struct span){NULL, 0};
    return zip;
}
