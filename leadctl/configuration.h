/*
 * configuration.h - the configuration as it stands in the database, put together as a document again.
 */
#ifndef LEADLINE_LEADCTL_CONFIGURATION_H
#define LEADLINE_LEADCTL_CONFIGURATION_H

#include "common/db_wait.h"
#include "common/json.h"

/*
 * SQL, two statements: whoever changes the configuration holds this first, in his transaction: no router is between its fence and
 * its commit then (DESIGN.md, 3). Routers take the same lock shared, so nothing is sold meanwhile: of a leadctl that is stopped
 * in the middle (Ctrl-Z) PostgreSQL ends the session.
 */
#define CONFIGURATION_FENCE \
    "SET LOCAL idle_in_transaction_session_timeout = '2s'; SELECT pg_advisory_xact_lock(4701, 1)"

/* SQL: a new version, told to everybody who listens; gives its number. The last statement before COMMIT. */
#define CONFIGURATION_BUMP                                                                                        \
    "WITH bumped AS (UPDATE installation SET catalog_version = catalog_version + 1 RETURNING catalog_version)"    \
    " SELECT catalog_version, pg_notify('leadline_catalog', catalog_version::text) FROM bumped"

/*
 * Waits until the instances that run have read the configuration as it is now: then nobody is told anything by the former. Who is
 * frozen or has lost the database is not waited for longer than a few seconds, but told of on standard error.
 */
void configuration_wait(const char *command, struct db_wait *db);

/* SQL: one row with the document (jsonb). */
extern const char CONFIGURATION_DOCUMENT[];

/* The document, keys in the schema's order; owned by the caller. NULL with *err. */
struct json *configuration_read(struct db_wait *db, struct error *err);

#endif
