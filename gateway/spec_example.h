/*
 * spec_example.h - an example value for a field, made from its type and options and sure to pass them. Pure.
 */
#ifndef LEADLINE_GATEWAY_SPEC_EXAMPLE_H
#define LEADLINE_GATEWAY_SPEC_EXAMPLE_H

#include "common/arena.h"
#include "proto/field.h"

#include <stdbool.h>

/*
 * Finds a value that field_judge() lets pass and of which its transforms leave something.
 *
 * A fixed list is tried, the likeliest first: the campaign's own values and default, what is usual for that name and type,
 * bounds, texts of the lengths that are asked for. So with a pattern there may be none; one that runs away ends the search.
 *
 * out  the value as it would be sent: name, kind and text, which lives in arena
 * Returns false when no value was found.
 */
bool spec_example(struct arena *arena, const struct field_spec *spec, struct field *out);

/* The first of the same that somebody else likes, too: is_wished is called with texts that pass the field. */
typedef bool spec_example_fn(void *ctx, struct span text);
bool spec_example_such(struct arena *arena, const struct field_spec *spec, spec_example_fn *is_wished, void *ctx, struct field *out);

/* The kind in which an example of that type is sent. */
enum value_kind spec_example_kind(enum field_type type);

#endif
