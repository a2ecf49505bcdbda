/*
 * spec_fit.h - changes an example until the campaign's inbound filter lets it pass. Pure.
 *
 * One field after the other gets what a failing rule names, or else one of the usual examples (spec_example.h), as long as fewer rules
 * fail than before. A filter that wants fields to fit together in an odd way may not be met: then the example stays where it has come.
 */
#ifndef LEADLINE_GATEWAY_SPEC_FIT_H
#define LEADLINE_GATEWAY_SPEC_FIT_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/moment.h"

enum { SPEC_FIT_JUDGED_MOST = 500 }; /* how often the filter is asked */

/*
 * values  the example by index of the campaign's fields: what would be sent, its text absent when nothing is; changed in place,
 *         new texts live in arena
 * now     by the installation's clock, for schedules and days ago
 */
void spec_fit(struct arena *arena, const struct campaign *campaign, const struct moment *now, struct field *values);

#endif
