#include "proto/ascii.h"
#include "proto/normal.h"

#include <string.h>

enum { PORT_MOST = 65535 };

/* Length of "http://" or "https://" in any case, 0 when the text begins with neither. */
static size_t scheme_len(struct span text)
{
    static const struct span schemes[] = {{"http://", 7}, {"https://", 8}};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (text.len > schemes[i].len && span_equal_nocase((struct span){text.ptr, schemes[i].len}, schemes[i]))
            return schemes[i].len;
    return 0;
}

/* No blanks, no controls, nothing that RFC 3986 forbids everywhere and a page would stumble over. Other than ASCII is let through. */
static bool is_clean(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f || strchr("\"<>\\", text.ptr[i]) != NULL)
            return false;
    return true;
}

/* "[2001:db8::1]" by its characters; whether it is an address, the resolver says. */
static bool is_literal(struct span host)
{
    if (host.len < 4 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < host.len; i++)
        if (strchr("0123456789abcdefABCDEF:.", host.ptr[i]) == NULL)
            return false;
    return true;
}

static bool is_host(struct span host)
{
    if (is_literal(host))
        return true;
    if (host.len == 0 || host.len > 253 || !ascii_is_alnum(host.ptr[0]))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (c == '.' ? host.ptr[i - 1] == '.' : !ascii_is_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool is_port(struct span port)
{
    int value = 0;

    for (size_t i = 0; i < port.len; i++) {
        if (!ascii_is_digit(port.ptr[i]) || value > PORT_MOST)
            return false;
        value = value * 10 + (port.ptr[i] - '0');
    }
    return value >= 1 && value <= PORT_MOST;
}

/* Host and port, no user. */
static bool is_authority(struct span text)
{
    const char *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
    size_t host_len = text.len;

    if (colon != NULL && text.ptr[text.len - 1] != ']') {
        host_len = (size_t)(colon - text.ptr);
        if (!is_port((struct span){colon + 1, text.len - host_len - 1}))
            return false;
    }
    return is_host((struct span){text.ptr, host_len});
}

struct span normal_url(struct arena *arena, struct span text)
{
    size_t scheme, path;
    char *copy;

    text = span_trim(text);
    scheme = scheme_len(text);
    if (scheme == 0 || !is_clean(text))
        return (struct span){NULL, 0};
    for (path = scheme; path < text.len && strchr("/?#", text.ptr[path]) == NULL; path++)
        continue;
    if (!is_authority((struct span){text.ptr + scheme, path - scheme}))
        return (struct span){NULL, 0};
    copy = arena_alloc(arena, text.len);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = i < path ? ascii_lower(text.ptr[i]) : text.ptr[i];
    return (struct span){copy, text.len};
}
