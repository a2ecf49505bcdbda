#include "proto/decimal.h"

#include <string.h>

static size_t whole_digits(struct span number)
{
    const char *point = memchr(number.ptr, '.', number.len);

    return point != NULL ? (size_t)(point - number.ptr) : number.len;
}

/* Of two numbers without signs. With as many digits before the point, they are in the order of their text. */
static int compare_sizes(struct span a, struct span b)
{
    size_t x = whole_digits(a), y = whole_digits(b);

    return x != y ? (x < y ? -1 : 1) : span_compare(a, b);
}

int decimal_compare(struct span a, struct span b)
{
    bool is_a_negative = a.len > 0 && a.ptr[0] == '-', is_b_negative = b.len > 0 && b.ptr[0] == '-';

    if (is_a_negative != is_b_negative)
        return is_a_negative ? -1 : 1;
    if (is_a_negative)
        return compare_sizes((struct span){b.ptr + 1, b.len - 1}, (struct span){a.ptr + 1, a.len - 1});
    return compare_sizes(a, b);
}
