/*
 * suppress.c - single entries of suppression lists, in and out, and how many there are.
 */
#include "common/json.h"
#include "common/must.h"
#include "leadctl/suppress_options.h"
#include "leadctl/suppress_store.h"
#include "leadctl/table.h"
#include "proto/suppression.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The keys of all values: of a plain one both, or only that under which it is stored. NULL after the mistakes were told; owned by the caller.
 * kinds is set to theirs, bits of enum suppression_kind. */
static struct uuid *read_values(const char *name, char **values, int count, bool wants_both, size_t *key_count, unsigned *kinds)
{
    struct uuid *keys = must_alloc((size_t)count * 2 * sizeof *keys);
    struct arena *arena = arena_new();
    bool is_good = true;

    *key_count = 0;
    *kinds = 0;
    for (int i = 0; i < count; i++) {
        struct span text = span_of(values[i]);
        struct suppression_entry entry;
        enum field_type type = strchr(values[i], '@') != NULL ? FIELD_EMAIL : FIELD_PHONE;
        const char *why = suppression_entry_read(arena, type, text, &entry);

        if (why != NULL) {
            fprintf(stderr, "%s: value %d %s\n", name, i + 1, why);
            is_good = false;
            continue;
        }
        keys[(*key_count)++] = entry.keys.sha256;
        *kinds |= 1u << suppression_kind_of(type, entry.is_md5);
        if (entry.is_hash) /* of whatever it is */
            *kinds |= 1u << suppression_kind_of(FIELD_EMAIL, entry.is_md5);
        if (wants_both && !entry.is_hash)
            keys[(*key_count)++] = entry.keys.md5;
    }
    options_hide(values, count);
    arena_free(&arena);
    if (!is_good) {
        free(keys);
        keys = NULL;
    }
    return keys;
}

/* What a command does with a list that it has found. */
static int with_list(const char *name, const struct suppress_options *options, bool is_add)
{
    const char *id = options->database.operands[0];
    struct suppress_list list;
    struct uuid *keys = NULL;
    size_t count = 0;
    unsigned kinds = 0;
    struct db_wait *db;
    struct error err;
    int64_t rows = -1;

    if (!options->is_all) {
        keys = read_values(name, options->database.operands + 1, options->operand_count - 1, !is_add, &count, &kinds);
        if (keys == NULL)
            return EXIT_FAILED;
    }
    db = options_connect(&options->database, &err);
    if (db != NULL && is_add && suppress_list_find_live(db, id, &list, &err) == 0)
        rows = suppress_add(db, &list, kinds, keys, count, &err);
    else if (db != NULL && !is_add && suppress_list_find(db, id, &list, &err) == 0)
        rows = options->is_all ? suppress_remove_all(db, &list, &err) : suppress_remove(db, &list, keys, count, &err);
    if (rows < 0)
        command_failed(name, db, &err);
    else if (is_add)
        printf("added %" PRId64 " of %zu to %s\n", rows, count, id);
    else
        printf("removed %" PRId64 " from %s\n", rows, id);
    db_wait_close(&db);
    free(keys);
    return rows < 0 ? EXIT_FAILED : EXIT_OK;
}

int command_suppress_add(int argc, char **argv)
{
    struct suppress_options options;

    if (suppress_options_read(&options, argc, argv, 2, INT_MAX, 0) != 0)
        return EXIT_USAGE;
    return with_list(argv[0], &options, true);
}

int command_suppress_remove(int argc, char **argv)
{
    struct suppress_options options;

    if (suppress_options_read(&options, argc, argv, 1, INT_MAX, SUPPRESS_ALL) != 0)
        return EXIT_USAGE;
    if (options.is_all != (options.operand_count == 1)) {
        fprintf(stderr, "%s: either values or --all\n", argv[0]);
        return EXIT_USAGE;
    }
    return with_list(argv[0], &options, false);
}

static void print_counts_json(const struct db_answer *counts)
{
    struct json *document = json_new_object(), *list = json_new_list();
    struct buf *text = buf_new(256);

    for (int row = 0; row < db_answer_rows(counts); row++) {
        struct json *item = json_new_object();

        json_set_text(item, "list", db_answer_text(counts, row, 0));
        json_set(item, "name", db_answer_text(counts, row, 1).ptr != NULL ? json_new_text(db_answer_text(counts, row, 1)) : json_new_null());
        json_set_integer(item, "entries", db_answer_int(counts, row, 2));
        json_set_bool(item, "in_document", db_answer_bool(counts, row, 3));
        json_push(list, item);
    }
    json_set(document, "lists", list);
    json_print_pretty(document, text);
    puts(buf_text(text));
    buf_free(&text);
    json_free(&document);
}

int command_suppress_count(int argc, char **argv)
{
    struct suppress_options options;
    struct db_answer *counts = NULL;
    struct suppress_list list;
    struct db_wait *db;
    struct error err;
    const char *id;
    int rc;

    if (suppress_options_read(&options, argc, argv, 0, 1, SUPPRESS_JSON) != 0)
        return EXIT_USAGE;
    id = options.operand_count == 1 ? options.database.operands[0] : NULL;
    db = options_connect(&options.database, &err);
    if (db != NULL && (id == NULL || suppress_list_find(db, id, &list, &err) == 0))
        counts = suppress_counts(db, id, &err);
    if (counts == NULL)
        command_failed(argv[0], db, &err);
    else if (options.database.is_json)
        print_counts_json(counts);
    else
        table_print(counts);
    rc = counts == NULL ? EXIT_FAILED : EXIT_OK;
    db_answer_free(&counts);
    db_wait_close(&db);
    return rc;
}
