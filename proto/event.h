/*
 * event.h - the events of which operators' endpoints are told (SPEC.md, 9).
 */
#ifndef LEADLINE_PROTO_EVENT_H
#define LEADLINE_PROTO_EVENT_H

#include "common/span.h"

enum event_type {
#define EVENT(name, word, meaning) EVENT_##name,
#include "proto/event.def"
#undef EVENT
    EVENT_COUNT
};

/* "lead.created" */
const char *event_word(enum event_type type);

/* The types in this list of words with blanks between them, as bits 1u << type; unknown words are passed over. */
unsigned event_set(struct span words);

#endif
