/*
 * spec_fit.h - has the posting spec's example pass the campaign's inbound filter, too. Pure.
 */
#ifndef LEADLINE_GATEWAY_SPEC_FIT_H
#define LEADLINE_GATEWAY_SPEC_FIT_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/moment.h"

/*
 * Changes values of the example until the filter lets it pass: to what its rules name, to something near it, or to nothing where the
 * field may be absent.
 *
 * now     of the installation's zone
 * values  by index of the campaign's fields, as they would be sent; without text: not sent. Those put in live in arena, or in the catalog
 * When no values are found, as for some patterns, all stay as they were.
 */
void spec_fit(struct arena *arena, const struct campaign *campaign, const struct moment *now, struct field *values);

#endif
