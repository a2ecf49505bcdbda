/*
 * status.c - what runs, and what waits.
 */
#include "common/json.h"
#include "leadctl/command.h"
#include "leadctl/table.h"

#include <stdio.h>
#include <string.h>

#define ALIVE_S "15" /* a stage beats every 5 s */

static const char DATABASE[] =
    "SELECT current_setting('server_version') AS version, i.catalog_version, (SELECT max(number) FROM schema_migration) AS schema,"
    " d.open AS open_deliveries, extract(epoch FROM clock_timestamp() - d.due_at)::bigint AS oldest_due_s,"
    " CASE WHEN EXISTS (SELECT FROM pg_stat_replication) AND current_setting('synchronous_standby_names') = '' THEN"
    "  'a standby is connected, but synchronous_standby_names is empty: a fail-over may lose answered leads' END AS warning"
    " FROM installation i, (SELECT count(*) AS open, min(due_at) FILTER (WHERE due_at <= clock_timestamp()) AS due_at"
    "  FROM delivery WHERE state = 'OPEN') d";

static const char STAGES[] =
    "SELECT stage, name, pid, endpoint, admin, version, host, is_stopping AS stopping,"
    " beat_at > clock_timestamp() - interval '" ALIVE_S " s' AS alive,"
    " round(greatest(extract(epoch FROM clock_timestamp() - beat_at), 0), 1) AS beat_age_s,"
    " round(per_second::numeric, 1) AS per_second, queue_depth, catalog_version"
    " FROM stage_instance ORDER BY array_position('{gateway,validator,router,dispatcher}', stage), stage, name COLLATE \"C\"";

/* Columns that are not text in JSON. */
static const char *const numbers[] = {"pid", "beat_age_s", "per_second", "queue_depth", "catalog_version", NULL};
static const char *const booleans[] = {"alive", "stopping", NULL};

static bool is_among(const char *word, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static struct json *cell_json(const struct db_answer *answer, int row, int column)
{
    struct span text = db_answer_text(answer, row, column);
    struct json *number = NULL;

    if (text.ptr == NULL)
        return json_new_null();
    if (is_among(db_answer_title(answer, column), booleans))
        return json_new_bool(db_answer_bool(answer, row, column));
    if (is_among(db_answer_title(answer, column), numbers))
        number = json_new_number(text);
    return number != NULL ? number : json_new_text(text);
}

static struct json *stages_json(const struct db_answer *stages)
{
    struct json *list = json_new_list();

    for (int row = 0; stages != NULL && row < db_answer_rows(stages); row++) {
        struct json *stage = json_new_object();

        for (int column = 0; column < db_answer_columns(stages); column++)
            json_set(stage, db_answer_title(stages, column), cell_json(stages, row, column));
        json_push(list, stage);
    }
    return list;
}

static struct json *integer_json(const struct db_answer *answer, int column)
{
    if (answer == NULL || db_answer_text(answer, 0, column).ptr == NULL)
        return json_new_null();
    return json_new_integer(db_answer_int(answer, 0, column));
}

/* The answers are NULL when the database is away; why says so. */
static void print_json(const struct db_answer *base, const struct db_answer *stages, const char *why)
{
    struct json *status = json_new_object(), *database = json_new_object(), *deliveries = json_new_object();
    struct json *warnings = json_new_list();
    struct buf *text = buf_new(4096);

    json_set_bool(database, "ok", base != NULL);
    json_set(database, "version", base != NULL ? json_new_text(db_answer_text(base, 0, 0)) : json_new_null());
    json_set(database, "schema", integer_json(base, 2));
    if (why != NULL)
        json_set_text(database, "error", span_of(why));
    json_set(status, "database", database);
    json_set(status, "catalog_version", integer_json(base, 1));
    json_set(status, "stages", stages_json(stages));
    json_set(deliveries, "open", integer_json(base, 3));
    json_set(deliveries, "oldest_due_s", integer_json(base, 4));
    json_set(status, "deliveries", deliveries);
    if (base != NULL && db_answer_text(base, 0, 5).ptr != NULL)
        json_push(warnings, json_new_text(db_answer_text(base, 0, 5)));
    json_set(status, "warnings", warnings);
    json_print(status, text);
    puts(buf_text(text));
    buf_free(&text);
    json_free(&status);
}

static void print_text(const struct db_answer *base, const struct db_answer *stages)
{
    table_print_record(base);
    putchar('\n');
    if (db_answer_rows(stages) > 0)
        table_print(stages);
    else
        puts("no stage has ever run");
}

int command_status(int argc, char **argv)
{
    struct db_answer *base = NULL, *stages = NULL;
    struct options options;
    struct error err;
    struct db_wait *db;
    int rc = EXIT_OK;

    if (options_read(&options, argc, argv, 0, OPTION_JSON) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    if (db != NULL)
        stages = db_wait_ask(db, STAGES, DB_NO_PARAMS, &err);
    if (stages != NULL)
        base = db_wait_ask(db, DATABASE, DB_NO_PARAMS, &err);
    if (base == NULL)
        rc = options.is_json ? EXIT_FAILED : command_failed(argv[0], db, &err);
    if (options.is_json)
        print_json(base, base != NULL ? stages : NULL, base == NULL ? err.text : NULL);
    else if (base != NULL)
        print_text(base, stages);
    if (stages != NULL)
        db_answer_free(&stages);
    if (base != NULL)
        db_answer_free(&base);
    db_wait_close(&db);
    return rc;
}
