/*
 * reason.h - why a lead was not simply sold: one word for the answer, the row and the trail.
 */
#ifndef LEADLINE_PROTO_REASON_H
#define LEADLINE_PROTO_REASON_H

#include "common/span.h"

#include <stdbool.h>

enum reason {
#define REASON(name, word, http, recorded, title, message) REASON_##name,
#include "proto/reason.def"
#undef REASON
    REASON_COUNT
};

const char *reason_word(enum reason reason);
int reason_http(enum reason reason);
bool reason_is_recorded(enum reason reason); /* does it leave a lead? */
const char *reason_title(enum reason reason);
const char *reason_message(enum reason reason);

/* The reason of that word; -1 when there is none. */
int reason_of(struct span word);

#endif
