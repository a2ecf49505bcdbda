/*
 * command.h - the commands of leadctl, one file each; main.c has their table.
 *
 * A command is called like a main(): argv[0] is its name ("leadctl key new"), its arguments follow; getopt's state is fresh.
 * It returns the exit code. `--help` is main's business.
 */
#ifndef LEADLINE_LEADCTL_COMMAND_H
#define LEADLINE_LEADCTL_COMMAND_H

#include "common/db_wait.h"
#include "common/error.h"

#include <stdbool.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int command_dev(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_apply(int argc, char **argv);
int command_export(int argc, char **argv);
int command_key_new(int argc, char **argv);
int command_status(int argc, char **argv);
int command_lead_show(int argc, char **argv);
int command_delivery_list(int argc, char **argv);
int command_delivery_show(int argc, char **argv);
int command_delivery_replay(int argc, char **argv);
int command_delivery_cancel(int argc, char **argv);
int command_secret_rotate(int argc, char **argv);
int command_secret_list(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_suppress_import(int argc, char **argv);
int command_suppress_add(int argc, char **argv);
int command_suppress_remove(int argc, char **argv);
int command_suppress_count(int argc, char **argv);
int command_delivery_preview(int argc, char **argv);
int command_endpoint_list(int argc, char **argv);
int command_endpoint_on(int argc, char **argv);
int command_endpoint_off(int argc, char **argv);

/* What all commands that use the database are told. */
struct options {
    const char *dir;
    const char *dsn;
    bool is_json;
    char **operands;
};

enum { OPTION_JSON = 1 };

/*
 * Reads --dir, --dsn and, when flags say so, --json; and exactly that many operands.
 * Returns 0, or -1 after the mistake was told on standard error.
 */
int options_read(struct options *options, int argc, char **argv, int operand_count, int flags);

/* For commands that have options of their own: these, in their list for getopt_long(), */
#define OPTIONS_OF_DATABASE {"dir", required_argument, NULL, 'd'}, {"dsn", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}

/* and here what it found. Takes those three from optarg; returns whether it was one of them. */
bool options_take(struct options *options, int found);

/* Writes over arguments that hold somebody's data, once they were read: others see a process's arguments. */
void options_hide(char **values, int count);

/* The connection string of --dsn, --dir or LEADLINE_DSN, in this order, else "" for the PG* environment; owned by the caller. NULL with *err. */
char *options_dsn(const struct options *options, struct error *err);

/* Connects to that database. Returns NULL with *err. */
struct db_wait *options_connect(const struct options *options, struct error *err);

/* Tells on standard error why the command failed. db may be NULL. Returns EXIT_FAILED. */
int command_failed(const char *name, const struct db_wait *db, const struct error *err);

#endif
