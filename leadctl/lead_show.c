/*
 * lead_show.c - one lead with all that happened to it. Personal data goes to standard output only, for the operator.
 */
#include "common/uuid.h"
#include "leadctl/command.h"
#include "leadctl/table.h"

#include <stdio.h>

#define MONEY(cents) "(" cents " / 100.0)::numeric(20, 2)::text"
#define TIME(at) "to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#define SALES                                                                                                 \
    "SELECT s.n, s.buyer_id, s.contract_id, " MONEY("s.price_cents") " AS price, s.state,"                    \
    " " TIME("s.sold_at") " AS sold_at FROM sale s WHERE s.lead_id = $1::uuid"

#define ATTEMPTS                                                                                              \
    "SELECT a.delivery_id, a.attempt AS number, a.at AS moment, " TIME("a.at") " AS at, a.http_status, a.verdict, a.took_ms, a.answer" \
    " FROM attempt a WHERE a.lead_id = $1::uuid"

#define DELIVERIES                                                                                            \
    "SELECT d.id, d.n, d.buyer_id, d.state, CASE WHEN d.state = 'OPEN' THEN " TIME("d.due_at") " END AS next_attempt_at" \
    " FROM delivery d WHERE d.lead_id = $1::uuid"

/* What was decided, flat, and behind it what was tried. place keeps the decisions of one step in their order. */
#define TRAIL                                                                                                 \
    "SELECT t.at AS moment, 1 AS part, t.step, place, d->>'contract_id' AS contract_id, d->>'decision' AS decision," \
    " d->>'reason' AS reason, d->>'detail' AS detail FROM trail t"                                            \
    " LEFT JOIN LATERAL jsonb_array_elements(t.decisions) WITH ORDINALITY AS e(d, place) ON true WHERE t.lead_id = $1::uuid" \
    " UNION ALL SELECT a.at, 2, 'attempt', a.attempt, s.contract_id, a.verdict, 'http ' || a.http_status,"    \
    " 'attempt ' || a.attempt || ' to ' || d.buyer_id || ', ' || a.took_ms || ' ms'"                          \
    " FROM attempt a LEFT JOIN delivery d ON d.lead_id = a.lead_id AND d.id = a.delivery_id"                  \
    " LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n WHERE a.lead_id = $1::uuid"

#define TRAIL_ORDER "moment, part, step, place"

static const char LEAD_JSON[] =
    "WITH sales AS (" SALES "), attempts AS (" ATTEMPTS "), deliveries AS (" DELIVERIES "), steps AS (" TRAIL ")"
    " SELECT json_build_object('id', l.id, 'campaign_id', l.campaign_id, 'supplier_id', l.supplier_id, 'status', l.status,"
    " 'is_test', l.is_test, 'received_at', " TIME("l.received_at") ", 'decided_at', " TIME("l.decided_at") ","
    " 'fields', l.fields, 'raw', l.raw, 'reasons', (SELECT coalesce(json_agg(json_build_object('code', r->>'code', 'field', r->>'field',"
    "   'message', r->>'message') ORDER BY place), '[]') FROM jsonb_array_elements(l.reasons) WITH ORDINALITY AS e(r, place)),"
    " 'price', " MONEY("l.price_cents") ", 'cost', " MONEY("l.cost_cents") ","
    " 'margin', " MONEY("(l.price_cents - coalesce(l.cost_cents, 0))") ","
    " 'sales', (SELECT coalesce(json_agg(json_build_object('buyer_id', buyer_id, 'contract_id', contract_id, 'price', price,"
    "   'state', state, 'sold_at', sold_at) ORDER BY n), '[]') FROM sales),"
    " 'deliveries', (SELECT coalesce(json_agg(json_build_object('id', d.id, 'buyer_id', d.buyer_id, 'state', d.state,"
    "   'next_attempt_at', d.next_attempt_at, 'attempts', (SELECT coalesce(json_agg(json_build_object('at', a.at, 'http_status', a.http_status,"
    "     'verdict', a.verdict, 'took_ms', a.took_ms, 'answer', a.answer) ORDER BY a.number), '[]') FROM attempts a WHERE a.delivery_id = d.id))"
    "   ORDER BY d.n, d.id), '[]') FROM deliveries d),"
    " 'trail', (SELECT coalesce(json_agg(json_build_object('at', " TIME("moment") ", 'step', step, 'contract_id', contract_id,"
    "   'decision', decision, 'reason', reason, 'detail', detail) ORDER BY " TRAIL_ORDER "), '[]') FROM steps))"
    " FROM lead l WHERE l.id = $1::uuid";

