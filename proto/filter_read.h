/*
 * filter_read.h - compiles a filter of the configuration document. The catalog's reader and leadctl's checks both use it, so what
 * `leadctl apply` has taken can be read.
 *
 * Values are brought to the normal form of their field's type here, so a value that has none is an error.
 */
#ifndef LEADLINE_PROTO_FILTER_READ_H
#define LEADLINE_PROTO_FILTER_READ_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/catalog.h"
#include "proto/filter.h"

/*
 * Compiles one filter. An empty object is a filter that everything passes.
 *
 * into      where it lives: its arena, and its list of patterns
 * campaign  whose fields it may name, sorted; needs no more than these
 * place     where the filter is, for the complaints
 * Returns it, or NULL when something was wrong, all of which was added to the list.
 */
const struct filter *filter_read(struct catalog *into, const struct campaign *campaign, struct json *doc, const struct place *place,
                                 struct complaints *list);

#endif
