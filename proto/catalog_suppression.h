/*
 * catalog_suppression.h - the catalog's suppression lists: which of them concern a campaign and its contracts. Part of catalog_load.c's work.
 *
 * Who is on a list is in no catalog: that is asked of the database for every lead (validator/store.h).
 */
#ifndef LEADLINE_PROTO_CATALOG_SUPPRESSION_H
#define LEADLINE_PROTO_CATALOG_SUPPRESSION_H

#include "proto/catalog.h"

/* Rows for catalog_read_suppression(). */
extern const char catalog_suppression_sql[];

/* Campaigns, and contracts if they are wanted, must be there. */
void catalog_read_suppression(struct catalog *catalog, const struct db_rows *rows);

#endif
