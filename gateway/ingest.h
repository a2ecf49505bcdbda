/*
 * ingest.h - reads the body of an ingest into a lead. Pure: bytes in, lead or reason out; fuzzed.
 */
#ifndef LEADLINE_GATEWAY_INGEST_H
#define LEADLINE_GATEWAY_INGEST_H

#include "common/arena.h"
#include "common/error.h"
#include "common/json.h"
#include "common/span.h"
#include "proto/frame.h"
#include "proto/reason.h"

enum media { MEDIA_JSON, MEDIA_FORM, MEDIA_OTHER };

enum { BODY_BYTES_MOST = 64 * 1024 };

/* What a Content-Type names; its parameters do not matter. */
enum media media_of(struct span content_type);

/*
 * Reads the body into lead->raw and lead->fields, and nothing else of the lead.
 *
 * Every entry of the object becomes a field, also when there are too many or their names are too long: judging is the
 * validator's. null and empty text are left out; an object or a list is VALUE_NESTED; a number that a double or 64 bits
 * would round is VALUE_TEXT, as it was sent.
 *
 * arena  takes the fields; they borrow from it, from body, and from *json
 * json   the document of a JSON body, the caller's to json_free() when the lead is done with; else NULL
 * Returns REASON_NONE, or INVALID_JSON or INVALID_FORM with *err, which names the position and quotes nothing.
 */
enum reason ingest_read(struct arena *arena, enum media media, struct span body, struct lead *lead, struct json **json,
                        struct error *err);

#endif
