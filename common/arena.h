/*
 * arena.h - memory of many small things that end together.
 *
 * Everything made while a lead, a batch or a catalog lives comes from its arena
 * and goes with it at once. Nothing in it is freed singly.
 */
#ifndef LEADLINE_COMMON_ARENA_H
#define LEADLINE_COMMON_ARENA_H

#include "common/span.h"

#include <stddef.h>

struct arena;

/* An empty arena, owned by the caller. */
struct arena *arena_new(void);
void arena_free(struct arena **arena);

/* Zeroed memory, aligned for anything, that lives as long as the arena. Cannot fail. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of the text in the arena. */
struct span arena_copy(struct arena *arena, struct span text);

/* The same with a zero at its end. */
const char *arena_text(struct arena *arena, struct span text);
struct span arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out so far. */
size_t arena_bytes(const struct arena *arena);

#endif
