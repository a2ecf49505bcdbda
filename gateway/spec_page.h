/*
 * spec_page.h - the posting spec as a page that a supplier's developer can follow: no script, nothing from elsewhere. Pure.
 */
#ifndef LEADLINE_GATEWAY_SPEC_PAGE_H
#define LEADLINE_GATEWAY_SPEC_PAGE_H

#include "common/buf.h"
#include "common/json.h"
#include "common/span.h"

/*
 * Writes HTML behind what out holds.
 *
 * spec    what spec_new() made, borrowed
 * origin  where this API is, "https://leads.example", as the reader reached it; absent or odd: a placeholder stands for it
 */
void spec_page(const struct json *spec, struct span origin, struct buf *out);

#endif
