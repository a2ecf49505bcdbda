/*
 * idempotency.h - reads the Idempotency-Key header. Pure.
 */
#ifndef LEADLINE_GATEWAY_IDEMPOTENCY_H
#define LEADLINE_GATEWAY_IDEMPOTENCY_H

#include "common/arena.h"
#include "common/span.h"

enum { IDEMPOTENCY_KEY_BYTES_MOST = 255 };

/*
 * Reads a string as in RFC 8941, 3.3.3 ("abc"), or a bare one: 1 to 255 printable ASCII characters. Both forms of one text
 * are the same key.
 *
 * key  without quotes and escapes; lives in arena
 * Returns 0, or -1 when it is malformed.
 */
int idempotency_read(struct arena *arena, struct span header, struct span *key);

#endif
