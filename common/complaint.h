/*
 * complaint.h - all that is wrong with a JSON document, each with its place.
 *
 * A place is a chain on the stack of whoever walks through the document; its JSON pointer (RFC 6901) is written
 * only when there is something to complain about.
 */
#ifndef LEADLINE_COMMON_COMPLAINT_H
#define LEADLINE_COMMON_COMPLAINT_H

#include "common/arena.h"
#include "common/span.h"

#include <stddef.h>

/* Where in a document: the key, or the index when key is NULL, under what is above (NULL: this is the document itself). */
struct place {
    const struct place *above;
    const char *key;
    size_t index;
};

struct complaint {
    const char *pointer;  /* "/campaigns/0/contracts/0/price"; "" for the whole document */
    const char *sentence; /* never quotes a value */
};

struct complaints {
    struct arena *arena;
    struct complaint *items;
    size_t count;
    size_t room;
};

/* An empty list, owned by the caller. */
struct complaints *complaints_new(void);
void complaints_free(struct complaints **list);

/* Adds one. A place of NULL is the whole document. */
void complain(struct complaints *list, const struct place *place, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds those of another list that are about places which this list has nothing about. */
void complaints_merge(struct complaints *list, const struct complaints *other);

/* The place's JSON pointer, in the arena. */
const char *place_pointer(struct arena *arena, const struct place *place);

#endif
