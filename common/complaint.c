#include "common/complaint.h"

#include "common/buf.h"
#include "common/map.h"
#include "common/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct complaints *complaints_new(void)
{
    struct complaints *list = must_zalloc(sizeof *list);

    list->arena = arena_new();
    return list;
}

void complaints_free(struct complaints **list)
{
    if (*list == NULL)
        return;
    arena_free(&(*list)->arena);
    free((*list)->items);
    free(*list);
    *list = NULL;
}

static void write_pointer(struct buf *out, const struct place *place)
{
    if (place == NULL)
        return;
    write_pointer(out, place->above);
    buf_add_text(out, "/");
    if (place->key == NULL) {
        buf_printf(out, "%zu", place->index);
        return;
    }
    for (const char *p = place->key; *p != '\0'; p++) {
        if (*p == '~')
            buf_add_text(out, "~0");
        else if (*p == '/')
            buf_add_text(out, "~1");
        else
            buf_add(out, p, 1);
    }
}

const char *place_pointer(struct arena *arena, const struct place *place)
{
    struct buf *out = buf_new(64);
    const char *pointer;

    write_pointer(out, place);
    pointer = arena_text(arena, buf_span(out));
    buf_free(&out);
    return pointer;
}

/* Takes a pointer that lives in the list's arena. */
static void add(struct complaints *list, const char *pointer, const char *sentence)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 16 : 2 * list->room;
        list->items = must_realloc(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = (struct complaint){pointer, arena_text(list->arena, span_of(sentence))};
}

void complain(struct complaints *list, const struct place *place, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    add(list, place_pointer(list->arena, place), sentence);
}

void complaints_merge(struct complaints *list, const struct complaints *other)
{
    struct map *places = map_new();

    for (size_t i = 0; i < list->count; i++)
        map_put(places, span_of(list->items[i].pointer), list);
    for (size_t i = 0; i < other->count; i++)
        if (map_get(places, span_of(other->items[i].pointer)) == NULL)
            add(list, arena_text(list->arena, span_of(other->items[i].pointer)), other->items[i].sentence);
    map_free(&places);
}
