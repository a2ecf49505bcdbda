/*
 * uuid.h - ids of 16 bytes; ours are version 7 (RFC 9562, 5.7): ordered by time.
 */
#ifndef LEADLINE_COMMON_UUID_H
#define LEADLINE_COMMON_UUID_H

#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

struct uuid {
    uint8_t bytes[16];
};

enum { UUID_TEXT_BYTES = 37 };

/* A new id of this moment: its first 48 bits are at_ms, the rest random; ids of one process only grow. */
struct uuid uuid_v7(int64_t at_ms);

/* When a version 7 id was made, in milliseconds since 1970 UTC. */
int64_t uuid_ms(const struct uuid *id);

/* 36 lower-case characters and a zero; out has UUID_TEXT_BYTES. Returns out. */
const char *uuid_text(const struct uuid *id, char *out);

/* Reads the usual 36 characters, either case. Returns 0, or -1 when it is not an id. */
int uuid_parse(struct uuid *id, struct span text);

int uuid_compare(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);

/* Its bytes as a key for map.h, borrowed. */
struct span uuid_span(const struct uuid *id);

#endif
