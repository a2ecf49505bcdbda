/*
 * delivery_list.c - deliveries that fit an operator's filters, the newest first; and one of them with its attempts.
 */
#include "leadctl/delivery.h"
#include "leadctl/sql_text.h"
#include "leadctl/table.h"

#include <inttypes.h>
#include <stdio.h>

#define EVENT_TYPE "d.event::json->>'type'"

/* Page by page, so that neither side holds more than one; $6 and $7 are the last of the page before. */
#define PAGE                                                                                                           \
    "SELECT d.id, d.lead_id, d.buyer_id, " EVENT_TYPE " AS event, s.campaign_id, s.contract_id, d.state, d.attempt AS attempts,"                \
    " CASE WHEN d.state = 'OPEN' THEN " TIME("d.due_at") " END AS next_attempt_at, d.last_http_status,"                \
    " " TIME("s.sold_at") " AS sold_at"                                                                                \
    " FROM delivery d LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n"                                         \
    " WHERE " DELIVERY_FITS " AND ($6::uuid IS NULL OR (d.lead_id, d.id) < ($6, $7::uuid))"                            \
    " ORDER BY d.lead_id DESC, d.id DESC LIMIT $8::int8"

static const char LIST[] = PAGE;
static const char LIST_JSON[] = "SELECT t.id, t.lead_id, row_to_json(t)::text FROM (" PAGE ") t ORDER BY t.lead_id DESC, t.id DESC";

static void print_page(const struct db_answer *page, bool is_json, bool is_first)
{
    if (!is_json && db_answer_rows(page) > 0)
        table_print(page);
    for (int row = 0; is_json && row < db_answer_rows(page); row++)
        printf("%s%s", is_first && row == 0 ? "" : ",", db_answer_text(page, row, 2).ptr);
}

static int list(struct db_wait *db, const struct delivery_options *options, struct error *err)
{
    struct db_answer *page = NULL, *last = NULL;
    int64_t left = options->limit > 0 ? options->limit : INT64_MAX;
    char most[24];
    int rows, wanted;

    do {
        wanted = left < DELIVERY_PAGE ? (int)left : DELIVERY_PAGE;
        snprintf(most, sizeof most, "%d", wanted);
        page = db_wait_ask(db, options->base.is_json ? LIST_JSON : LIST,
                           DB_PARAMS(DELIVERY_PARAMS(options), last != NULL ? db_answer_text(last, DELIVERY_PAGE - 1, 1).ptr : NULL,
                                     last != NULL ? db_answer_text(last, DELIVERY_PAGE - 1, 0).ptr : NULL, most), err);
        rows = page != NULL ? db_answer_rows(page) : -1;
        if (page != NULL && last == NULL && options->base.is_json) /* not before we know that there is an answer */
            fputs("{\"deliveries\":[", stdout);
        if (page != NULL)
            print_page(page, options->base.is_json, last == NULL);
        if (last != NULL)
            db_answer_free(&last);
        last = page;
        left -= rows;
    } while (rows == DELIVERY_PAGE && left > 0);
    if (last != NULL)
        db_answer_free(&last);
    if (options->base.is_json && rows >= 0)
        puts("]}");
    return rows < 0 ? -1 : 0;
}

int command_delivery_list(int argc, char **argv)
{
    struct delivery_options options;
    struct db_wait *db;
    struct error err;
    int rc = EXIT_OK;

    if (delivery_options_read(&options, argc, argv, DELIVERY_FILTERS | DELIVERY_LIMIT | DELIVERY_JSON) != 0)
        return EXIT_USAGE;
    if (options.id_count > 0) {
        fprintf(stderr, "%s: there are too many arguments (one delivery is shown by `leadctl delivery show ID`)\n", argv[0]);
        return EXIT_USAGE;
    }
    db = options_connect(&options.base, &err);
    if (db == NULL || delivery_check_times(&options, db, &err) != 0 || list(db, &options, &err) != 0)
        rc = command_failed(argv[0], db, &err);
    db_wait_close(&db);
    return rc;
}

/* One delivery -------------------------------------------------------------------------------------------------------- */

#define FROM_DELIVERY                                                                                                  \
    " FROM delivery d LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n LEFT JOIN lead l ON l.id = d.lead_id"    \
    " WHERE d.lead_id = lead_of_delivery($1::uuid) AND d.id = $1::uuid"

