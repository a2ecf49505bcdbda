/*
 * suppress_options.h - what the commands of `leadctl suppress` are told.
 */
#ifndef LEADLINE_LEADCTL_SUPPRESS_OPTIONS_H
#define LEADLINE_LEADCTL_SUPPRESS_OPTIONS_H

#include "leadctl/command.h"

enum suppress_flag { SUPPRESS_JSON = 1, SUPPRESS_ALL = 2, SUPPRESS_REJECT = 4 };

struct suppress_options {
    struct options database; /* its operands are ours, too */
    int operand_count;
    bool is_all;
    const char *reject; /* NULL: not told */
};

/*
 * Reads --dir and --dsn, those options that flags name, and at least `least`, at most `most` operands.
 * Returns 0, or -1 after the mistake was told on standard error.
 */
int suppress_options_read(struct suppress_options *options, int argc, char **argv, int least, int most, int flags);

#endif
