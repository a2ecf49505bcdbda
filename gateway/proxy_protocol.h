/*
 * proxy_protocol.h - reads the header that a load balancer puts before a connection (PROXY protocol, version 2). Pure; fuzzed.
 */
#ifndef LEADLINE_GATEWAY_PROXY_PROTOCOL_H
#define LEADLINE_GATEWAY_PROXY_PROTOCOL_H

#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROXY_BYTES_MOST = 16 + 512 };

/*
 * Reads the header at the beginning of the bytes.
 *
 * address  the client's, 16 bytes as in cidr.h; set when *has_address (not for LOCAL, or another family than IP)
 * Returns the header's length; 0 when more bytes are needed; -1 when it is none, or longer than PROXY_BYTES_MOST.
 */
int proxy_read(struct span bytes, uint8_t address[16], bool *has_address);

#endif
