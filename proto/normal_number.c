#include "proto/ascii.h"
#include "proto/normal.h"

#include <string.h>

enum { NUMBER_DIGITS_MOST = 40, EXPONENT_MOST = 100000 };

/* 0.d1d2d3… × 10^point, without zeros at either end; count 0 is zero. */
struct decimal {
    bool is_negative;
    long point;
    size_t count;
    char digits[2 * NUMBER_DIGITS_MOST];
};

/* Takes one digit of the mantissa. Zeros wait until something else follows. Returns false when there are too many digits. */
static bool take_digit(struct decimal *number, char digit, size_t *zeros)
{
    if (digit == '0') {
        *zeros += number->count > 0;
        return true;
    }
    if (number->count + *zeros >= sizeof number->digits)
        return false;
    memset(number->digits + number->count, '0', *zeros);
    number->count += *zeros;
    number->digits[number->count++] = digit;
    *zeros = 0;
    return true;
}

/* Digits with at most one point among them. Returns how many bytes that is, 0 when it is no number. */
static size_t read_mantissa(struct decimal *number, struct span text)
{
    size_t at, digits = 0, zeros = 0;
    bool has_point = false;

    for (at = 0; at < text.len; at++) {
        if (text.ptr[at] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (!ascii_is_digit(text.ptr[at]))
            break;
        if (!take_digit(number, text.ptr[at], &zeros))
            return 0;
        digits++;
        if (!has_point && number->count > 0)
            number->point++;
        if (has_point && number->count == 0)
            number->point--;
    }
    return digits > 0 ? at : 0;
}

/* "e+12" and the like, to the end of the text; nothing is 0. Returns false when it is something else. */
static bool read_exponent(struct span text, long *exponent)
{
    size_t at = 1;
    bool is_negative;

    *exponent = 0;
    if (text.len == 0)
        return true;
    if (text.ptr[0] != 'e' && text.ptr[0] != 'E')
        return false;
    is_negative = text.len > 1 && text.ptr[1] == '-';
    if (text.len > 1 && (text.ptr[1] == '-' || text.ptr[1] == '+'))
        at++;
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (!ascii_is_digit(text.ptr[at]))
            return false;
        if (*exponent < EXPONENT_MOST)
            *exponent = *exponent * 10 + (text.ptr[at] - '0');
    }
    if (is_negative)
        *exponent = -*exponent;
    return true;
}

static struct span print(struct arena *arena, const struct decimal *number)
{
    long count = (long)number->count, point = number->point;
    char *text = arena_alloc(arena, sizeof number->digits + sizeof "-0.");
    size_t len = 0;

    if (number->is_negative)
        text[len++] = '-';
    if (point <= 0) {
        text[len++] = '0';
        text[len++] = '.';
    }
    for (long i = point; i < 0; i++)
        text[len++] = '0';
    for (long i = 0; i < count || i < point; i++) {
        if (i > 0 && i == point)
            text[len++] = '.';
        text[len++] = i < count ? number->digits[i] : '0';
    }
    return (struct span){text, len};
}

struct span normal_number(struct arena *arena, struct span text)
{
    struct decimal number = {.count = 0};
    size_t len;
    long exponent;

    text = span_trim(text);
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        number.is_negative = text.ptr[0] == '-';
        text = (struct span){text.ptr + 1, text.len - 1};
    }
    len = read_mantissa(&number, text);
    if (len == 0 || !read_exponent((struct span){text.ptr + len, text.len - len}, &exponent))
        return (struct span){NULL, 0};
    if (number.count == 0)
        return SPAN("0");
    number.point += exponent;
    if (number.point > NUMBER_DIGITS_MOST || (long)number.count - number.point > NUMBER_DIGITS_MOST)
        return (struct span){NULL, 0};
    return print(arena, &number);
}
