#include "proto/ascii.h"
#include "proto/normal.h"

#include <string.h>

enum { ADDRESS_BYTES_MOST = 254, LOCAL_BYTES_MOST = 64, LABEL_BYTES_MOST = 63 };

/* RFC 5321's Dot-string: atoms with single dots between them; no quotes. */
static bool is_local(struct span local)
{
    if (local.len == 0 || local.len > LOCAL_BYTES_MOST || local.ptr[0] == '.' || local.ptr[local.len - 1] == '.')
        return false;
    for (size_t i = 0; i < local.len; i++) {
        char c = local.ptr[i];

        if (c == '.' ? local.ptr[i - 1] == '.' : !ascii_is_alnum(c) && (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
            return false;
    }
    return true;
}

static bool is_label(struct span label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MOST || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    return true;
}

/* What stands behind the last dot: never a number, or it would be an IP address. */
static bool is_top_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!ascii_is_digit(label.ptr[i]))
            return label.len >= 2;
    return false;
}

/* At least two labels. */
static bool is_domain(struct span domain)
{
    size_t labels = 0;

    for (;;) {
        const char *dot = domain.len > 0 ? memchr(domain.ptr, '.', domain.len) : NULL;
        struct span label = {domain.ptr, dot != NULL ? (size_t)(dot - domain.ptr) : domain.len};

        if (!is_label(label))
            return false;
        labels++;
        if (dot == NULL)
            return labels >= 2 && is_top_label(label);
        domain = (struct span){dot + 1, domain.len - label.len - 1};
    }
}

struct span normal_email(struct arena *arena, struct span text)
{
    const char *at;
    size_t local_len;
    char *copy;

    text = span_trim(text);
    at = text.len > 0 && text.len <= ADDRESS_BYTES_MOST ? memchr(text.ptr, '@', text.len) : NULL;
    if (at == NULL)
        return (struct span){NULL, 0};
    local_len = (size_t)(at - text.ptr);
    if (!is_local((struct span){text.ptr, local_len}) || !is_domain((struct span){at + 1, text.len - local_len - 1}))
        return (struct span){NULL, 0};
    copy = arena_alloc(arena, text.len);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = i < local_len ? text.ptr[i] : ascii_lower(text.ptr[i]);
    return (struct span){copy, text.len};
}
