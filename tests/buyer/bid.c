#include "tests/buyer/bid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct span root = {"/ping", 5};

bool bid_is_price(struct span text)
{
    size_t digits = 0, behind = 0;
    bool has_point = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9')
            *(has_point ? &behind : &digits) += 1;
        else if (text.ptr[i] == '.' && !has_point)
            has_point = true;
        else
            return false;
    }
    return text.len < BID_PRICE_BYTES && digits > 0 && (!has_point || behind == 2);
}

/* What stands behind "/ping/". */
static struct span price_in(struct span path)
{
    return path.len > root.len ? (struct span){path.ptr + root.len + 1, path.len - root.len - 1} : (struct span){"", 0};
}

bool bid_is_asked(struct span path)
{
    return span_starts(path, root) && (path.len == root.len || (path.ptr[root.len] == '/' && bid_is_price(price_in(path))));
}

size_t bid_print(struct span path, const char *otherwise, char out[BID_BODY_BYTES])
{
    struct span price = price_in(path);
    char text[BID_PRICE_BYTES + 1];

    if (price.len == 0)
        price = span_of(otherwise);
    snprintf(text, sizeof text, "%.*s", SPAN_FMT(price));
    if (strtod(text, NULL) <= 0)
        return 0;
    return (size_t)snprintf(out, BID_BODY_BYTES, "{\"bid_price\":\"%s\"}", text);
}
