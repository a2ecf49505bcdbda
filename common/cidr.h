/*
 * cidr.h - ranges of IP addresses, RFC 4632 and RFC 4291, and whether an address is in one.
 */
#ifndef LEADLINE_COMMON_CIDR_H
#define LEADLINE_COMMON_CIDR_H

#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/socket.h>

/* Addresses are kept as 16 bytes; IPv4 as IPv4-mapped IPv6 (::ffff:a.b.c.d), so that both forms of one address are equal. */
struct cidr {
    uint8_t address[16];
    unsigned bits; /* of the 128 */
};

/* Reads "203.0.113.0/24", "2001:db8::/32", or a single address. Returns 0, or -1 when it is none (also when host bits are set). */
int cidr_parse(struct cidr *cidr, struct span text);

/* Reads one address, "203.0.113.9" or "2001:db8::1" (also in brackets), to 16 bytes. Returns 0 or -1. */
int cidr_address(struct span text, uint8_t address[16]);

/* The address of a socket, to 16 bytes. Returns 0, or -1 for another family (a unix socket). */
int cidr_of_socket(const struct sockaddr *address, uint8_t out[16]);

bool cidr_has(const struct cidr *cidr, const uint8_t address[16]);
bool cidr_any_has(const struct cidr *list, size_t count, const uint8_t address[16]);

/* Is the address of a special range (IANA special-purpose registries: private, loopback, link-local, multicast,
 * reserved, documentation, a cloud's metadata; mapped, compatible, translated and ISATAP's IPv4 forms by their IPv4 address)? */
bool cidr_is_special(const uint8_t address[16]);

#endif
