/*
 * dev_demo.h - the demonstration: a small configuration, and a buyer that shows what it gets.
 *
 * The configuration is applied to a fresh database, and again as long as nobody has applied one of his own.
 * The buyer keeps its port over restarts where it can.
 */
#ifndef LEADLINE_LEADCTL_DEV_DEMO_H
#define LEADLINE_LEADCTL_DEV_DEMO_H

#include "common/db_wait.h"
#include "common/error.h"
#include "common/json.h"
#include "leadctl/dev_dir.h"
#include "leadctl/dev_supervisor.h"

#include <stdbool.h>
#include <stdint.h>

struct dev_demo {
    const struct dev_dir *dir;
    struct supervisor *supervisor;
    const char *state_path; /* port and catalog version of the last time */
    const char *document_path;
    struct json *document;
    struct child *buyer;
    int listen_fd;
    int port;
    bool is_in_force; /* the present configuration is the demonstration's */
};

/*
 * Finds out whether the demonstration is, or shall be, the configuration; then document_path is to be applied.
 *
 * Returns 0 and *demo, to be closed by the caller also after a failure; or -1 with *err.
 */
int dev_demo_open(struct dev_demo *demo, struct supervisor *supervisor, const struct dev_dir *dir, struct db_wait *db, struct error *err);
void dev_demo_close(struct dev_demo *demo); /* when the buyer is over */

/* Remembers that it was applied. Returns 0, or -1 with *err. */
int dev_demo_applied(struct dev_demo *demo, struct db_wait *db, struct error *err);

/* Starts and stops its buyer. */
int dev_demo_start(struct dev_demo *demo, struct error *err);
void dev_demo_stop(struct dev_demo *demo, int stops);

/* Prints what a person can try: a command that answers 201 when pasted. port is the gateway's. */
void dev_demo_print(struct dev_demo *demo, struct db_wait *db, int port);

#endif
