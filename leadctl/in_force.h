/*
 * in_force.h - waits until every process that runs goes by the configuration in the database.
 *
 * Routers decide by no older one, by their fence; but a gateway that has not read it yet would still refuse a new key, or take one that is
 * gone. So whoever has changed the configuration waits a moment before he says that it is done.
 */
#ifndef LEADLINE_LEADCTL_IN_FORCE_H
#define LEADLINE_LEADCTL_IN_FORCE_H

#include "common/db_wait.h"

enum { IN_FORCE_MOST_MS = 3000 };

/* Waits, at most IN_FORCE_MOST_MS; then tells on standard error whom it has not waited for: it hangs, or was killed just now. */
void in_force_wait(const char *name, struct db_wait *db);

#endif
