/*
 * format.h - how a buyer wants its leads: method, headers, JSON or form, template (SPEC.md, 9). Part of a buyer's delivery.
 *
 * Read and checked from the document; what it makes of a delivery is dispatcher/webhook.h's business.
 */
#ifndef LEADLINE_PROTO_FORMAT_H
#define LEADLINE_PROTO_FORMAT_H

#include "proto/template_read.h"

#include <stdbool.h>

enum { FORMAT_HEADERS_MOST = 50 };

/* A header that the operator asks for. */
struct format_header {
    struct span name;
    const struct template *value;
};

struct format {
    const char *method;          /* static: POST, PUT, PATCH or GET */
    bool is_form;                /* else JSON; with GET the form is the URL's query, and there is no body */
    const struct template *body; /* NULL: the usual one */
    struct format_header *headers;
    size_t header_count;
};

/* What holds for a buyer that says nothing: POST of JSON. */
extern const struct format format_usual;

/*
 * Reads method, headers, format and template of a buyer's delivery into the arena.
 *
 * delivery  the document's object; NULL is accepted
 * field_fn  as for template_read()
 * Returns NULL when something is wrong, which was added to the list at its place under `place`.
 */
const struct format *format_read(struct arena *arena, const struct json *delivery, template_field_fn *field_fn, void *ctx,
                                 const struct place *place, struct complaints *list);

#endif
