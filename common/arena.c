#include "common/arena.h"

#include "common/must.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 4096, ALIGN = 16 };

struct chunk {
    struct chunk *next;
    size_t used;
    size_t room;
    max_align_t data[];
};

struct arena {
    struct chunk *first; /* the one being filled */
    size_t bytes;
};

struct arena *arena_new(void)
{
    return must_zalloc(sizeof(struct arena));
}

void arena_free(struct arena **arena)
{
    struct chunk *chunk, *next;

    if (*arena == NULL)
        return;
    for (chunk = (*arena)->first; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(*arena);
    *arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct chunk *chunk = arena->first;
    size_t need = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    void *ptr;

    if (chunk == NULL || chunk->room - chunk->used < need) {
        size_t room = need > CHUNK_BYTES ? need : CHUNK_BYTES;

        chunk = must_alloc(sizeof *chunk + room);
        chunk->used = 0;
        chunk->room = room;
        if (need > CHUNK_BYTES && arena->first != NULL) { /* a big one must not hide the room of the one in use */
            chunk->next = arena->first->next;
            arena->first->next = chunk;
        } else {
            chunk->next = arena->first;
            arena->first = chunk;
        }
    }
    ptr = (char *)chunk->data + chunk->used;
    chunk->used += need;
    arena->bytes += need;
    return memset(ptr, 0, need);
}

const char *arena_text(struct arena *arena, struct span text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

struct span arena_copy(struct arena *arena, struct span text)
{
    return (struct span){arena_text(arena, text), text.len};
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    char *text;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    must(len >= 0);
    text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (struct span){text, (size_t)len};
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}
