#include "proto/money.h"

#include <inttypes.h>
#include <stdio.h>

const char *money_text(int64_t cents, char *out)
{
    int64_t size = cents < 0 ? -cents : cents;

    snprintf(out, MONEY_TEXT_BYTES, "%s%" PRId64 ".%02d", cents < 0 ? "-" : "", size / 100, (int)(size % 100));
    return out;
}

/* Digits, a point and at most so many digits behind it; as a whole number of the smallest unit. */
static int decimal(struct span text, size_t most_digits, int places, int64_t *out)
{
    size_t at = 0;
    int behind = 0;
    int64_t value = 0;

    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        value = value * 10 + (text.ptr[at++] - '0');
    if (at == 0 || at > most_digits)
        return -1;
    if (at < text.len) {
        if (text.ptr[at++] != '.' || at == text.len)
            return -1;
        while (at < text.len && behind < places && text.ptr[at] >= '0' && text.ptr[at] <= '9') {
            value = value * 10 + (text.ptr[at++] - '0');
            behind++;
        }
        if (at < text.len)
            return -1;
    }
    while (behind++ < places)
        value *= 10;
    *out = value;
    return 0;
}

int money_parse(struct span text, int64_t *cents)
{
    return text.len > 16 ? -1 : decimal(text, 12, 2, cents);
}

int money_percent(struct span text, int64_t *millionths)
{
    if (text.len > 16 || decimal(text, 3, 4, millionths) != 0)
        return -1;
    return *millionths <= 1000000 ? 0 : -1;
}

int64_t money_share(int64_t cents, int64_t millionths)
{
    __int128 product = (__int128)(cents < 0 ? -cents : cents) * millionths;
    int64_t whole = (int64_t)(product / 1000000);
    int64_t rest = (int64_t)(product % 1000000);

    if (rest > 500000 || (rest == 500000 && whole % 2 != 0))
        whole++;
    return cents < 0 ? -whole : whole;
}
