/*
 * accept.h - what a client accepts (RFC 9110, 12.5.1). Pure.
 */
#ifndef LEADLINE_GATEWAY_ACCEPT_H
#define LEADLINE_GATEWAY_ACCEPT_H

#include "common/span.h"

#include <stdbool.h>

/* Does the Accept header name application/problem+json, with another weight than 0? Ranges with a star do not count. */
bool accepts_problem(struct span accept);

/* Does it name text/html, and give JSON no greater weight? Ranges with a star stand for JSON only. */
bool accepts_page(struct span accept);

#endif