static const char LEAD[] =
    "SELECT l.id, l.campaign_id, l.supplier_id, l.status, l.is_test, " TIME("l.received_at") " AS received_at, " TIME("l.decided_at") " AS decided_at,"
    " " MONEY("l.price_cents") " AS price, " MONEY("l.cost_cents") " AS cost, " MONEY("(l.price_cents - coalesce(l.cost_cents, 0))") " AS margin"
    " FROM lead l WHERE l.id = $1::uuid";

static const struct { const char *title, *sql; } sections[] = {
    {"fields", "SELECT key AS field, value AS normal_form, l.raw->>key AS as_sent"
               " FROM lead l, jsonb_each_text(l.raw || l.fields) WHERE l.id = $1::uuid ORDER BY key COLLATE \"C\""},
    {"reasons", "SELECT r->>'code' AS code, r->>'field' AS field, r->>'message' AS message"
                " FROM lead l, jsonb_array_elements(l.reasons) WITH ORDINALITY AS e(r, place) WHERE l.id = $1::uuid ORDER BY place"},
    {"sales", SALES " ORDER BY n"},
    {"deliveries", DELIVERIES " ORDER BY n, id"},
    {"attempts", "SELECT delivery_id, number, at, http_status, verdict, took_ms, answer FROM (" ATTEMPTS ") a ORDER BY moment, number"},
    {"trail", "SELECT " TIME("moment") " AS at, step, contract_id, decision, reason, detail FROM (" TRAIL ") t ORDER BY " TRAIL_ORDER},
};

static int print_sections(struct db_wait *db, const char *id, struct error *err)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        struct db_answer *answer = db_wait_ask(db, sections[i].sql, DB_PARAMS(id), err);

        if (answer == NULL)
            return -1;
        if (db_answer_rows(answer) > 0) {
            printf("\n%s:\n", sections[i].title);
            table_print(answer);
        }
        db_answer_free(&answer);
    }
    return 0;
}

static int show(struct db_wait *db, const char *id, bool is_json, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, is_json ? LEAD_JSON : LEAD, DB_PARAMS(id), err);
    int rc = 0;

    if (answer == NULL)
        return -1;
    if (db_answer_rows(answer) == 0)
        rc = error_set(err, "there is no lead %s", id);
    else if (is_json)
        puts(db_answer_text(answer, 0, 0).ptr);
    else
        table_print_record(answer);
    db_answer_free(&answer);
    return rc == 0 && !is_json ? print_sections(db, id, err) : rc;
}

int command_lead_show(int argc, char **argv)
{
    struct options options;
    struct db_wait *db;
    struct error err;
    struct uuid id;
    int rc;

    if (options_read(&options, argc, argv, 1, OPTION_JSON) != 0)
        return EXIT_USAGE;
    if (uuid_parse(&id, span_of(options.operands[0])) != 0) {
        fprintf(stderr, "%s: a lead's id is a UUID of 36 characters\n", argv[0]);
        return EXIT_USAGE;
    }
    db = options_connect(&options, &err);
    if (db == NULL)
        return command_failed(argv[0], NULL, &err);
    rc = show(db, options.operands[0], options.is_json, &err) == 0 ? EXIT_OK : command_failed(argv[0], db, &err);
    db_wait_close(&db);
    return rc;
}
