/*
 * dev_supervisor.h - processes that `leadctl dev` starts, watches, starts again and ends.
 *
 * All of it runs on one loop. Children are in process groups of their own, so that a Ctrl-C reaches
 * only us, and are told by the kernel when we die, however that comes.
 */
#ifndef LEADLINE_LEADCTL_DEV_SUPERVISOR_H
#define LEADLINE_LEADCTL_DEV_SUPERVISOR_H

#include "common/error.h"
#include "common/loop.h"
#include "leadctl/dev_user.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor;
struct child;

enum { CHILD_ARGS_MOST = 16, CHILD_VARIABLES_MOST = 12 };

struct child_options {
    const char *name;                         /* "router-1": of the pid file and in the log; borrowed */
    const char *args[CHILD_ARGS_MOST];        /* ends with NULL; args[0] is the program's path */
    const char *variables[CHILD_VARIABLES_MOST]; /* name, value, name, value … NULL: set in its environment */
    const char *log_path;                     /* both outputs are appended there; NULL: it has ours */
    bool is_quiet;                            /* without log_path: what it says to standard output goes to standard error */
    const char *input;                        /* its standard input; NULL: nothing */
    const char *folder;                       /* where it works; NULL: where we do */
    const struct dev_user *user;              /* who it is; NULL: who we are */
    int handed_fd;                            /* a listening socket for it, in systemd's way; below 1: none */
    int death_signal;                         /* what it gets when we die */
    bool is_kept;                             /* when it ends, it is started again */
    int64_t delay_most_ms;                    /* longest wait before that */
    void (*before_start)(void *ctx);          /* called before each start; may be NULL */
    void *ctx;
};

/* Blocks the signals and makes the loop. run_dir is where pid files go, borrowed. marker is put into every child's environment. */
struct supervisor *supervisor_new(const char *run_dir, const char *marker);

/* All children must have ended. */
void supervisor_free(struct supervisor **supervisor);
struct loop *supervisor_loop(struct supervisor *supervisor);

/*
 * How often somebody asked us to stop (TERM, INT, or HUP of a terminal that went away). Within a second it is one asking,
 * because make and timeout pass signals on.
 */
int supervisor_stops(const struct supervisor *supervisor);

/*
 * Turns the loop until is_done says so, the time is over, or we were asked to stop more than `stops` times.
 * To be called from outside the loop only. Returns is_done's last answer.
 */
typedef bool supervisor_done_fn(void *ctx);
bool supervisor_wait(struct supervisor *supervisor, int64_t timeout_ms, int stops, supervisor_done_fn *is_done, void *ctx);

/* Turns the loop until we are asked to stop. */
void supervisor_run(struct supervisor *supervisor);

/* Starts a child; options are copied, their texts borrowed. It belongs to the supervisor. */
struct child *child_start(struct supervisor *supervisor, const struct child_options *options);

/* Its process, 0 while there is none. */
pid_t child_pid(const struct child *child);
const char *child_name(const struct child *child);

/* From now on it is not started again; it gets the signal. */
void child_stop(struct child *child, int signal);

/* How often it has ended since it last ran for a while. */
int child_failures(const struct child *child);

/* Is there no process, and will there be none? */
bool child_is_over(const struct child *child);

/*
 * Starts a child that is not kept and waits for its end.
 * Returns 0 when it ended well, or -1 with *err (it failed, the time was over, or we were asked to stop).
 */
int child_run(struct supervisor *supervisor, const struct child_options *options, int64_t timeout_ms, struct error *err);

#endif
