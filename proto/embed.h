/*
 * embed.h - the files that our programs carry with them.
 */
#ifndef LEADLINE_PROTO_EMBED_H
#define LEADLINE_PROTO_EMBED_H

#include "common/span.h"

/* The content of an embedded file by its path in the source tree ("proto/openapi.yaml"); absent when there is none. */
struct span embed_find(const char *path);

/* Goes through all, in order of their paths: the i-th path, or NULL after the last. */
const char *embed_path(size_t i);

#endif
