/*
 * map.h - finds a thing by its key: open addressing, keys are bytes.
 *
 * The map borrows both keys and values; they must live until they are removed.
 */
#ifndef LEADLINE_COMMON_MAP_H
#define LEADLINE_COMMON_MAP_H

#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map **map);

/* The value under this key, borrowed, or NULL. */
void *map_get(const struct map *map, struct span key);

/* Puts value (not NULL) under key. Returns what was there before (its key is then replaced), or NULL. */
void *map_put(struct map *map, struct span key, void *value);

/* Takes it out. Returns what was there, or NULL. */
void *map_remove(struct map *map, struct span key);

size_t map_count(const struct map *map);

/* Goes through all: *at begins at 0. Returns the next value, NULL after the last. The map must not change meanwhile. */
void *map_next(const struct map *map, size_t *at);

/* The hash that maps use (FNV-1a with a final mix); also for rendezvous, so it is the same in every process. */
uint64_t map_hash(struct span key, uint64_t seed);

#endif
