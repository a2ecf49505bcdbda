/*
 * count.h - what the gateway counts for /metrics.
 */
#ifndef LEADLINE_GATEWAY_COUNT_H
#define LEADLINE_GATEWAY_COUNT_H

#include "gateway/request.h"

#include <stdint.h>

enum overload { OVERLOAD_OPEN_BYTES, OVERLOAD_NO_VALIDATOR, OVERLOAD_LOOKUPS, OVERLOAD_CONNECTIONS, OVERLOAD_INPUT_BYTES, OVERLOAD_COUNT };

/* Makes the series; once, at the start. */
void count_init(void);

/* A request was answered with this status, so long after its last byte had come. */
void count_answer(enum route route, int status, int64_t took_ns);

/* A lead was sent again. */
void count_resend(void);

/* Somebody was turned away because there was no room. */
void count_overload(enum overload kind);

/* How it stands. */
void count_open(size_t requests, size_t bytes);
void count_connections(size_t connections);

#endif
