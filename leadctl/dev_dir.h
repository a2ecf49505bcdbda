/*
 * dev_dir.h - the folder of `leadctl dev`: data in pg/, logs in log/, what belongs to this run in run/.
 *
 * One `leadctl dev` at a time has it. What an earlier one left running, because it was killed, is ended first.
 */
#ifndef LEADLINE_LEADCTL_DEV_DIR_H
#define LEADLINE_LEADCTL_DEV_DIR_H

#include "common/arena.h"
#include "common/error.h"
#include "leadctl/dev_supervisor.h"
#include "leadctl/dev_user.h"

#include <stdbool.h>

struct dev_dir {
    struct arena *arena;  /* of the texts below; all are absolute paths */
    const char *root;
    const char *run, *log, *pg;
    const char *sockets;    /* where stages put theirs: run, or a short folder elsewhere when sockets there would have too long a path */
    const char *pg_sockets; /* a folder of its own, which only PostgreSQL's user and whoever started us can enter */
    const char *short_dir;  /* that short folder, NULL: not needed */
    int lock_fd;
};

/*
 * Makes what is missing of the folder and takes it for us.
 *
 * Returns 0 and *dir, to be closed by the caller; or -1 with *err: it cannot be made, or is in use.
 */
int dev_dir_open(struct dev_dir *dir, const char *path, struct error *err);

/* Makes the folders for sockets, once nobody uses those of an earlier run. Returns 0, or -1 with *err. */
int dev_dir_make_sockets(struct dev_dir *dir, const struct dev_user *user, struct error *err);

/* Removes what belonged to this run, and gives the folder free. */
void dev_dir_close(struct dev_dir *dir);

/* A path in it: "%s/%s". Lives as long as the folder is open. */
const char *dev_dir_path(const struct dev_dir *dir, const char *folder, const char *name);

/* Writes a small file whole, readable for its owner only. Returns 0, or -1 with *err. */
int dev_dir_write(const char *path, struct span text, struct error *err);

/* Its text without white space at the ends, in the folder's arena; NULL when there is no such file. */
const char *dev_dir_read(const struct dev_dir *dir, const char *path);

/* Removes a file or a folder with everything in it. */
void dev_dir_remove(const char *path);

/*
 * Ends stages that an earlier `leadctl dev` left on this folder: TERM, later KILL.
 * Returns 0, or -1 with *err when we were asked to stop meanwhile.
 */
int dev_dir_take_over(struct dev_dir *dir, struct supervisor *supervisor, struct error *err);

#endif
