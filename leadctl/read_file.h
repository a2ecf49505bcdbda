/*
 * read_file.h - a whole file, or standard input.
 */
#ifndef LEADLINE_LEADCTL_READ_FILE_H
#define LEADLINE_LEADCTL_READ_FILE_H

#include "common/buf.h"
#include "common/error.h"

enum { READ_FILE_BYTES_MOST = 64 << 20 };

/* What the file holds, "-" being standard input; owned by the caller. NULL with *err. */
struct buf *read_file(const char *path, struct error *err);

#endif
