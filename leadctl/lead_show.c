/*
 * lead_show.c - one lead with all that happened to it. Personal data goes to standard output only, for the operator.
 */
#include "common/json.h"
#include "common/uuid.h"
#include "leadctl/command.h"
#include "leadctl/lead_print.h"
#include "leadctl/sql_text.h"

#include <stdio.h>

#define SALES                                                                                                 \
    "SELECT s.n, s.buyer_id, s.contract_id, " MONEY("s.price_cents") " AS price, s.state,"                    \
    " " TIME("s.sold_at") " AS sold_at FROM sale s WHERE s.lead_id = $1::uuid"

#define ATTEMPTS                                                                                              \
    "SELECT a.delivery_id, a.attempt AS number, a.at AS moment, " TIME("a.at") " AS at, a.http_status, a.verdict, a.took_ms, a.answer," \
    " " MONEY("a.price_cents") " AS price, a.reference, a.redirect_url"                                        \
    " FROM attempt a WHERE a.lead_id = $1::uuid"

#define DELIVERIES                                                                                            \
    "SELECT d.id, d.n, d.buyer_id, d.event::json->>'type' AS event, d.state, CASE WHEN d.state = 'OPEN' THEN " TIME("d.due_at") " END AS next_attempt_at" \
    " FROM delivery d WHERE d.lead_id = $1::uuid"

#define BUYERS_FIRST "d.event IS NOT NULL, d.n, d.id"

/*
 * What was decided, flat, and behind it what was tried. place keeps the decisions of one step in their order. Whose the contract
 * is the sale says; of one that was passed over, the present configuration.
 * Telling the operator's endpoints is no part of the lead's story.
 */
#define TRAIL                                                                                                 \
    "SELECT t.at AS moment, 1 AS part, t.step, place, d->>'contract_id' AS contract_id, coalesce(s.buyer_id, c.buyer_id) AS buyer_id," \
    " d->>'decision' AS decision, d->>'reason' AS reason, d->>'detail' AS detail FROM trail t JOIN lead l ON l.id = t.lead_id" \
    " LEFT JOIN LATERAL jsonb_array_elements(t.decisions) WITH ORDINALITY AS e(d, place) ON true"             \
    " LEFT JOIN sale s ON s.lead_id = t.lead_id AND s.contract_id = d->>'contract_id'"                        \
    " LEFT JOIN contract c ON c.campaign_id = l.campaign_id AND c.id = d->>'contract_id' WHERE t.lead_id = $1::uuid" \
    " UNION ALL SELECT a.at, 2, 'attempt', a.attempt, s.contract_id, d.buyer_id, a.verdict, 'http ' || a.http_status," \
    " 'attempt ' || a.attempt || ' to ' || d.buyer_id || ', ' || a.took_ms || ' ms'"                          \
    " FROM attempt a LEFT JOIN delivery d ON d.lead_id = a.lead_id AND d.id = a.delivery_id"                  \
    " LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n WHERE a.lead_id = $1::uuid AND d.event IS NULL"

#define PARTS "WITH sales AS (" SALES "), attempts AS (" ATTEMPTS "), deliveries AS (" DELIVERIES "), steps AS (" TRAIL ")"

#define HEAD                                                                                                  \
    "'id', l.id, 'campaign_id', l.campaign_id, 'supplier_id', l.supplier_id, 'status', l.status,"             \
    " 'is_test', l.is_test, 'received_at', " TIME("l.received_at") ", 'decided_at', " TIME("l.decided_at")

/* The price is that of the sale; what a buyer refused afterwards is no revenue. */
#define AMOUNTS                                                                                               \
    "'price', " MONEY("l.price_cents") ", 'cost', " MONEY("l.cost_cents") ","                                 \
    " 'margin', " MONEY("(l.price_cents - coalesce(l.cost_cents, 0)"                                          \
                        " - coalesce((SELECT sum(price_cents) FROM sale WHERE lead_id = l.id AND state <> 'SOLD'), 0))")

