/*
 * fuzz_proxy.c - any bytes as the beginning of a connection that a load balancer opened: nothing is read behind the bytes, a
 * header that is whole is whole at its own length, and one that is not whole asks for more.
 */
#include "common/must.h"
#include "gateway/proxy_protocol.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same in memory that ends behind the last byte, so that the sanitizer sees a step too far. */
static int read_exactly(const uint8_t *data, size_t size, uint8_t address[16], bool *has_address)
{
    char *copy = malloc(size > 0 ? size : 1);
    int length;

    if (size > 0)
        memcpy(copy, data, size);
    *has_address = false;
    length = proxy_read((struct span){copy, size}, address, has_address);
    free(copy);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t address[16] = {0}, again[16] = {0};
    bool has_address, has_again;
    int length = read_exactly(data, size, address, &has_address);

    must(length >= -1 && length <= PROXY_BYTES_MOST && (length <= 0 || (size_t)length <= size));
    must(length != 0 || size < PROXY_BYTES_MOST);
    if (length > 0) {
        must(read_exactly(data, (size_t)length, again, &has_again) == length);
        must(has_again == has_address && (!has_address || memcmp(address, again, sizeof again) == 0));
        must(read_exactly(data, (size_t)length - 1, again, &has_again) == 0);
    } else {
        must(!has_address);
    }
    return 0;
}
