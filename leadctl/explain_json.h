/*
 * explain_json.h - an explanation in the shape of `leadctl lead show --json`, with the answer that the supplier would get.
 */
#ifndef LEADLINE_LEADCTL_EXPLAIN_JSON_H
#define LEADLINE_LEADCTL_EXPLAIN_JSON_H

#include "leadctl/explain_lead.h"

/*
 * For programs: what only a recorded lead has (id, received_at, deliveries) is null or empty; so is the status of one that would
 * not be recorded. "answer" is {"status","body"}, the body without ids. Owned by the caller.
 */
struct json *explain_json(const struct explanation *explanation);

/* For lead_print(). Owned by the caller. */
struct json *explain_json_for_people(const struct explanation *explanation);

#endif
