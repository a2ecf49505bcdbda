/*
 * template_read.h - compiles a template, and tells what is wrong with it, each fault at its place in the document.
 */
#ifndef LEADLINE_PROTO_TEMPLATE_READ_H
#define LEADLINE_PROTO_TEMPLATE_READ_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/template.h"

enum {
    TEMPLATE_PLACES_MOST = 500,          /* in one template */
    TEMPLATE_BYTES_MOST = 64 * 1024,     /* of its own text */
};

enum template_form { TEMPLATE_AS_JSON, TEMPLATE_AS_FORM, TEMPLATE_AS_LINE };

/* Which fields may a template name? Returns the field's type, or -1 when there is none of that name. */
typedef int template_field_fn(void *ctx, struct span name);

/*
 * Reads a template into the arena.
 *
 * form      TEMPLATE_AS_FORM wants a flat object, TEMPLATE_AS_LINE a text
 * field_fn  NULL: every name is taken (what `leadctl apply` has let through is read so)
 * Returns NULL when something is wrong with it, which was added to the list.
 */
struct template *template_read(struct arena *arena, struct json *doc, enum template_form form, template_field_fn *field_fn, void *ctx,
                               const struct place *place, struct complaints *list);

#endif
