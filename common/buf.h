/*
 * buf.h - bytes that grow.
 */
#ifndef LEADLINE_COMMON_BUF_H
#define LEADLINE_COMMON_BUF_H

#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* len bytes in use; never NULL */
    size_t len;
    size_t room;
};

/* An empty buffer with room for that many bytes, owned by the caller. */
struct buf *buf_new(size_t room);
void buf_free(struct buf **buf);

/* Makes room for more bytes behind the end and returns where they begin; len stays. */
char *buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_span(struct buf *buf, struct span text);
void buf_add_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Numbers in network byte order. */
void buf_add_u32(struct buf *buf, uint32_t value);
void buf_add_u64(struct buf *buf, uint64_t value);

/* What is in it, borrowed until the next change. */
struct span buf_span(const struct buf *buf);

/* Its content with a zero behind the end (not counted in len), borrowed until the next change. */
const char *buf_text(struct buf *buf);

#endif
