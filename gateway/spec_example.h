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

/* What else is asked of an example. */
struct example_wish {
    const struct span *texts; /* tried before all others */
    size_t count;
    bool (*accepts)(void *ctx, const struct field *form); /* asked about each value that passes, in its normal form */
    void *ctx;
};

/* The same, of a value that is accepted. */
bool spec_example_wished(struct arena *arena, const struct field_spec *spec, const struct example_wish *wish, struct field *out);

#endif
