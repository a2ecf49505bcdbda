#include "proto/frame_bound.h"

#include <stdint.h>

/* What begins at a byte: how many bytes of length follow it, what the length counts, and the payload besides. */
struct token {
    uint8_t length_bytes;
    uint8_t elements; /* for each unit of length: 1 in a list, 2 in a map, 0 otherwise */
    uint8_t bytes;    /* for each unit of length: 1 in texts and bytes, 0 otherwise */
    uint32_t length;  /* when length_bytes is 0 */
    uint8_t more;     /* bytes besides */
};

/* The formats of the msgpack specification. */
static struct token token_of(uint8_t first)
{
    static const uint8_t number_bytes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8};

    if (first <= 0x7f || first >= 0xe0)
        return (struct token){0};
    if (first <= 0x8f)
        return (struct token){.elements = 2, .length = first & 0x0f};
    if (first <= 0x9f)
        return (struct token){.elements = 1, .length = first & 0x0f};
    if (first <= 0xbf)
        return (struct token){.bytes = 1, .length = first & 0x1f};
    if (first <= 0xc3)
        return (struct token){0};
    if (first <= 0xc6)
        return (struct token){.length_bytes = (uint8_t)(1 << (first - 0xc4)), .bytes = 1};
    if (first <= 0xc9)
        return (struct token){.length_bytes = (uint8_t)(1 << (first - 0xc7)), .bytes = 1, .more = 1};
    if (first <= 0xd3)
        return (struct token){.more = number_bytes[first - 0xca]};
    if (first <= 0xd8)
        return (struct token){.more = (uint8_t)(1 + (1 << (first - 0xd4)))};
    if (first <= 0xdb)
        return (struct token){.length_bytes = (uint8_t)(1 << (first - 0xd9)), .bytes = 1};
    if (first <= 0xdd)
        return (struct token){.length_bytes = (uint8_t)(2 << (first - 0xdc)), .elements = 1};
    return (struct token){.length_bytes = (uint8_t)(2 << (first - 0xde)), .elements = 2};
}

bool frame_is_bounded(struct span message)
{
    uint64_t announced = 0, at = 0;

    while (at < message.len) {
        struct token token = token_of((uint8_t)message.ptr[at++]);
        uint64_t length = token.length;

        if (token.length_bytes > message.len - at)
            return false;
        for (int i = 0; i < token.length_bytes; i++)
            length = length << 8 | (uint8_t)message.ptr[at++];
        announced += length * token.elements;
        at += length * token.bytes + token.more;
        if (announced > message.len)
            return false;
    }
    return at == message.len;
}
