#include "leadctl/endpoint_url.h"

#include "common/arena.h"
#include "common/cidr.h"
#include "proto/normal.h"

#include <arpa/inet.h>
#include <string.h>

/* The host of a URL that normal_url() took; an IPv6 address with its brackets. */
static struct span host_of(struct span url)
{
    const char *begin = (const char *)memchr(url.ptr, ':', url.len) + 3, *end = url.ptr + url.len, *p = begin;

    if (p < end && *p == '[')
        while (p < end && *p != ']')
            p++;
    while (p < end && strchr(":/?#", *p) == NULL)
        p++;
    return (struct span){begin, (size_t)(p - begin)};
}

/* The address that stands there instead of a name, also in the short and old forms that resolvers take ("127.1", "0x7f000001"). */
static bool read_literal(struct span host, uint8_t address[16])
{
    char text[64], dotted[INET_ADDRSTRLEN];
    struct in_addr old;

    if (cidr_address(host, address) == 0)
        return true;
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_aton(text, &old) == 0 || inet_ntop(AF_INET, &old, dotted, sizeof dotted) == NULL)
        return false;
    return cidr_address(span_of(dotted), address) == 0;
}

const char *endpoint_url_fault(struct span url, bool allows_private)
{
    struct arena *arena = arena_new();
    struct span normal = normal_url(arena, url);
    const char *fault = NULL;
    uint8_t address[16];

    if (normal.len == 0 || normal.len != url.len)
        fault = "must be an http or https URL with a host, without user and blanks";
    else if (host_of(normal).ptr[0] == '[' && !read_literal(host_of(normal), address))
        fault = "must have a well-formed IPv6 address between its brackets";
    else if (!allows_private && read_literal(host_of(normal), address) && cidr_is_special(address))
        fault = "has a private or reserved address, and allow_private_endpoints is off";
    arena_free(&arena);
    return fault;
}