#define ATTEMPTS                                                                                                       \
    "SELECT a.attempt AS number, " TIME("a.at") " AS at, a.http_status, a.verdict, a.took_ms, a.answer"                \
    " FROM attempt a WHERE a.lead_id = lead_of_delivery($1::uuid) AND a.delivery_id = $1::uuid"

static const char SHOW[] =
    "SELECT d.id, d.buyer_id, " EVENT_TYPE " AS event, s.campaign_id, s.contract_id, d.state, d.attempt AS attempts, d.attempts_before AS before_replay,"
    " CASE WHEN d.state = 'OPEN' THEN " TIME("d.due_at") " END AS next_attempt_at, d.last_http_status,"
    " " MONEY("s.price_cents") " AS price, s.state AS sale, " TIME("s.sold_at") " AS sold_at,"
    " d.lead_id, l.status AS lead_status, l.supplier_id, l.is_test" FROM_DELIVERY;

static const char SHOW_BODY[] =
    "SELECT f.key AS key, f.value FROM delivery d, json_each_text(d.event::json->'data') f WHERE d.lead_id = lead_of_delivery($1::uuid) AND d.id = $1::uuid";
static const char SHOW_ATTEMPTS[] = ATTEMPTS " ORDER BY number";
static const char SHOW_FIELDS[] =
    "SELECT f.key AS field, f.value FROM lead l, jsonb_each_text(l.fields) f WHERE l.id = lead_of_delivery($1::uuid)"
    " ORDER BY f.key COLLATE \"C\"";

static const char SHOW_JSON[] =
    "SELECT json_build_object('id', d.id, 'lead_id', d.lead_id, 'buyer_id', d.buyer_id, 'event', " EVENT_TYPE ", 'body', d.event::json,"
    " 'state', d.state,"
    " 'next_attempt_at', CASE WHEN d.state = 'OPEN' THEN " TIME("d.due_at") " END, 'last_http_status', d.last_http_status,"
    " 'attempts_before_replay', d.attempts_before,"
    " 'attempts', (SELECT coalesce(json_agg(row_to_json(a) ORDER BY a.number), '[]') FROM (" ATTEMPTS ") a),"
    " 'lead', json_build_object('id', l.id, 'status', l.status, 'campaign_id', l.campaign_id, 'supplier_id', l.supplier_id,"
    "   'is_test', l.is_test, 'received_at', " TIME("l.received_at") ", 'fields', l.fields),"
    " 'sale', CASE WHEN s.lead_id IS NOT NULL THEN json_build_object('contract_id', s.contract_id,"
    "   'price', " MONEY("s.price_cents") ", 'state', s.state, 'sold_at', " TIME("s.sold_at") ") END)" FROM_DELIVERY;

static int print_list(struct db_wait *db, const char *title, const char *sql, const char *id, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, sql, DB_PARAMS(id), err);

    if (answer == NULL)
        return -1;
    if (db_answer_rows(answer) > 0) {
        printf("\n%s:\n", title);
        table_print(answer);
    }
    db_answer_free(&answer);
    return 0;
}

static int show(struct db_wait *db, const char *id, bool is_json, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, is_json ? SHOW_JSON : SHOW, DB_PARAMS(id), err);
    int rc = 0;

    if (answer == NULL)
        return -1;
    if (db_answer_rows(answer) == 0)
        rc = error_set(err, "there is no delivery %s", id);
    else if (is_json)
        puts(db_answer_text(answer, 0, 0).ptr);
    else
        table_print_record(answer);
    db_answer_free(&answer);
    if (rc == 0 && !is_json)
        rc = print_list(db, "attempts", SHOW_ATTEMPTS, id, err);
    if (rc == 0 && !is_json)
        rc = print_list(db, "the event's data", SHOW_BODY, id, err);
    return rc == 0 && !is_json ? print_list(db, "the lead's fields", SHOW_FIELDS, id, err) : rc;
}

int command_delivery_show(int argc, char **argv)
{
    struct delivery_options options;
    struct db_wait *db;
    struct error err;
    int rc = EXIT_OK;

    if (delivery_options_read(&options, argc, argv, DELIVERY_JSON) != 0)
        return EXIT_USAGE;
    if (options.id_count != 1) {
        fprintf(stderr, "%s: %s\n", argv[0], options.id_count == 0 ? "an argument is missing" : "there are too many arguments");
        return EXIT_USAGE;
    }
    db = options_connect(&options.base, &err);
    if (db == NULL || show(db, options.base.operands[0], options.base.is_json, &err) != 0)
        rc = command_failed(argv[0], db, &err);
    db_wait_close(&db);
    return rc;
}
