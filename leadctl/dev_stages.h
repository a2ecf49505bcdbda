/*
 * dev_stages.h - the four stages as `leadctl dev` runs them: which programs, how many, with what environment, in which order.
 */
#ifndef LEADLINE_LEADCTL_DEV_STAGES_H
#define LEADLINE_LEADCTL_DEV_STAGES_H

#include "common/db_wait.h"
#include "common/error.h"
#include "leadctl/dev_dir.h"
#include "leadctl/dev_supervisor.h"

#include <stdbool.h>

enum dev_stage { DEV_GATEWAY, DEV_VALIDATOR, DEV_ROUTER, DEV_DISPATCHER, DEV_STAGES };

enum { DEV_INSTANCES_MOST = 64 }; /* of one stage */

struct dev_stages;

/* "gateway" … */
const char *dev_stage_word(enum dev_stage stage);

/* The path of one of our programs: beside leadctl, or in the folder of LEADLINE_BIN_DIR. Returns NULL with *err when it is not there. */
const char *dev_program(const struct dev_dir *dir, const char *name, struct error *err);

/*
 * Starts them all.
 *
 * counts     how many of each stage
 * listen_fd  the socket that all gateways share, borrowed
 * Returns them, owned by the caller, or NULL with *err when a program is missing.
 */
struct dev_stages *dev_stages_start(struct supervisor *supervisor, const struct dev_dir *dir, const int counts[DEV_STAGES],
                                    int listen_fd, struct error *err);

/*
 * Stops the gateways, which wait for the answers to their open requests, and then the others, for whom there is nothing left.
 * Who does not end in time is killed, and everybody at once when we are asked to stop more than `stops` times.
 */
void dev_stages_stop(struct dev_stages *stages, int stops);
void dev_stages_free(struct dev_stages **stages);

/*
 * Would a lead go through now? That is when every process is registered in the database and its own /readyz says yes.
 * When not, *why says who is missed. *db is connected to dsn when it is NULL, and closed when it does not answer.
 */
bool dev_stages_are_ready(const struct dev_stages *stages, struct db_wait **db, const char *dsn, struct error *why);

#endif
