#include "leadctl/suppress_store.h"

#include "common/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FIND[] = "SELECT number, is_live FROM suppression_list WHERE id = $1";

/* Who adds single entries, and who empties the list, one after the other: or an entry came in behind the one, and with the other the list
 * forgot of which kinds it has any. No lock of the list's row: emptying takes long, and `apply` must not wait for it. */
static const char ADDING[] = "SELECT pg_advisory_xact_lock_shared(4705, $1::integer)";
static const char EMPTYING[] = "SELECT pg_advisory_xact_lock(4705, $1::integer)";

/* Sorted, like all who add: two of them wait for each other in one direction only. */
static const char ADD[] =
    "INSERT INTO suppression_entry (value, list) SELECT v, $2::integer FROM unnest($1::uuid[]) AS u(v) ORDER BY v ON CONFLICT DO NOTHING";

/* In the transaction that adds, so that nobody sees the entries without it. */
static const char ADD_KINDS[] = "UPDATE suppression_list SET kinds = kinds | $2::integer WHERE number = $1::integer AND kinds & $2::integer <> $2::integer";

static const char REMOVE[] = "DELETE FROM suppression_entry WHERE value = ANY ($1::uuid[]) AND list = $2::integer";

static const char REMOVE_ALL[] = "DELETE FROM suppression_entry WHERE list = $1::integer";
static const char FORGET_IMPORTS[] = "DELETE FROM suppression_import WHERE list = $1::integer";
static const char FORGET_KINDS[] = "UPDATE suppression_list SET kinds = 0 WHERE number = $1::integer";
static const char FORGET_LIST[] = "DELETE FROM suppression_list WHERE number = $1::integer AND NOT is_live";

static const char COUNTS[] =
    "SELECT l.id AS list, l.doc->>'name' AS name, coalesce(e.entries, 0) AS entries, l.is_live AS in_document FROM suppression_list l"
    " LEFT JOIN (SELECT list, count(*) AS entries FROM suppression_entry"
    "  WHERE $1::text IS NULL OR list = (SELECT number FROM suppression_list WHERE id = $1) GROUP BY list) e ON e.list = l.number"
    " WHERE ($1::text IS NULL OR l.id = $1) AND (l.is_live OR e.entries > 0 OR $1::text IS NOT NULL) ORDER BY l.id COLLATE \"C\"";

/* Imports ------------------------------------------------------------------------------------------------------------- */

static const char LOCK[] = "SELECT pg_advisory_lock(4704, $1::integer)";

static const char MAKE_CHUNK[] = "CREATE TEMPORARY TABLE suppress_chunk (value uuid NOT NULL, list integer NOT NULL) ON COMMIT DELETE ROWS";

static const char READ_PROGRESS[] =
    "SELECT offset_bytes, line, rejected_bytes, counts[1], counts[2], counts[3] FROM suppression_import WHERE list = $1::integer AND file = $2";

/* Straight into the list, which is twice as fast; and, when some of it is there already, by way of a table of our own. */
static const char COPY_STRAIGHT[] = "COPY suppression_entry (value, list) FROM STDIN (FORMAT binary)";
static const char COPY_CHUNK[] = "COPY suppress_chunk (value, list) FROM STDIN (FORMAT binary)";

/* The chunk was copied in the order of the index. */
static const char ADD_CHUNK[] = "INSERT INTO suppression_entry (value, list) SELECT value, list FROM suppress_chunk ON CONFLICT DO NOTHING";

static const char STILL_LIVE[] = "SELECT FROM suppression_list WHERE number = $1::integer AND is_live";

static const char NOTE_PROGRESS[] =
    "INSERT INTO suppression_import (list, file, offset_bytes, line, rejected_bytes, counts)"
    " VALUES ($1::integer, $2, $3::bigint, $4::bigint, $5::bigint, $6::bigint[]) ON CONFLICT (list, file) DO UPDATE"
    " SET offset_bytes = excluded.offset_bytes, line = excluded.line, rejected_bytes = excluded.rejected_bytes, counts = excluded.counts, at = now()";

static const char FORGET_PROGRESS[] = "DELETE FROM suppression_import WHERE list = $1::integer AND file = $2";

/* Lists --------------------------------------------------------------------------------------------------------------- */

/* Returns whether there is such a row (0, 1), or -1 with *err. */
static int find(struct db_wait *db, const char *id, struct suppress_list *list, struct error *err)
{
    struct db_answer *found = db_wait_ask(db, FIND, DB_PARAMS(id), err);
    int rows;

    if (found == NULL)
        return -1;
    rows = db_answer_rows(found);
    if (rows > 0) {
        snprintf(list->number, sizeof list->number, "%" PRId64, db_answer_int(found, 0, 0));
        list->is_live = db_answer_bool(found, 0, 1);
    }
    db_answer_free(&found);
    return rows;
}

