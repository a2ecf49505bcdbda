/*
 * suppress_import.c - puts a CSV file on a suppression list, in chunks; each is a transaction that also remembers how far it is, so
 * that an import that was killed goes on where it was.
 */
#include "common/buf.h"
#include "common/csv.h"
#include "common/digest.h"
#include "common/must.h"
#include "leadctl/progress.h"
#include "leadctl/suppress_options.h"
#include "leadctl/suppress_store.h"
#include "proto/suppression.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK_VALUES = 500000,       /* of one transaction */
    CHUNK_BYTES = 256 << 20,     /* the same, when a file has few values in many bytes */
    READ_BYTES = 1 << 20,
    ARENA_RECORDS = 1000,        /* after so many the arena begins anew */
    IDENTITY_BYTES = 64 * 1024,  /* looked at, at either end */
    REJECTED_TEXT_MOST = 4096,   /* shown of a bad line */
};

/* A column that we read. */
struct column {
    size_t place;
    enum field_type type;
    const char *name;
};

struct import {
    const char *path, *id;
    int fd;
    int64_t size; /* -1: not a regular file */
    char *identity; /* NULL: not a regular file */
    struct buf *data; /* what was read and not yet taken: from `at` on */
    size_t at;
    bool is_last;
    struct csv *csv;
    struct arena *arena;
    size_t records;
    struct column *columns;
    size_t column_count;
    struct uuid *values;
    size_t value_count;
    int64_t chunk_begin;
    unsigned kinds; /* of the values so far: bits of enum suppression_kind */
    char *rejected_path; /* NULL: nowhere */
    FILE *rejected;
    struct suppress_list list;
    struct suppress_progress now;
    struct progress *progress;
    int64_t shown_from; /* lines of an earlier run */
    struct db_wait *db;
};

/* The file ------------------------------------------------------------------------------------------------------------ */

