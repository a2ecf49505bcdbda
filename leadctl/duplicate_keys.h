/*
 * duplicate_keys.h - makes the keys of leads already stored, so that a new duplicate rule sees them (SPEC.md, 5).
 *
 * What has to be made stands in table duplicate_rule_todo, written in the transaction that brought the rule, so whoever
 * applies next goes on where an interrupted one stopped. Routers write the keys of newer leads meanwhile; the newer lead wins.
 */
#ifndef LEADLINE_LEADCTL_DUPLICATE_KEYS_H
#define LEADLINE_LEADCTL_DUPLICATE_KEYS_H

#include "common/db_wait.h"

/*
 * SQL: the duplicate rules of the documents, as columns against ('accepted', 'all', 'sold'), owner_id (campaign, campaign, buyer), fields
 * (sorted) and window_days. campaigns has id and doc, contracts buyer_id and doc; contracts of one buyer may have the same rule.
 */
#define DUPLICATE_RULES_OF(campaigns, contracts)                                                                         \
    "SELECT coalesce(c.doc->>'duplicates_against', 'accepted') AS against, c.id AS owner_id, " DUPLICATE_RULE_           \
    " FROM " campaigns " c, jsonb_array_elements(coalesce(c.doc->'duplicates', '[]')) rule"                              \
    " UNION ALL SELECT 'sold', c.buyer_id, " DUPLICATE_RULE_                                                             \
    " FROM " contracts " c, jsonb_array_elements(coalesce(c.doc->'duplicates', '[]')) rule"
#define DUPLICATE_RULE_                                                                                                  \
    "(SELECT array_agg(f ORDER BY f COLLATE \"C\") FROM jsonb_array_elements_text(rule->'fields') f) AS fields,"        \
    " (rule->>'window_days')::integer AS window_days"

/* Makes all that is to be made, when the leads whose buyers are being asked are decided; outside a transaction. Adds to *made how many keys. Returns 0, or -1 with *err. */
int duplicate_keys_make(struct db_wait *db, int64_t *made, struct error *err);

#endif
