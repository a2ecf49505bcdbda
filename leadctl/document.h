/*
 * document.h - is a configuration document right? (SPEC.md, 4)
 *
 * Keys, types and ranges are in proto/config.schema.json; here is what a schema cannot say: ids that are there twice,
 * references that lead nowhere, secrets, addresses, what belongs together. Everything wrong is told, not only the first.
 */
#ifndef LEADLINE_LEADCTL_DOCUMENT_H
#define LEADLINE_LEADCTL_DOCUMENT_H

#include "common/complaint.h"
#include "common/json.h"
#include "common/schema.h"
#include "common/span.h"

#include <stdbool.h>

/* The schema that this program carries with it; borrowed for ever. */
const struct schema *document_schema(void);

/*
 * Reads and checks a document; everything but its time zones, which only PostgreSQL knows.
 *
 * Returns it, owned by the caller, or NULL when the text is no JSON. When nothing was added to the list it is right.
 */
struct json *document_read(struct span text, struct complaints *list);

/* Complains about every time zone of which is_known says no. */
typedef bool document_zone_fn(void *ctx, struct span zone);
void document_check_zones(const struct json *document, document_zone_fn *is_known, void *ctx, struct complaints *list);

/* Brings a right document to the form in which it is stored: keys hashed, contracts with their ids. */
void document_normalise(struct json *document);

#endif
