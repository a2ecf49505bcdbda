/*
 * json_pointer.h - finds a value in a JSON document by its JSON pointer (RFC 6901).
 *
 * "" is the document itself, "/a/0/b" goes through objects by key and lists by index; in a key ~1 is /, ~0 is ~.
 */
#ifndef LEADLINE_COMMON_JSON_POINTER_H
#define LEADLINE_COMMON_JSON_POINTER_H

#include "common/json.h"
#include "common/span.h"

#include <stdbool.h>

enum { JSON_POINTER_BYTES = 1024 }; /* a longer one is refused */

/* Is this a JSON pointer? */
bool json_pointer_is_good(struct span pointer);

/* The value there, lent; NULL when there is none, or the pointer is no pointer. A null that is there is a value. */
struct json *json_pointer_find(struct json *document, struct span pointer);

#endif
