#include "common/buf.h"

#include "common/must.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buf *buf_new(size_t room)
{
    struct buf *buf = must_alloc(sizeof *buf);

    buf->room = room > 0 ? room : 64;
    buf->data = must_alloc(buf->room);
    buf->len = 0;
    return buf;
}

void buf_free(struct buf **buf)
{
    if (*buf != NULL) {
        free((*buf)->data);
        free(*buf);
        *buf = NULL;
    }
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->room - buf->len < more) {
        size_t room = buf->room * 2;

        if (room < buf->len + more)
            room = buf->len + more;
        buf->data = must_realloc(buf->data, room);
        buf->room = room;
    }
    return buf->data + buf->len;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(buf_reserve(buf, len), bytes, len);
    buf->len += len;
}

void buf_add_span(struct buf *buf, struct span text)
{
    buf_add(buf, text.ptr, text.len);
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(len >= 0);
    vsnprintf(buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

void buf_add_u32(struct buf *buf, uint32_t value)
{
    value = htobe32(value);
    buf_add(buf, &value, sizeof value);
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    value = htobe64(value);
    buf_add(buf, &value, sizeof value);
}

struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->data, buf->len};
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}
