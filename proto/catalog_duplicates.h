/*
 * catalog_duplicates.h - the catalog's duplicate rules: those of campaigns, and those of contracts, which are their buyers'.
 *
 * Part of catalog_load.c's work. A sale has to leave keys for all rules that the buyer has on any of its contracts, active or not, so
 * a buyer's rules are gathered: a set of fields once, with the longest of its windows.
 */
#ifndef LEADLINE_PROTO_CATALOG_DUPLICATES_H
#define LEADLINE_PROTO_CATALOG_DUPLICATES_H

#include "common/json.h"
#include "proto/catalog.h"

/* The campaign's rules, and which leads they look at. */
void catalog_read_duplicates(struct catalog *catalog, struct campaign *campaign, const struct json *doc);

/* Do both rules look at the same fields? */
bool duplicate_rule_has_fields_of(const struct duplicate_rule *a, const struct duplicate_rule *b);

/* The contract's rules; those that its buyer has not yet are added to the buyer, which is one of the catalog's. */
void catalog_read_sold_duplicates(struct catalog *catalog, struct contract *contract, const struct json *doc);

#endif