/* Size and digest of both ends. Returns 0, or -1 with *err. */
static int identify(struct import *import, struct error *err)
{
    struct buf *ends = buf_new(2 * IDENTITY_BYTES);
    uint8_t sha256[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    off_t places[] = {0, import->size > IDENTITY_BYTES ? (off_t)(import->size - IDENTITY_BYTES) : 0};
    ssize_t got = 0;

    for (int i = 0; i < 2 && got >= 0; i++) {
        got = pread(import->fd, buf_reserve(ends, IDENTITY_BYTES), IDENTITY_BYTES, places[i]);
        ends->len += got > 0 ? (size_t)got : 0;
    }
    digest_sha256(buf_span(ends), sha256);
    buf_free(&ends);
    if (got < 0)
        return error_errno(err, "cannot read %s", import->path);
    must(asprintf(&import->identity, "%" PRId64 ":%s", import->size, digest_hex(sha256, sizeof sha256, hex)) > 0);
    return 0;
}

static int open_file(struct import *import, struct error *err)
{
    bool is_stdin = strcmp(import->path, "-") == 0;
    struct stat info;

    import->fd = is_stdin ? STDIN_FILENO : open(import->path, O_RDONLY | O_CLOEXEC);
    if (import->fd < 0 || fstat(import->fd, &info) != 0)
        return error_errno(err, "cannot open %s", import->path);
    if (S_ISDIR(info.st_mode))
        return error_set(err, "%s is a folder", import->path);
    import->size = S_ISREG(info.st_mode) && !is_stdin ? (int64_t)info.st_size : -1;
    if (import->rejected_path == NULL && import->size >= 0)
        must(asprintf(&import->rejected_path, "%s.rejected", import->path) > 0);
    return import->size >= 0 ? identify(import, err) : 0;
}

/* Reads on. What was taken makes room first. Returns 0, or -1 with *err. */
static int read_more(struct import *import, struct error *err)
{
    struct buf *data = import->data;
    ssize_t got;

    memmove(data->data, data->data + import->at, data->len - import->at);
    data->len -= import->at;
    import->at = 0;
    do
        got = read(import->fd, buf_reserve(data, READ_BYTES), READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_errno(err, "cannot read %s", import->path);
    data->len += (size_t)got;
    import->is_last = got == 0;
    return 0;
}

static void take(struct import *import, const struct csv_record *record)
{
    import->at += record->bytes;
    import->now.offset_bytes += (int64_t)record->bytes;
    import->now.line += (int64_t)record->lines;
}

/* The next record; where it ends is for take(). Returns 0, or -1 with *err. */
static int next_record(struct import *import, enum csv_found *found, struct csv_record *record, struct error *err)
{
    for (;;) {
        struct span rest = {import->data->data + import->at, import->data->len - import->at};

        *found = csv_read(import->csv, rest, import->is_last, record);
        if (*found != CSV_MORE)
            return 0;
        if (read_more(import, err) != 0)
            return -1;
    }
}

/* Bad lines ----------------------------------------------------------------------------------------------------------- */

/* The file for them: what an earlier run of this import wrote stays, anything else goes. Returns 0, or -1 with *err. */
static int open_rejected(struct import *import, struct error *err)
{
    const char *path = import->rejected_path;
    bool goes_on = import->now.rejected_bytes > 0;

    if (path == NULL || import->rejected != NULL)
        return 0;
    import->rejected = fopen(path, goes_on ? "r+e" : "we");
    if (import->rejected != NULL && goes_on &&
        (ftruncate(fileno(import->rejected), (off_t)import->now.rejected_bytes) != 0 || fseeko(import->rejected, 0, SEEK_END) != 0)) {
        fclose(import->rejected);
        import->rejected = NULL;
    }
    return import->rejected != NULL ? 0 : error_errno(err, "cannot write %s", path);
}

/* LINE, why and the text as it stood, with tabs between; line ends and tabs of the text become blanks. */
static int reject(struct import *import, int64_t line, const char *why, struct span text, struct error *err)
{
    struct buf *out;
    int rc = 0;

    import->now.bad_lines++;
    if (import->rejected_path == NULL)
        return 0;
    if (open_rejected(import, err) != 0)
        return -1;
    out = buf_new(256);
    buf_printf(out, "%" PRId64 "\t%s\t", line, why);
    if (text.len > REJECTED_TEXT_MOST)
        text.len = REJECTED_TEXT_MOST;
    for (size_t i = 0; i < text.len; i++)
        buf_add(out, text.ptr[i] == '\n' || text.ptr[i] == '\r' || text.ptr[i] == '\t' ? " " : &text.ptr[i], 1);
    buf_add_text(out, "\n");
    if (fwrite(out->data, 1, out->len, import->rejected) != out->len)
        rc = error_errno(err, "cannot write %s", import->rejected_path);
    import->now.rejected_bytes += (int64_t)out->len;
    buf_free(&out);
    return rc;
}

/* Can the earlier run be gone on with, or did somebody take its bad lines away? */
static bool has_rejected(const struct import *import)
{
    struct stat info;

    if (import->now.rejected_bytes == 0)
        return true;
    return import->rejected_path != NULL && stat(import->rejected_path, &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_size >= import->now.rejected_bytes;
}

/* Bad lines into the file that is read? Returns 0, or -1 with *err. */
static int check_rejected(const struct import *import, struct error *err)
{
    struct stat in, out;

    if (import->rejected_path == NULL || fstat(import->fd, &in) != 0 || stat(import->rejected_path, &out) != 0)
        return 0;
    if (S_ISREG(out.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return error_set(err, "bad lines cannot go to the file that is imported");
    return 0;
}

/* A file of bad lines that nobody will write is not to be taken for ours. */
static void remove_rejected(const struct import *import)
{
    struct stat info;

    if (import->rejected_path != NULL && lstat(import->rejected_path, &info) == 0 && S_ISREG(info.st_mode))
        unlink(import->rejected_path);
}

/* Records ------------------------------------------------------------------------------------------------------------- */

/* Finds our columns. Returns 0, or -1 with *err. */
static int read_header(struct import *import, struct error *err)
{
    static const struct { const char *name; enum field_type type; } known[] = {{"phone", FIELD_PHONE}, {"email", FIELD_EMAIL}};
    struct csv_record record;
    enum csv_found found;

    if (read_more(import, err) != 0)
        return -1;
    import->at = csv_mark(buf_span(import->data));
    import->now.offset_bytes = (int64_t)import->at;
    do {
        if (next_record(import, &found, &record, err) != 0)
            return -1;
        if (found == CSV_BLANK)
            take(import, &record);
    } while (found == CSV_BLANK);
    import->columns = must_alloc((record.count + 1) * sizeof *import->columns);
    for (size_t i = 0; found == CSV_RECORD && i < record.count; i++)
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            if (span_equal_nocase(span_trim(record.fields[i]), span_of(known[j].name)))
                import->columns[import->column_count++] = (struct column){i, known[j].type, known[j].name};
    if (import->column_count == 0)
        return error_set(err, "%s has no header with a column phone or email", import->path);
    take(import, &record);
    return 0;
}

/* The values of one record; what is wrong with it goes to the bad lines, what is good of it is taken all the same. */
static int read_record(struct import *import, const struct csv_record *record, struct error *err)
{
    char whys[256] = "";
    size_t len = 0, seen = 0;

    if (++import->records % ARENA_RECORDS == 0) {
        arena_free(&import->arena);
        import->arena = arena_new();
    }
    for (size_t i = 0; i < import->column_count; i++) {
        const struct column *column = &import->columns[i];
        struct span text = span_trim(csv_field(record, column->place));
        struct suppression_entry entry;
        const char *why;

        if (text.len == 0)
            continue;
        seen++;
        why = suppression_entry_read(import->arena, column->type, text, &entry);
        if (why == NULL) {
            import->values[import->value_count++] = entry.keys.sha256;
            import->kinds |= 1u << suppression_kind_of(column->type, entry.is_md5);
            import->now.values++;
        } else if (len < sizeof whys) {
            len += (size_t)snprintf(whys + len, sizeof whys - len, "%s%s %s", len > 0 ? "; " : "", column->name, why);
        }
    }
    if (seen == 0)
        snprintf(whys, sizeof whys, "has neither phone nor email");
    return whys[0] == '\0' ? 0 : reject(import, import->now.line + 1, whys, record->text, err);
}

/* The import ---------------------------------------------------------------------------------------------------------- */

static int send_chunk(struct import *import, bool is_over, struct error *err)
{
    if (import->rejected != NULL && (fflush(import->rejected) != 0 || fdatasync(fileno(import->rejected)) != 0) && errno != EINVAL)
        return error_errno(err, "cannot write %s", import->rejected_path);
    if (suppress_import_chunk(import->db, &import->list, import->identity, import->kinds, import->values, import->value_count, &import->now, is_over, err) != 0)
        return -1;
    import->value_count = 0;
    import->chunk_begin = import->now.offset_bytes;
    return 0;
}

/* A chunk ends where a line does. */
static bool is_full(const struct import *import, const struct csv_record *record)
{
    return record->lines > 0 && (import->value_count + import->column_count > CHUNK_VALUES ||
                                 import->now.offset_bytes - import->chunk_begin > CHUNK_BYTES);
}

static int run(struct import *import, struct error *err)
{
    struct csv_record record;
    enum csv_found found;

    for (;;) {
        if (next_record(import, &found, &record, err) != 0)
            return -1;
        if (found == CSV_END)
            return send_chunk(import, true, err);
        if (found == CSV_RECORD && read_record(import, &record, err) != 0)
            return -1;
        if (found == CSV_BAD && reject(import, import->now.line + 1, record.why, record.text, err) != 0)
            return -1;
        take(import, &record);
        if (is_full(import, &record) && send_chunk(import, false, err) != 0)
            return -1;
        progress_show(import->progress, import->now.offset_bytes, import->now.line - import->shown_from);
    }
}

/* Goes on where an earlier run of this import was, if there was one. Returns 0, or -1 with *err. */
static int begin(struct import *import, struct error *err)
{
    struct suppress_progress header;

    if (read_header(import, err) != 0)
        return -1;
    header = import->now;
    if (suppress_import_begin(import->db, &import->list, import->identity, &import->now, err) != 0)
        return -1;
    if (import->now.offset_bytes <= header.offset_bytes || !has_rejected(import)) {
        import->now = header;
        remove_rejected(import);
        return 0;
    }
    if (lseek(import->fd, (off_t)import->now.offset_bytes, SEEK_SET) < 0)
        return error_errno(err, "cannot read %s", import->path);
    import->data->len = import->at = 0;
    import->is_last = false;
    fprintf(stderr, "going on behind line %" PRId64 ", where an earlier import of this file ended\n", import->now.line);
    return open_rejected(import, err);
}

static void report(const struct import *import)
{
    const struct suppress_progress *now = &import->now;

    printf("imported into %s: %" PRId64 " values, %" PRId64 " of them new; %" PRId64 " bad line%s%s%s\n", import->id, now->values, now->added,
           now->bad_lines, now->bad_lines == 1 ? "" : "s", now->bad_lines > 0 && import->rejected_path != NULL ? ", in " : "",
           now->bad_lines > 0 && import->rejected_path != NULL ? import->rejected_path : "");
}

static int import_all(struct import *import, const struct options *database, struct error *err)
{
    int rc = -1;

    if (open_file(import, err) != 0 || check_rejected(import, err) != 0)
        return -1;
    import->db = options_connect(database, err);
    if (import->db == NULL || suppress_list_find_live(import->db, import->id, &import->list, err) != 0 || begin(import, err) != 0)
        return -1;
    import->values = must_alloc((CHUNK_VALUES + import->column_count) * sizeof *import->values);
    import->chunk_begin = import->now.offset_bytes;
    import->shown_from = import->now.line;
    import->progress = progress_new("lines", import->now.offset_bytes, import->size);
    rc = run(import, err);
    progress_free(&import->progress);
    return rc;
}

int command_suppress_import(int argc, char **argv)
{
    struct suppress_options options;
    struct import import = {.fd = -1, .size = -1};
    struct error err;
    int rc = EXIT_OK;

    if (suppress_options_read(&options, argc, argv, 2, 2, SUPPRESS_REJECT) != 0)
        return EXIT_USAGE;
    import.id = options.database.operands[0];
    import.path = options.database.operands[1];
    import.rejected_path = options.reject != NULL ? must_copy(options.reject, strlen(options.reject)) : NULL;
    import.data = buf_new(2 * READ_BYTES);
    import.csv = csv_new();
    import.arena = arena_new();
    if (import_all(&import, &options.database, &err) == 0)
        report(&import);
    else
        rc = command_failed(argv[0], import.db, &err);
    if (import.rejected != NULL)
        fclose(import.rejected);
    db_wait_close(&import.db);
    if (import.fd > STDIN_FILENO)
        close(import.fd);
    arena_free(&import.arena);
    csv_free(&import.csv);
    buf_free(&import.data);
    free(import.values);
    free(import.columns);
    free(import.identity);
    free(import.rejected_path);
    return rc;
}
