#include "leadctl/endpoint_url.h"

#include "common/arena.h"
#include "common/cidr.h"
#include "proto/normal.h"

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

const char *endpoint_url_fault(struct span url)
{
    struct arena *arena = arena_new();
    struct span normal = normal_url(arena, url);
    const char *fault = NULL;
    uint8_t address[16];

    if (normal.len == 0 || normal.len != url.len)
        fault = "must be an http or https URL with a host, without user and blanks";
    else if (memmem(url.ptr, url.len, "{{", 2) != NULL)
        fault = "cannot hold {{: places stand in the template and in headers; with GET the template is the URL's query";
    else if (host_of(normal).ptr[0] == '[' && cidr_address(host_of(normal), address) != 0)
        fault = "must have a well-formed IPv6 address between its brackets";
    arena_free(&arena);
    return fault;
}
