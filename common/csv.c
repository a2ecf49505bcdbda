#include "common/csv.h"

#include "common/must.h"

#include <stdlib.h>
#include <string.h>

struct csv {
    struct span fields[CSV_FIELDS_MOST];
    char plain[CSV_RECORD_BYTES_MOST]; /* quoted fields with their quotes undone */
    size_t used;
    bool is_skipping; /* the rest of a line that was too long */
};

struct csv *csv_new(void)
{
    return must_zalloc(sizeof(struct csv));
}

void csv_free(struct csv **csv)
{
    free(*csv);
    *csv = NULL;
}

size_t csv_mark(struct span bytes)
{
    return span_starts(bytes, SPAN("\xef\xbb\xbf")) ? 3 : 0;
}

struct span csv_field(const struct csv_record *record, size_t place)
{
    return place < record->count ? record->fields[place] : (struct span){NULL, 0};
}

/* How a record is read: where, and how far. */
struct cursor {
    const char *at, *end;
    const char *why; /* it is bad; NULL while it is not */
    bool is_cut;     /* the bytes end inside it */
    size_t lines;    /* ended inside quoted fields */
};

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Is this the end of a record: a line end, or that of the bytes? CR is a character elsewhere. */
static bool is_line_end(const char *at, const char *end)
{
    return at == end || *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
}

/* Up to the comma or line end. */
static struct span read_plain(struct cursor *cursor)
{
    const char *begin = cursor->at;

    while (!is_line_end(cursor->at, cursor->end) && *cursor->at != ',')
        cursor->at++;
    return (struct span){begin, (size_t)(cursor->at - begin)};
}

/* Behind the opening quote, up to the comma or line end behind the closing one. */
static struct span read_quoted(struct csv *csv, struct cursor *cursor)
{
    char *begin = csv->plain + csv->used, *to = begin;

    for (;; cursor->at++) {
        if (cursor->at == cursor->end) {
            cursor->is_cut = true;
            cursor->why = "has a quote that is not closed";
            break;
        }
        if (*cursor->at == '"') {
            cursor->at++;
            if (cursor->at == cursor->end || *cursor->at != '"')
                break;
        }
        cursor->lines += *cursor->at == '\n';
        *to++ = *cursor->at;
    }
    csv->used += (size_t)(to - begin);
    cursor->at = skip_blanks(cursor->at, cursor->end);
    if (cursor->why == NULL && !is_line_end(cursor->at, cursor->end) && *cursor->at != ',')
        cursor->why = "has text behind a closing quote";
    return (struct span){begin, (size_t)(to - begin)};
}

static struct span read_field(struct csv *csv, struct cursor *cursor)
{
    const char *first = skip_blanks(cursor->at, cursor->end);

    if (first == cursor->end || *first != '"')
        return read_plain(cursor);
    cursor->at = first + 1;
    return read_quoted(csv, cursor);
}

static void read_fields(struct csv *csv, struct cursor *cursor, struct csv_record *record)
{
    csv->used = 0;
    for (;;) {
        if (record->count == CSV_FIELDS_MOST) {
            cursor->why = "has more than 1024 fields";
            return;
        }
        csv->fields[record->count++] = read_field(csv, cursor);
        if (cursor->why != NULL || cursor->at == cursor->end || *cursor->at != ',')
            return;
        cursor->at++;
    }
}

/* The record ends at `end`; its line end is counted, too. */
static void set_extent(struct csv_record *record, struct span bytes, const char *end, size_t lines)
{
    size_t len = (size_t)(end - bytes.ptr), tail = 0;

    if (len < bytes.len)
        tail = bytes.ptr[len] == '\r' && len + 1 < bytes.len ? 2 : 1;
    record->text = (struct span){bytes.ptr, len};
    record->bytes = len + tail;
    record->lines = lines + 1;
}

/* The line is lost: reading goes on behind it. */
static enum csv_found lose_line(struct csv *csv, struct csv_record *record, struct span bytes, bool is_last, const char *why)
{
    const char *end = bytes.len > 0 ? memchr(bytes.ptr, '\n', bytes.len) : NULL;

    record->why = why;
    if (end == NULL && !is_last && bytes.len < CSV_RECORD_BYTES_MOST)
        return CSV_MORE;
    if (end == NULL) {
        csv->is_skipping = !is_last;
        record->text = bytes;
        record->bytes = bytes.len;
        record->lines = is_last;
        return CSV_BAD;
    }
    if (end > bytes.ptr && end[-1] == '\r')
        end--;
    set_extent(record, bytes, end, 0);
    return CSV_BAD;
}

/* The next piece of a line that is lost. */
static enum csv_found skip(struct csv *csv, struct csv_record *record, struct span bytes, bool is_last)
{
    const char *end = memchr(bytes.ptr, '\n', bytes.len);

    csv->is_skipping = end == NULL && !is_last;
    record->text = (struct span){bytes.ptr, 0};
    record->bytes = end != NULL ? (size_t)(end - bytes.ptr) + 1 : bytes.len;
    record->lines = !csv->is_skipping;
    return CSV_BLANK;
}

enum csv_found csv_read(struct csv *csv, struct span bytes, bool is_last, struct csv_record *record)
{
    bool is_long = bytes.len >= CSV_RECORD_BYTES_MOST;
    struct cursor cursor = {.at = bytes.ptr};
    const char *end;

    *record = (struct csv_record){.fields = csv->fields};
    if (bytes.len == 0)
        return is_last ? CSV_END : CSV_MORE;
    if (bytes.len > CSV_RECORD_BYTES_MOST)
        bytes.len = CSV_RECORD_BYTES_MOST;
    if (csv->is_skipping)
        return skip(csv, record, bytes, is_last && !is_long);
    cursor.end = bytes.ptr + bytes.len;
    read_fields(csv, &cursor, record);
    end = cursor.at;
    if (cursor.why == NULL && (end == cursor.end || (*end == '\r' && end + 1 == cursor.end)))
        cursor.is_cut = true;
    if (cursor.is_cut && !is_last && !is_long)
        return CSV_MORE;
    if (cursor.why == NULL && cursor.is_cut && is_long)
        cursor.why = "is longer than 65536 bytes";
    if (cursor.why != NULL)
        return lose_line(csv, record, bytes, is_last && !is_long, cursor.why);
    set_extent(record, bytes, end, cursor.lines);
    return span_trim(record->text).len == 0 ? CSV_BLANK : CSV_RECORD;
}
