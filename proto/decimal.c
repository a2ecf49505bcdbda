#include "proto/decimal.h"

#include <string.h>

static struct span until_point(struct span number)
{
    const char *point = number.len > 0 ? memchr(number.ptr, '.', number.len) : NULL;

    return (struct span){number.ptr, point != NULL ? (size_t)(point - number.ptr) : number.len};
}

static struct span behind(struct span text, size_t len)
{
    return (struct span){text.ptr + len, text.len - len};
}

/* Of two numbers without sign. No needless zeros: more digits before the point are more, and fractions go by their bytes. */
static int compare_sizes(struct span a, struct span b)
{
    struct span whole_a = until_point(a), whole_b = until_point(b);
    int order;

    if (whole_a.len != whole_b.len)
        return whole_a.len < whole_b.len ? -1 : 1;
    order = span_compare(whole_a, whole_b);
    return order != 0 ? order : span_compare(behind(a, whole_a.len), behind(b, whole_b.len));
}

int decimal_compare(struct span a, struct span b)
{
    bool is_below_a = a.len > 0 && a.ptr[0] == '-', is_below_b = b.len > 0 && b.ptr[0] == '-';

    if (is_below_a != is_below_b)
        return is_below_a ? -1 : 1;
    return is_below_a ? compare_sizes(behind(b, 1), behind(a, 1)) : compare_sizes(a, b);
}