int suppress_list_find(struct db_wait *db, const char *id, struct suppress_list *list, struct error *err)
{
    int rows = find(db, id, list, err);

    return rows == 0 ? error_set(err, "there is no suppression list %s", id) : rows < 0 ? -1 : 0;
}

int suppress_list_find_live(struct db_wait *db, const char *id, struct suppress_list *list, struct error *err)
{
    int rows = find(db, id, list, err);

    if (rows < 0)
        return -1;
    return rows > 0 && list->is_live ? 0 : error_set(err, "the configuration document has no suppression list %s", id);
}

/* Entries ------------------------------------------------------------------------------------------------------------- */

/* As PostgreSQL reads an array; owned by the caller. */
static struct buf *array_text(const struct uuid *values, size_t count)
{
    struct buf *text = buf_new(count * UUID_TEXT_BYTES + 2);
    char one[UUID_TEXT_BYTES];

    buf_add_text(text, "{");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(text, i > 0 ? "," : "");
        buf_add_text(text, uuid_text(&values[i], one));
    }
    buf_add_text(text, "}");
    return text;
}

static int64_t do_with(struct db_wait *db, const char *sql, const struct suppress_list *list, const struct uuid *values, size_t count,
                       struct error *err)
{
    struct buf *text = array_text(values, count);
    int64_t rows = db_wait_do(db, sql, DB_PARAMS(buf_text(text), list->number), err);

    buf_free(&text);
    return rows;
}

/* Fails for a list that was taken out of the document, and perhaps forgotten, since it was found. */
static int check_live(struct db_wait *db, const struct suppress_list *list, struct error *err)
{
    struct db_answer *found = db_wait_ask(db, STILL_LIVE, DB_PARAMS(list->number), err);
    int rc = -1;

    if (found == NULL)
        return -1;
    rc = db_answer_rows(found) == 1 ? 0 : error_set(err, "the list was taken out of the configuration document");
    db_answer_free(&found);
    return rc;
}

/* Within the transaction. Returns 0, or -1 with *err. */
static int add_kinds(struct db_wait *db, const struct suppress_list *list, unsigned kinds, struct error *err)
{
    char text[12];

    snprintf(text, sizeof text, "%u", kinds);
    return db_wait_do(db, ADD_KINDS, DB_PARAMS(list->number, text), err) < 0 ? -1 : 0;
}

int64_t suppress_add(struct db_wait *db, const struct suppress_list *list, unsigned kinds, struct uuid *values, size_t count, struct error *err)
{
    int64_t rows;

    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 || db_wait_do(db, ADDING, DB_PARAMS(list->number), err) < 0 ||
        check_live(db, list, err) != 0 || add_kinds(db, list, kinds, err) != 0)
        return -1;
    rows = do_with(db, ADD, list, values, count, err);
    return rows < 0 || db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0 ? -1 : rows;
}

int64_t suppress_remove(struct db_wait *db, const struct suppress_list *list, struct uuid *values, size_t count, struct error *err)
{
    return do_with(db, REMOVE, list, values, count, err);
}

int64_t suppress_remove_all(struct db_wait *db, const struct suppress_list *list, struct error *err)
{
    int64_t rows = -1;

    if (db_wait_do(db, LOCK, DB_PARAMS(list->number), err) < 0 || db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 ||
        db_wait_do(db, EMPTYING, DB_PARAMS(list->number), err) < 0)
        return -1;
    rows = db_wait_do(db, REMOVE_ALL, DB_PARAMS(list->number), err);
    if (rows < 0 || db_wait_do(db, FORGET_KINDS, DB_PARAMS(list->number), err) < 0 || db_wait_do(db, FORGET_IMPORTS, DB_PARAMS(list->number), err) < 0 ||
        db_wait_do(db, FORGET_LIST, DB_PARAMS(list->number), err) < 0 || db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0)
        return -1;
    return rows;
}

struct db_answer *suppress_counts(struct db_wait *db, const char *id, struct error *err)
{
    return db_wait_ask(db, COUNTS, DB_PARAMS(id), err);
}

/* Imports ------------------------------------------------------------------------------------------------------------- */

int suppress_import_begin(struct db_wait *db, const struct suppress_list *list, const char *file, struct suppress_progress *progress,
                          struct error *err)
{
    struct db_answer *found;

