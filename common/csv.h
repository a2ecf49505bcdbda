/*
 * csv.h - reads comma-separated values record by record (RFC 4180) out of bytes that come piece by piece.
 *
 * Pure. Lines end with LF or CRLF, the last one with either or nothing. A field in quotes may hold commas, line ends and doubled
 * quotes; blanks before and behind it do not matter. A quote inside a field that does not begin with one is a character like
 * others. What is broken is told with its line, and reading goes on behind that line: a quote that is never closed takes one line
 * away, not the rest of the file.
 */
#ifndef LEADLINE_COMMON_CSV_H
#define LEADLINE_COMMON_CSV_H

#include "common/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { CSV_RECORD_BYTES_MOST = 64 * 1024, CSV_FIELDS_MOST = 1024 };

struct csv; /* the memory of a reader */

enum csv_found {
    CSV_RECORD,
    CSV_BLANK, /* an empty line, or one of nothing but blanks */
    CSV_BAD,   /* why says what is wrong with this line */
    CSV_MORE,  /* the record does not end here: come again with more bytes */
    CSV_END,   /* nothing is left */
};

struct csv_record {
    struct span *fields; /* borrowed from the bytes and the reader, until the next call */
    size_t count;
    struct span text;    /* the whole record without its line end, borrowed from the bytes */
    size_t bytes;        /* that it takes, line end included */
    size_t lines;        /* 0: the line goes on behind them, and the reader passes the rest over (CSV_BLANK) */
    const char *why;     /* of CSV_BAD, static */
};

struct csv *csv_new(void);
void csv_free(struct csv **csv);

/* How many bytes a byte order mark of UTF-8 at the beginning takes: 3 or 0. */
size_t csv_mark(struct span bytes);

/*
 * Reads the record that begins at the first byte.
 *
 * bytes    the rest of what is there; with CSV_RECORD_BYTES_MOST and more it never says CSV_MORE
 * is_last  nothing comes behind them
 */
enum csv_found csv_read(struct csv *csv, struct span bytes, bool is_last, struct csv_record *record);

/* The field at that place, absent when the record is shorter. */
struct span csv_field(const struct csv_record *record, size_t place);

#endif
