/*
 * catalog_rules.h - the catalog's rules: filters, price rules and schedules, and the clocks of the zones in which they are judged.
 *
 * Part of catalog_load.c's work. What is wrong with a rule is added to the list; what `leadctl apply` has taken is right.
 */
#ifndef LEADLINE_PROTO_CATALOG_RULES_H
#define LEADLINE_PROTO_CATALOG_RULES_H

#include "common/complaint.h"
#include "common/json.h"
#include "proto/catalog.h"

/* Rows for catalog_read_clocks(): of the installation's zone; of that and the buyers' zones. */
extern const char catalog_clock_sql[];
extern const char catalog_clocks_sql[];
void catalog_read_clocks(struct catalog *catalog, const struct db_rows *rows);

/* The campaign's inbound filter; its fields must be there. */
void catalog_read_inbound(struct catalog *catalog, struct campaign *campaign, const struct json *doc, struct complaints *list);

/* Filters, price rules and schedule of one of the campaign's contracts; sets the campaign's has_rules and is_timed, too. */
void catalog_read_rules(struct catalog *catalog, struct campaign *campaign, struct contract *contract, const struct json *doc,
                        struct complaints *list);

#endif
