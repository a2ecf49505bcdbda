#include "common/uuid.h"

#include "common/must.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct uuid uuid_v7(int64_t at_ms)
{
    static int64_t last_ms;
    static uint16_t sequence; /* RFC 9562, 6.2, method 1: a counter in rand_a keeps ids of one millisecond in order */
    struct uuid id;
    static uint8_t pool[1024];
    static size_t pool_left;

    if (pool_left < 10) {
        must(getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool);
        pool_left = sizeof pool;
    }
    pool_left -= 10;
    memcpy(id.bytes + 6, pool + pool_left, 10);
    if (at_ms > last_ms) {
        last_ms = at_ms;
        sequence = (uint16_t)((id.bytes[6] & 0x03) << 8 | id.bytes[7]); /* begins low, so that there is room to count */
    } else if (++sequence > 0x0fff) {
        last_ms++;
        sequence = 0;
    }
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | sequence >> 8);
    id.bytes[7] = (uint8_t)sequence;
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

int64_t uuid_ms(const struct uuid *id)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

const char *uuid_text(const struct uuid *id, char *out)
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[id->bytes[i] >> 4];
        *p++ = hex[id->bytes[i] & 15];
    }
    *p = '\0';
    return out;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int uuid_parse(struct uuid *id, struct span text)
{
    size_t at = 0;

    if (text.len != 36)
        return -1;
    for (int i = 0; i < 16; i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-')
            return -1;
        high = nibble(text.ptr[at++]);
        low = nibble(text.ptr[at++]);
        if (high < 0 || low < 0)
            return -1;
        id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;

    return uuid_compare(id, &nil) == 0;
}

struct span uuid_span(const struct uuid *id)
{
    return (struct span){(const char *)id->bytes, sizeof id->bytes};
}
