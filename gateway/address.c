#include "gateway/address.h"

#include <string.h>

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

int trusted_read(struct trusted_proxies *trusted, struct span list, struct error *err)
{
    size_t at = 0;

    trusted->count = 0;
    while (at < list.len) {
        struct span item = {list.ptr + at, 0};

        while (at + item.len < list.len && !is_separator(item.ptr[item.len]))
            item.len++;
        if (item.len > 0) {
            if (trusted->count == TRUSTED_MOST)
                return error_set(err, "more than %d ranges of trusted proxies", TRUSTED_MOST);
            if (cidr_parse(&trusted->ranges[trusted->count], item) != 0)
                return error_set(err, "not a range of addresses: %.*s", SPAN_FMT(item));
            trusted->count++;
        }
        at += item.len + 1;
    }
    return 0;
}

/* One hop: an address, maybe with a port behind it, as some proxies write it. */
static bool read_hop(struct span hop, uint8_t out[16])
{
    const char *colon = memchr(hop.ptr, ':', hop.len);
    const char *bracket;

    if (hop.len > 0 && hop.ptr[0] == '[') {
        bracket = memchr(hop.ptr, ']', hop.len);
        if (bracket == NULL)
            return false;
        hop.len = (size_t)(bracket - hop.ptr) + 1;
    } else if (colon != NULL && memchr(colon + 1, ':', hop.len - (size_t)(colon + 1 - hop.ptr)) == NULL) {
        hop.len = (size_t)(colon - hop.ptr);
    }
    return cidr_address(hop, out) == 0;
}

bool address_of_client(const struct trusted_proxies *trusted, const uint8_t peer[16], struct span forwarded_for, uint8_t out[16])
{
    size_t end = forwarded_for.len;

    memcpy(out, peer, 16);
    while (forwarded_for.ptr != NULL && cidr_any_has(trusted->ranges, trusted->count, out)) {
        size_t begin = end;
        struct span hop;

        while (begin > 0 && forwarded_for.ptr[begin - 1] != ',')
            begin--;
        hop = span_trim((struct span){forwarded_for.ptr + begin, end - begin});
        if (!read_hop(hop, out))
            return false;
        if (begin == 0)
            return true;
        end = begin - 1;
    }
    return true;
}
