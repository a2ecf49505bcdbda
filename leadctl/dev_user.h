/*
 * dev_user.h - who PostgreSQL runs as: never root.
 *
 * Started by root, it is the user postgres, or nobody. Where folders above the data are closed to that user
 * (a checkout below /root), it gets the one capability to pass through them, and nothing else.
 */
#ifndef LEADLINE_LEADCTL_DEV_USER_H
#define LEADLINE_LEADCTL_DEV_USER_H

#include "common/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct dev_user {
    uid_t uid;
    gid_t gid;
    bool is_other;  /* than who we are */
    int capability; /* that it keeps, -1: none */
};

/*
 * Finds the user.
 *
 * data_dir  the data, when there is some: its owner goes on with it
 * Returns 0, or -1 with *err.
 */
int dev_user_find(struct dev_user *user, const char *data_dir, struct error *err);

/* Sees to it that the user can reach what is in the folder. Returns 0, or -1 with *err. */
int dev_user_reach(struct dev_user *user, const char *folder, struct error *err);

/* Makes this process that user, for good. To be called in a forked process. Returns 0, or -1 with errno. */
int dev_user_become(const struct dev_user *user);

#endif
