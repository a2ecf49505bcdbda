#include "proto/ascii.h"
#include "proto/normal.h"

#include <string.h>

enum { E164_LEAST = 8, E164_MOST = 15, US_DIGITS = 10 };

struct digits {
    bool has_plus;
    size_t count;
    char text[E164_MOST];
};

/* Takes the digits out of the punctuation. Returns false for what stands in no phone number, and for too many digits. */
static bool read_digits(struct digits *digits, struct span text)
{
    *digits = (struct digits){.count = 0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (digits->has_plus && text.len - i >= 3 && memcmp(text.ptr + i, "(0)", 3) == 0) {
            i += 2; /* +44 (0)20 …: to be dialled at home only */
        } else if (c == '+' && digits->count == 0 && !digits->has_plus) {
            digits->has_plus = true;
        } else if (ascii_is_digit(c)) {
            if (digits->count == E164_MOST)
                return false;
            digits->text[digits->count++] = c;
        } else if (c == '\0' || strchr(" \t-.()/", c) == NULL) {
            return false;
        }
    }
    return true;
}

/* Ten digits: area code, exchange code, line. */
static bool is_us(const char *digits, bool is_strict)
{
    return digits[0] >= '2' && (!is_strict || digits[3] >= '2');
}

struct span normal_phone(struct arena *arena, struct span text, bool is_strict)
{
    struct digits digits;
    const char *us;

    if (!read_digits(&digits, span_trim(text)) || digits.count < E164_LEAST)
        return (struct span){NULL, 0};
    if (digits.has_plus && digits.text[0] != '1') {
        if (digits.text[0] == '0')
            return (struct span){NULL, 0};
        return arena_printf(arena, "+%.*s", (int)digits.count, digits.text);
    }
    us = digits.text; /* +1 and nine more have an area code with 1 */
    if (digits.count == US_DIGITS + 1 && us[0] == '1')
        us++;
    else if (digits.count != US_DIGITS)
        return (struct span){NULL, 0};
    if (!is_us(us, is_strict))
        return (struct span){NULL, 0};
    return arena_printf(arena, "+1%.*s", US_DIGITS, us);
}
