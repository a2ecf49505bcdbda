/*
 * params.h - what a process is told: environment, a file, the command line.
 *
 * A parameter is one row of a table (made from a daemon's .def): name, type, unit, default, least, most, meaning.
 * The row `deadline_ms` is set by the environment variable LEADLINE_DEADLINE_MS, by the line
 * `deadline_ms = 5000` or `LEADLINE_DEADLINE_MS=5000` of the file named by --config (also LEADLINE_CONFIG),
 * or by the option --deadline-ms 5000. The option wins over the environment, the environment over the file.
 */
#ifndef LEADLINE_COMMON_PARAMS_H
#define LEADLINE_COMMON_PARAMS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_kind { PARAM_TEXT, PARAM_INT, PARAM_BOOL };

struct param {
    const char *name; /* lower case with underscores */
    enum param_kind kind;
    const char *unit; /* "ms", "bytes", "" */
    const char *otherwise; /* the default, as text */
    int64_t least, most; /* of a PARAM_INT */
    const char *meaning;
};

struct params;

/*
 * Reads all three places against the tables (each ends with a row whose name is NULL; `more` may be NULL).
 *
 * The options --help, --version and -n (check the configuration only) are known besides; --help prints the
 * purpose and all rows to standard output and ends the process with 0. An unknown option, a value that does
 * not fit, an unknown key of the file are errors; an unknown LEADLINE_* variable is not (another stage's).
 * Returns the parameters, owned by the caller, or NULL with *err.
 */
struct params *params_read(int argc, char **argv, const char *purpose, const struct param *rows,
                           const struct param *more, struct error *err);
void params_free(struct params **params);

/* Does what the rows cannot say hold of the new values, too? Returns 0, or -1 with *err. */
typedef int params_check_fn(void *ctx, const struct params *params, struct error *err);

/* Reads everything again (HUP); check may be NULL. Returns 0, or -1 with *err and the old values kept. */
int params_reread(struct params *params, params_check_fn *check, void *ctx, struct error *err);

/* A value by its row's name, which must exist. Text is borrowed until params_reread(); "" when not set. */
const char *params_text(const struct params *params, const char *name);
int64_t params_int(const struct params *params, const char *name);
bool params_bool(const struct params *params, const char *name);

/* Was -n given? */
bool params_only_check(const struct params *params);

#endif