    *progress = (struct suppress_progress){0};
    if (db_wait_do(db, LOCK, DB_PARAMS(list->number), err) < 0 || db_wait_do(db, MAKE_CHUNK, DB_NO_PARAMS, err) < 0)
        return -1;
    if (file == NULL)
        return 0;
    found = db_wait_ask(db, READ_PROGRESS, DB_PARAMS(list->number, file), err);
    if (found == NULL)
        return -1;
    if (db_answer_rows(found) == 1)
        *progress = (struct suppress_progress){
            .offset_bytes = db_answer_int(found, 0, 0), .line = db_answer_int(found, 0, 1), .rejected_bytes = db_answer_int(found, 0, 2),
            .values = db_answer_int(found, 0, 3), .added = db_answer_int(found, 0, 4), .bad_lines = db_answer_int(found, 0, 5),
        };
    db_answer_free(&found);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

static void add_u16(struct buf *buf, uint16_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    buf_add(buf, bytes, sizeof bytes);
}

/* The values in COPY's binary form, each once; owned by the caller. */
static struct buf *copy_form(const struct suppress_list *list, const struct uuid *values, size_t count)
{
    uint32_t number = (uint32_t)strtoul(list->number, NULL, 10);
    static const char signature[11] = "PGCOPY\n\377\r\n";
    struct buf *data = buf_new(64 + count * (sizeof *values + sizeof number + 10));

    buf_add(data, signature, sizeof signature);
    buf_add_u32(data, 0);
    buf_add_u32(data, 0);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && uuid_compare(&values[i - 1], &values[i]) == 0)
            continue;
        add_u16(data, 2);
        buf_add_u32(data, sizeof values[i].bytes);
        buf_add(data, values[i].bytes, sizeof values[i].bytes);
        buf_add_u32(data, sizeof number);
        buf_add_u32(data, number);
    }
    add_u16(data, UINT16_MAX);
    return data;
}

/* Returns how many were new, -1 with *err; or -2 when some are there already, and nothing has happened. */
static int64_t add_straight(struct db_wait *db, struct span data, struct error *err)
{
    int64_t rows;

    if (db_wait_do(db, "SAVEPOINT straight", DB_NO_PARAMS, err) < 0)
        return -1;
    rows = db_wait_copy(db, COPY_STRAIGHT, data, err);
    if (rows >= 0 || strcmp(db_wait_state(db), "23505") != 0)
        return rows;
    return db_wait_do(db, "ROLLBACK TO SAVEPOINT straight", DB_NO_PARAMS, err) < 0 ? -1 : -2;
}

/* Adds the chunk's values, within the transaction. Returns how many were new, or -1 with *err. */
static int64_t add_chunk(struct db_wait *db, const struct suppress_list *list, struct uuid *values, size_t count, bool *overlaps,
                         struct error *err)
{
    struct buf *data;
    int64_t rows = -2;

    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    data = copy_form(list, values, count);
    if (!*overlaps)
        rows = add_straight(db, buf_span(data), err);
    if (rows == -2) {
        *overlaps = true;
        rows = db_wait_copy(db, COPY_CHUNK, buf_span(data), err) < 0 ? -1 : db_wait_do(db, ADD_CHUNK, DB_NO_PARAMS, err);
    }
    buf_free(&data);
    return rows;
}

static int note_progress(struct db_wait *db, const struct suppress_list *list, const char *file, const struct suppress_progress *at,
                         struct error *err)
{
    char offset[24], line[24], rejected[24], counts[80];

    snprintf(offset, sizeof offset, "%" PRId64, at->offset_bytes);
    snprintf(line, sizeof line, "%" PRId64, at->line);
    snprintf(rejected, sizeof rejected, "%" PRId64, at->rejected_bytes);
    snprintf(counts, sizeof counts, "{%" PRId64 ",%" PRId64 ",%" PRId64 "}", at->values, at->added, at->bad_lines);
    return db_wait_do(db, NOTE_PROGRESS, DB_PARAMS(list->number, file, offset, line, rejected, counts), err) < 0 ? -1 : 0;
}

int suppress_import_chunk(struct db_wait *db, const struct suppress_list *list, const char *file, unsigned kinds, struct uuid *values, size_t count,
                          struct suppress_progress *progress, bool is_over, struct error *err)
{
    struct suppress_progress next = *progress;
    int64_t added;

    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 || check_live(db, list, err) != 0 || add_kinds(db, list, kinds, err) != 0)
        return -1;
    added = add_chunk(db, list, values, count, &next.overlaps, err);
    if (added < 0)
        return -1;
    next.added += added;
    if (file != NULL && is_over && db_wait_do(db, FORGET_PROGRESS, DB_PARAMS(list->number, file), err) < 0)
        return -1;
    if (file != NULL && !is_over && note_progress(db, list, file, &next, err) != 0)
        return -1;
    if (db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0)
        return -1;
    *progress = next;
    return 0;
}
