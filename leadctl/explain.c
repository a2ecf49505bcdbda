/*
 * explain.c - runs a lead through the rules without selling it: what would become of it now, and why. Nothing is recorded, nothing
 * counted, nobody told.
 */
#include "common/log.h"
#include "leadctl/explain_args.h"
#include "leadctl/explain_json.h"
#include "leadctl/lead_print.h"
#include "leadctl/read_file.h"

#include <stdio.h>
#include <stdlib.h>

/* Zones are known for these days only (proto/catalog_rules.c). */
static const char MOMENT[] =
    "SELECT (extract(epoch FROM at) * 1000000)::int8, at BETWEEN now() - interval '1 day' AND now() + interval '8 days'"
    " FROM (SELECT $1::timestamptz AS at) m";

static const char WITH_ZONE[] = "SELECT set_config('TimeZone', coalesce(doc->>'time_zone', 'UTC'), false) FROM installation";

/* The moment in question, by the clocks of the installation's zone; 0, or -1 with *err. */
static int read_moment(struct db_wait *db, const char *at, int64_t *at_us, struct error *err)
{
    struct db_answer *answer;
    int rc = 0;

    *at_us = EXPLAIN_NOW;
    if (db_wait_do(db, WITH_ZONE, DB_NO_PARAMS, err) < 0)
        return -1;
    if (at == NULL)
        return 0;
    answer = db_wait_ask(db, MOMENT, DB_PARAMS(at), err);
    if (answer == NULL)
        return -1;
    *at_us = db_answer_int(answer, 0, 0);
    if (!db_answer_bool(answer, 0, 1))
        rc = error_set(err, "--at must be between yesterday and eight days from now");
    db_answer_free(&answer);
    return rc;
}

static void print(const struct explanation *explanation, bool is_json)
{
    struct json *document = is_json ? explain_json(explanation) : explain_json_for_people(explanation);
    struct buf *text = buf_new(4096);

    if (is_json) {
        json_print(document, text);
        puts(buf_text(text));
    } else {
        puts("what would become of this lead; nothing was recorded\n");
        lead_print(document);
    }
    buf_free(&text);
    json_free(&document);
}

static int explain(struct db_wait *db, const struct explain_args *args, struct span body, struct error *err)
{
    char *dsn = options_dsn(&args->options, err);
    struct explain_question question = {.body = body, .names_supplier = args->file == NULL, .supplier = span_of(args->supplier)};
    struct explain_source *source;
    struct explanation explanation;
    int rc = -1;

    if (dsn == NULL)
        return -1;
    if (read_moment(db, args->at, &question.at_us, err) == 0) {
        source = explain_source_open(dsn);
        rc = explain_lead(source, &question, &explanation, err);
        if (rc == 0)
            print(&explanation, args->options.is_json);
        explanation_close(&explanation);
        explain_source_close(&source);
    }
    free(dsn);
    return rc;
}

int command_explain(int argc, char **argv)
{
    struct explain_args args;
    struct db_wait *db;
    struct error err;
    struct buf *body;
    int rc;

    if (explain_args_read(&args, argc, argv) != 0)
        return EXIT_USAGE;
    log_set_level("error");
    body = args.file != NULL ? read_file(args.file, &err) : explain_args_body(&args, &err);
    options_hide(args.pairs, args.pair_count);
    if (body == NULL)
        return command_failed(argv[0], NULL, &err);
    db = options_connect(&args.options, &err);
    if (db == NULL)
        rc = command_failed(argv[0], NULL, &err);
    else
        rc = explain(db, &args, buf_span(body), &err) == 0 ? EXIT_OK : command_failed(argv[0], db, &err);
    db_wait_close(&db);
    buf_free(&body);
    return rc;
}
