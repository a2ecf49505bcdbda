/*
 * migrate.c - brings the database's schema up to the files in proto/sql, which this program carries with it.
 *
 * Each file is applied once, in its number's order and in one transaction with its row in schema_migration. A file that
 * was applied may never change: its checksum is kept.
 */
#include "common/buf.h"
#include "common/digest.h"
#include "leadctl/command.h"
#include "proto/embed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LOCK[] = "SELECT pg_advisory_lock(4701, 2)";

static const char MAKE_LIST[] =
    "CREATE TABLE IF NOT EXISTS schema_migration"
    " (number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";

static const char LIST[] = "SELECT number, name, sha256 FROM schema_migration ORDER BY number";

static const char RECORD[] = "INSERT INTO schema_migration (number, name, sha256) VALUES ($1::integer, $2, $3)";

struct migration {
    int number;
    const char *name; /* "001_base" and its suffix */
    struct span sql;
    char sha256[DIGEST_HEX_BYTES];
};

/* Reads the i-th embedded file. Returns false when it is no migration. */
static bool read_migration(struct migration *migration, const char *path)
{
    static const char folder[] = "proto/sql/";
    uint8_t sha256[DIGEST_BYTES];

    if (strncmp(path, folder, sizeof folder - 1) != 0)
        return false;
    migration->name = path + sizeof folder - 1;
    migration->number = atoi(migration->name);
    migration->sql = embed_find(path);
    digest_sha256(migration->sql, sha256);
    digest_hex(sha256, sizeof sha256, migration->sha256);
    return migration->number > 0;
}

static bool is_ours(int64_t number)
{
    struct migration migration;
    const char *path;

    for (size_t i = 0; (path = embed_path(i)) != NULL; i++)
        if (read_migration(&migration, path) && migration.number == number)
            return true;
    return false;
}

/* The row of this migration, or -1 when it was not applied. */
static int applied_row(const struct db_answer *applied, int number)
{
    for (int row = 0; row < db_answer_rows(applied); row++)
        if (db_answer_int(applied, row, 0) == number)
            return row;
    return -1;
}

static int check_applied(const struct db_answer *applied, struct error *err)
{
    struct migration migration;
    const char *path;

    for (int row = 0; row < db_answer_rows(applied); row++)
        if (!is_ours(db_answer_int(applied, row, 0)))
            return error_set(err, "the database is newer than this program: it has %s, which is not known here",
                             db_answer_text(applied, row, 1).ptr);
    for (size_t i = 0; (path = embed_path(i)) != NULL; i++) {
        int row = read_migration(&migration, path) ? applied_row(applied, migration.number) : -1;

        if (row >= 0 && !span_is(db_answer_text(applied, row, 2), migration.sha256))
            return error_set(err, "%s is not what was applied to this database: its checksum has changed", migration.name);
    }
    return 0;
}

static int apply_one(struct db_wait *db, const struct migration *migration, struct error *err)
{
    struct buf *sql = buf_new(migration->sql.len + 1);
    char number[16];
    struct error why;
    int rc = -1;

    snprintf(number, sizeof number, "%d", migration->number);
    buf_add_span(sql, migration->sql);
    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, &why) >= 0 && db_wait_do(db, buf_text(sql), DB_NO_PARAMS, &why) >= 0 &&
        db_wait_do(db, RECORD, DB_PARAMS(number, migration->name, migration->sha256), &why) >= 0 &&
        db_wait_do(db, "COMMIT", DB_NO_PARAMS, &why) >= 0) {
        printf("applied %s\n", migration->name);
        rc = 0;
    } else {
        error_set(err, "%s: %s", migration->name, why.text);
        db_wait_do(db, "ROLLBACK", DB_NO_PARAMS, NULL);
    }
    buf_free(&sql);
    return rc;
}

static int apply_missing(struct db_wait *db, const struct db_answer *applied, struct error *err)
{
    struct migration migration;
    const char *path;
    int done = 0;

    for (size_t i = 0; (path = embed_path(i)) != NULL; i++) {
        if (!read_migration(&migration, path) || applied_row(applied, migration.number) >= 0)
            continue;
        if (apply_one(db, &migration, err) != 0)
            return -1;
        done++;
    }
    if (done == 0)
        printf("the schema is up to date\n");
    return 0;
}

static int make_partitions(struct db_wait *db, struct error *err)
{
    struct db_answer *made = db_wait_ask(db, "SELECT make_partitions()", DB_NO_PARAMS, err);

    if (made == NULL)
        return -1;
    if (db_answer_int(made, 0, 0) > 0)
        printf("made %" PRId64 " partitions\n", db_answer_int(made, 0, 0));
    db_answer_free(&made);
    return 0;
}

static int migrate(struct db_wait *db, struct error *err)
{
    struct db_answer *applied;
    int rc = -1;

    if (db_wait_do(db, LOCK, DB_NO_PARAMS, err) < 0 || db_wait_do(db, MAKE_LIST, DB_NO_PARAMS, err) < 0)
        return -1;
    applied = db_wait_ask(db, LIST, DB_NO_PARAMS, err);
    if (applied == NULL)
        return -1;
    if (check_applied(applied, err) == 0 && apply_missing(db, applied, err) == 0)
        rc = make_partitions(db, err);
    db_answer_free(&applied);
    return rc;
}

int command_migrate(int argc, char **argv)
{
    struct options options;
    struct db_wait *db;
    struct error err;
    int rc;

    if (options_read(&options, argc, argv, 0, 0) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    if (db == NULL)
        return command_failed(argv[0], NULL, &err);
    rc = migrate(db, &err) == 0 ? EXIT_OK : command_failed(argv[0], db, &err);
    db_wait_close(&db);
    return rc;
}
