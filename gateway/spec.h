/*
 * spec.h - the posting spec: what a supplier has to send to a campaign, and what it will be answered (SPEC.md, 2). Pure.
 *
 * {"data":{"campaign_id","supplier_id","url","method","fields":[…],"example":{…},"placeholders":[…],"answers":[…]}}, as
 * proto/openapi.yaml describes it. The page (spec_page.h) is made from the same document.
 */
#ifndef LEADLINE_GATEWAY_SPEC_H
#define LEADLINE_GATEWAY_SPEC_H

#include "common/json.h"
#include "proto/catalog.h"
#include "proto/moment.h"

/* What stands in the example for a value that could not be made up. */
#define SPEC_PLACEHOLDER "REPLACE_ME"

/*
 * The spec of one supplier on one campaign.
 *
 * source  the supplier's on that campaign: how much the answers tell is its business
 * now     by the installation's clock: the example is one that the campaign's filter lets pass now
 * Returns the document, owned by the caller. Cannot fail.
 */
struct json *spec_new(const struct campaign *campaign, const struct source *source, const struct moment *now);

#endif
