/*
 * apply.c - makes the configuration be what a document says; with any error nothing changes, and every error is told.
 */
#include "common/map.h"
#include "leadctl/command.h"
#include "leadctl/configuration.h"
#include "leadctl/configuration_store.h"
#include "leadctl/document.h"
#include "leadctl/duplicate_keys.h"
#include "leadctl/event_leftovers.h"
#include "leadctl/read_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int print_complaints(const struct complaints *list)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(stderr, "%s: %s\n", list->items[i].pointer[0] != '\0' ? list->items[i].pointer : "the document",
                list->items[i].sentence);
    return EXIT_FAILED;
}

/* The time zones that PostgreSQL knows, read when the first is asked for. */
struct zones {
    struct db_wait *db;
    struct db_answer *answer;
    struct map *names;
    struct error err;
    bool has_failed;
};

static bool is_known_zone(void *ctx, struct span zone)
{
    struct zones *zones = ctx;

    if (zones->answer == NULL && !zones->has_failed) {
        zones->answer = db_wait_ask(zones->db, "SELECT name FROM pg_timezone_names", DB_NO_PARAMS, &zones->err);
        zones->has_failed = zones->answer == NULL;
        for (int row = 0; !zones->has_failed && row < db_answer_rows(zones->answer); row++)
            map_put(zones->names, db_answer_text(zones->answer, row, 0), zones);
    }
    return zones->has_failed || map_get(zones->names, zone) != NULL;
}

static int check_zones(struct db_wait *db, const struct json *document, struct complaints *list, struct error *err)
{
    struct zones zones = {.db = db, .names = map_new()};

    document_check_zones(document, is_known_zone, &zones, list);
    map_free(&zones.names);
    if (zones.answer != NULL)
        db_answer_free(&zones.answer);
    if (zones.has_failed)
        *err = zones.err;
    return zones.has_failed ? -1 : 0;
}

/* Keys of stored leads that an earlier apply did not come to are made here, too. */
static int make_keys(const char *name, struct db_wait *db, int64_t version)
{
    struct error err, why;
    int64_t made = 0;

    if (duplicate_keys_make(db, &made, &err) != 0) {
        error_set(&why, "version %" PRId64 " holds, but new duplicate rules do not see all stored leads yet; apply it again: %s", version,
                  err.text);
        return command_failed(name, db, &why);
    }
    if (made > 0)
        printf("made %" PRId64 " duplicate keys of stored leads\n", made);
    return EXIT_OK;
}

/* Likewise what an earlier apply did not come to. */
static int cancel_leftovers(const char *name, struct db_wait *db, int64_t version)
{
    struct error err, why;
    int64_t cancelled;

    if (event_leftovers_cancel(db, &cancelled, &err) != 0) {
        error_set(&why, "version %" PRId64 " holds, but events for endpoints that are gone are not all cancelled yet; apply it again: %s", version,
                  err.text);
        return command_failed(name, db, &why);
    }
    if (cancelled > 0)
        printf("cancelled %" PRId64 " events for endpoints that are gone\n", cancelled);
    return EXIT_OK;
}

static int store(const char *name, struct db_wait *db, struct json *document, struct complaints *list)
{
    struct stored stored;
    struct error err;
    int rc;

    document_normalise(document);
    rc = configuration_store(db, document, &stored, list, &err);
    if (rc < 0)
        return command_failed(name, db, &err);
    if (rc > 0)
        return print_complaints(list);
    configuration_wait(name, db);
    rc = make_keys(name, db, stored.version);
    if (rc == EXIT_OK)
        rc = cancel_leftovers(name, db, stored.version);
    if (rc == EXIT_OK)
        printf("%s: version %" PRId64 "\n", stored.is_changed ? "applied" : "nothing changed", stored.version);
    return rc;
}

static int apply(const char *name, const struct options *options, struct json *document, struct complaints *list)
{
    struct error err;
    struct db_wait *db = options_connect(options, &err);
    int rc;

    if (db == NULL)
        return list->count > 0 ? print_complaints(list) : command_failed(name, NULL, &err);
    if (check_zones(db, document, list, &err) != 0)
        rc = command_failed(name, db, &err);
    else if (list->count > 0)
        rc = print_complaints(list);
    else
        rc = store(name, db, document, list);
    db_wait_close(&db);
    return rc;
}

int command_apply(int argc, char **argv)
{
    struct options options;
    struct complaints *list;
    struct json *document;
    struct error err;
    struct buf *text;
    int rc;

    if (options_read(&options, argc, argv, 1, 0) != 0)
        return EXIT_USAGE;
    text = read_file(options.operands[0], &err);
    if (text == NULL)
        return command_failed(argv[0], NULL, &err);
    list = complaints_new();
    document = document_read(buf_span(text), list);
    rc = document != NULL ? apply(argv[0], &options, document, list) : print_complaints(list);
    if (document != NULL)
        json_free(&document);
    complaints_free(&list);
    buf_free(&text);
    return rc;
}
