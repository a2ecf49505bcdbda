/*
 * dev_exec.h - what a new process of `leadctl dev` does before it is a stage, or PostgreSQL: streams, descriptors, environment,
 * user, signals, and the kernel's promise to tell it when we die.
 */
#ifndef LEADLINE_LEADCTL_DEV_EXEC_H
#define LEADLINE_LEADCTL_DEV_EXEC_H

#include "leadctl/dev_supervisor.h"

/*
 * To be called in a forked process; never returns: ends with status 127, and a line on its standard error, when it cannot.
 *
 * marker  put into its environment, so that a later `leadctl dev` on this folder knows it
 * parent  who forked it; when that has gone already, nothing is started
 */
void dev_exec(const struct child_options *options, const char *marker, pid_t parent) __attribute__((noreturn));

#endif
