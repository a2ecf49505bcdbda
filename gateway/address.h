/*
 * address.h - where a request comes from, seen through the proxies that we trust (SPEC.md, 11). Pure.
 */
#ifndef LEADLINE_GATEWAY_ADDRESS_H
#define LEADLINE_GATEWAY_ADDRESS_H

#include "common/cidr.h"
#include "common/error.h"
#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRUSTED_MOST = 64 };

/* Who may tell us addresses. */
struct trusted_proxies {
    struct cidr ranges[TRUSTED_MOST];
    size_t count;
};

/* Reads a list of ranges, separated by commas or blanks. Returns 0, or -1 with *err. */
int trusted_read(struct trusted_proxies *trusted, struct span list, struct error *err);

/*
 * The client's address: the peer's; when that is a trusted proxy, the last hop of X-Forwarded-For that is not one.
 *
 * forwarded_for  all its values in order, separated by commas; may be absent
 * Returns false when a trusted proxy names a hop that is no address: then nobody knows.
 */
bool address_of_client(const struct trusted_proxies *trusted, const uint8_t peer[16], struct span forwarded_for, uint8_t out[16]);

#endif
