/*
 * dev_pg.h - the private PostgreSQL of `leadctl dev`: made, set, started and kept.
 *
 * It listens on a unix socket only, in a folder that only its user and whoever started us can enter.
 * Nothing that makes it lose data when something dies is switched off.
 */
#ifndef LEADLINE_LEADCTL_DEV_PG_H
#define LEADLINE_LEADCTL_DEV_PG_H

#include "common/error.h"
#include "leadctl/dev_dir.h"
#include "leadctl/dev_supervisor.h"
#include "leadctl/dev_user.h"

#include <stdint.h>

struct dev_pg;

/*
 * Makes the data when there is none and writes the settings.
 *
 * connections  that it must take at once
 * Everything is borrowed for as long as the result lives. Returns it, owned by the caller, or NULL with *err.
 */
struct dev_pg *dev_pg_open(struct supervisor *supervisor, const struct dev_dir *dir, const struct dev_user *user, int connections,
                           struct error *err);
void dev_pg_free(struct dev_pg **pg); /* when it is stopped */

/* Starts it and waits until it takes connections. Returns 0, or -1 with *err, soon when it ends again and again. */
int dev_pg_start(struct dev_pg *pg, int64_t timeout_ms, struct error *err);

/* Stops it: fast; at once when that takes longer than the time given, or when we were asked to stop more than `stops` times. */
void dev_pg_stop(struct dev_pg *pg, int64_t timeout_ms, int stops);

#endif
