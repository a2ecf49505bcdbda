#include "gateway/proxy_protocol.h"

#include <string.h>

enum { FIXED_BYTES = 16, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, IPV4_BYTES = 12, IPV6_BYTES = 36 };

int proxy_read(struct span bytes, uint8_t address[16], bool *has_address)
{
    static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    size_t known = bytes.len < sizeof signature ? bytes.len : sizeof signature;
    size_t rest;

    *has_address = false;
    if (memcmp(bytes.ptr, signature, known) != 0)
        return -1;
    if (bytes.len < FIXED_BYTES)
        return 0;
    rest = (size_t)at[14] << 8 | at[15];
    if (at[12] >> 4 != 2 || (at[12] & 15) > COMMAND_PROXY || FIXED_BYTES + rest > PROXY_BYTES_MOST)
        return -1;
    if (bytes.len < FIXED_BYTES + rest)
        return 0;
    if ((at[12] & 15) == COMMAND_PROXY && at[13] >> 4 == FAMILY_IPV4 && rest >= IPV4_BYTES) {
        memcpy(address, mapped, sizeof mapped);
        memcpy(address + sizeof mapped, at + FIXED_BYTES, 4);
        *has_address = true;
    } else if ((at[12] & 15) == COMMAND_PROXY && at[13] >> 4 == FAMILY_IPV6 && rest >= IPV6_BYTES) {
        memcpy(address, at + FIXED_BYTES, 16);
        *has_address = true;
    }
    return (int)(FIXED_BYTES + rest);
}
