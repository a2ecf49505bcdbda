/*
 * accept.h - what a client accepts (RFC 9110, 12.5.1). Pure.
 */
#ifndef LEADLINE_GATEWAY_ACCEPT_H
#define LEADLINE_GATEWAY_ACCEPT_H

#include "common/span.h"

#include <stdbool.h>

/* Does the Accept header name application/problem+json, with another weight than 0? Ranges with a star do not count. */
bool accepts_problem(struct span accept);

#endif