#define REASON_LIST                                                                                           \
    "'reasons', (SELECT coalesce(json_agg(json_build_object('code', r->>'code', 'field', r->>'field',"        \
    " 'message', r->>'message') ORDER BY place), '[]') FROM jsonb_array_elements(l.reasons) WITH ORDINALITY AS e(r, place))"

#define SALE_LIST                                                                                             \
    "'sales', (SELECT coalesce(json_agg(json_build_object('buyer_id', buyer_id, 'contract_id', contract_id, 'price', price," \
    " 'state', state, 'sold_at', sold_at) ORDER BY n), '[]') FROM sales)"

#define TRAIL_LIST                                                                                            \
    "'trail', (SELECT coalesce(json_agg(json_build_object('at', " TIME("moment") ", 'step', step, 'contract_id', contract_id," \
    " 'buyer_id', buyer_id, 'decision', decision, 'reason', reason, 'detail', detail)"                        \
    " ORDER BY date_trunc('milliseconds', moment), part, step, place), '[]') FROM steps)"

static const char FOR_PROGRAMS[] =
    PARTS " SELECT json_build_object(" HEAD ", 'fields', l.fields, 'raw', l.raw, " REASON_LIST ", " AMOUNTS ", " SALE_LIST ","
    " 'deliveries', (SELECT coalesce(json_agg(json_build_object('id', d.id, 'buyer_id', d.buyer_id, 'event', d.event, 'state', d.state,"
    "   'next_attempt_at', d.next_attempt_at, 'attempts', (SELECT coalesce(json_agg(json_build_object('at', a.at, 'http_status', a.http_status,"
    "     'verdict', a.verdict, 'took_ms', a.took_ms, 'answer', a.answer, 'price', a.price, 'reference', a.reference,"
    "     'redirect_url', a.redirect_url) ORDER BY a.number), '[]') FROM attempts a WHERE a.delivery_id = d.id))"
    "   ORDER BY " BUYERS_FIRST "), '[]') FROM deliveries d),"
    " " TRAIL_LIST ") FROM lead l WHERE l.id = $1::uuid";

/* Values as texts: jsonb may hold numbers that are too long to be read again. */
static const char FOR_PEOPLE[] =
    PARTS " SELECT json_build_object(" HEAD ", " AMOUNTS ","
    " 'fields', (SELECT coalesce(json_agg(json_build_object('field', key, 'normal_form', l.fields->>key, 'as_sent', l.raw->>key)"
    "   ORDER BY key COLLATE \"C\"), '[]')"
    "   FROM jsonb_object_keys(l.raw || l.fields) AS k (key)),"
    " " REASON_LIST ", " SALE_LIST ","
    " 'deliveries', (SELECT coalesce(json_agg(json_build_object('id', d.id, 'buyer_id', buyer_id, 'event', event, 'state', state,"
    "   'next_attempt_at', next_attempt_at) ORDER BY " BUYERS_FIRST "), '[]') FROM deliveries d),"
    " 'attempts', (SELECT coalesce(json_agg(json_build_object('delivery_id', delivery_id, 'number', number, 'at', at, 'http_status', http_status,"
    "   'verdict', verdict, 'took_ms', took_ms, 'answer', answer, 'price', price, 'reference', reference, 'redirect_url', redirect_url)"
    "   ORDER BY moment, number), '[]') FROM attempts),"
    " " TRAIL_LIST ") FROM lead l WHERE l.id = $1::uuid";

static int print_for_people(struct span text, struct error *err)
{
    struct json *lead = json_parse(text, err);

    if (lead == NULL)
        return -1;
    lead_print(lead);
    json_free(&lead);
    return 0;
}

static int show(struct db_wait *db, const char *id, bool is_json, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, is_json ? FOR_PROGRAMS : FOR_PEOPLE, DB_PARAMS(id), err);
    int rc = 0;

    if (answer == NULL)
        return -1;
    if (db_answer_rows(answer) == 0)
        rc = error_set(err, "there is no lead %s", id);
    else if (is_json)
        puts(db_answer_text(answer, 0, 0).ptr);
    else
        rc = print_for_people(db_answer_text(answer, 0, 0), err);
    db_answer_free(&answer);
    return rc;
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
