/*
 * explain_args.h - what `leadctl explain` is told: a lead as a supplier would post it, from a file or spelled out field by field.
 */
#ifndef LEADLINE_LEADCTL_EXPLAIN_ARGS_H
#define LEADLINE_LEADCTL_EXPLAIN_ARGS_H

#include "common/buf.h"
#include "common/error.h"
#include "leadctl/command.h"

struct explain_args {
    struct options options;
    const char *file;     /* "-" is standard input; NULL: the lead is spelled out */
    const char *campaign; /* of a lead that is spelled out */
    const char *supplier; /* NULL: as the lead says, or the campaign's only source */
    const char *at;       /* as PostgreSQL reads a moment; NULL: now */
    char **pairs;         /* field=value, borrowed from argv */
    int pair_count;
};

/* Reads the command's arguments. Returns 0, or -1 after the mistake was told on standard error. */
int explain_args_read(struct explain_args *args, int argc, char **argv);

/*
 * The body that a supplier would post for campaign and pairs: a JSON object of texts; owned by the caller. Refuses a pair without
 * "=" or without a name, a name that comes twice, and what is not UTF-8. Returns NULL with *err.
 */
struct buf *explain_args_body(const struct explain_args *args, struct error *err);

#endif
