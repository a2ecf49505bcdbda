/*
 * catalog_events.h - the catalog's operators' endpoints: who is told of which events. Part of catalog_load.c's work.
 *
 * To a dispatcher they are buyers (their ids begin with "@"), so that lanes, sweeps, retries and breakers are the same.
 */
#ifndef LEADLINE_PROTO_CATALOG_EVENTS_H
#define LEADLINE_PROTO_CATALOG_EVENTS_H

#include "proto/catalog.h"

/* Rows for catalog_read_events(). */
extern const char catalog_events_sql[];

void catalog_read_events(struct catalog *catalog, const struct db_rows *rows);

/* Buyers as a dispatcher wants them: in the order of their ids, endpoints among them. The columns are those of catalog_load.c's own. */
extern const char catalog_receivers_sql[];

#endif
