/*
 * db_frozen.h - frees locks that a frozen process holds in the middle of a job.
 *
 * idle_in_transaction_session_timeout ends a session that holds locks while its process owes it the next job. A process that froze
 * (SIGSTOP, a stalled machine) with a job half sent, or half read, leaves a session that PostgreSQL does not call idle: it waits for
 * its client in the middle of the pipeline, and no time limit of PostgreSQL 15 ends that. So whoever has waited too long for a lock
 * (55P03) ends such sessions: of its own role, waiting for their process for a second or more, with locks that others may want.
 */
#ifndef LEADLINE_COMMON_DB_FROZEN_H
#define LEADLINE_COMMON_DB_FROZEN_H

#include "common/db.h"

/*
 * Sends a job that ends them when the error is a lock that was not given in time; otherwise does nothing. Not inside a transaction:
 * send a ROLLBACK before. What it ended is logged; jobs sent afterwards come after it.
 */
void db_end_frozen(struct db *db, const struct db_error *error);

#endif
