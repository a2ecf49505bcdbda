#include "common/cidr.h"

#include "common/must.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

static void map_v4(uint8_t address[16], const void *v4)
{
    memcpy(address, MAPPED, sizeof MAPPED);
    memcpy(address + sizeof MAPPED, v4, 4);
}

/* Reads an address as written; sets the number of bits that it is long. */
static int read_address(struct span text, uint8_t address[16], unsigned *bits)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t v4[4];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
        return -1;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        map_v4(address, v4);
        *bits = 32;
        return 0;
    }
    *bits = 128;
    return inet_pton(AF_INET6, copy, address) == 1 ? 0 : -1;
}

/* A decimal number without sign and leading zeros, at most `most`; -1 when it is none. */
static int read_bits(struct span text, unsigned most)
{
    unsigned bits = 0;

    if (text.len == 0 || text.len > 3 || (text.len > 1 && text.ptr[0] == '0'))
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        bits = bits * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return bits <= most ? (int)bits : -1;
}

int cidr_parse(struct cidr *cidr, struct span text)
{
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    unsigned longest;
    int bits;

    if (read_address((struct span){text.ptr, len}, cidr->address, &longest) != 0)
        return -1;
    bits = (int)longest;
    if (slash != NULL)
        bits = read_bits((struct span){slash + 1, text.len - len - 1}, longest);
    if (bits < 0)
        return -1;
    cidr->bits = 128 - longest + (unsigned)bits;
    for (unsigned bit = cidr->bits; bit < 128; bit++)
        if (cidr->address[bit / 8] & 0x80 >> bit % 8)
            return -1;
    return 0;
}

int cidr_address(struct span text, uint8_t address[16])
{
    bool is_bracketed = text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    unsigned bits;

    if (is_bracketed)
        text = (struct span){text.ptr + 1, text.len - 2};
    if (read_address(text, address, &bits) != 0)
        return -1;
    return is_bracketed && bits != 128 ? -1 : 0;
}

int cidr_of_socket(const struct sockaddr *address, uint8_t out[16])
{
    switch (address->sa_family) {
    case AF_INET:
        map_v4(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
        return 0;
    case AF_INET6:
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return 0;
    default:
        return -1;
    }
}

bool cidr_has(const struct cidr *cidr, const uint8_t address[16])
{
    unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;

    return memcmp(cidr->address, address, whole) == 0 &&
           (rest == 0 || (cidr->address[whole] ^ address[whole]) >> (8 - rest) == 0);
}

bool cidr_any_has(const struct cidr *list, size_t count, const uint8_t address[16])
{
    for (size_t i = 0; i < count; i++)
        if (cidr_has(&list[i], address))
            return true;
    return false;
}

/* The ways to write an IPv4 address as IPv6: what follows these 96 bits is one. */
static const uint8_t v4_forms[][12] = {
    {0},                                     /* ::/96, compatible (RFC 4291, 2.5.5.1) */
    {[10] = 0xff, [11] = 0xff},              /* ::ffff:0:0/96, mapped (RFC 4291, 2.5.5.2) */
    {[8] = 0xff, [9] = 0xff},                /* ::ffff:0:0:0/96, translated (RFC 2765) */
    {0x00, 0x64, 0xff, 0x9b},                /* 64:ff9b::/96, translated (RFC 6052) */
};

static bool is_in_special(const uint8_t plain[16])
{
    static const char *const texts[] = {
#define SPECIAL(range, why) range,
#include "common/special_address.def"
#undef SPECIAL
    };
    static struct cidr ranges[sizeof texts / sizeof texts[0]];
    static bool is_read;

    if (!is_read) {
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            must(cidr_parse(&ranges[i], span_of(texts[i])) == 0);
        is_read = true;
    }
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (cidr_has(&ranges[i], plain) && (ranges[i].bits >= 96 || memcmp(plain, MAPPED, sizeof MAPPED) != 0))
            return true; /* an IPv4 address is judged by IPv4 ranges only, though ::/8 holds its mapped form */
    return false;
}

/* ISATAP (RFC 5214): behind any prefix, the last 64 bits say that they are of a host with this IPv4 address. */
static bool is_isatap(const uint8_t address[16])
{
    return (address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

bool cidr_is_special(const uint8_t address[16])
{
    uint8_t plain[16];

    memcpy(plain, address, sizeof plain);
    for (size_t i = 0; i < sizeof v4_forms / sizeof v4_forms[0]; i++)
        if (memcmp(address, v4_forms[i], sizeof v4_forms[i]) == 0)
            memcpy(plain, MAPPED, sizeof MAPPED);
    if (is_in_special(plain))
        return true;
    memcpy(plain, MAPPED, sizeof MAPPED);
    return is_isatap(address) && is_in_special(plain);
}
