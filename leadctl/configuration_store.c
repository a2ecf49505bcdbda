#include "leadctl/configuration_store.h"

#include "common/buf.h"
#include "leadctl/configuration.h"
#include "leadctl/counters.h"
#include "leadctl/duplicate_keys.h"

/* Before the fence ------------------------------------------------------------------------------------------------------ */

static const char BEGIN[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED; CREATE TEMPORARY TABLE new_document (doc jsonb NOT NULL) ON COMMIT DROP";

static const char TAKE_DOCUMENT[] = "INSERT INTO new_document VALUES ($1::jsonb)";

#define ENTRIES(of, key) "jsonb_array_elements(coalesce(" of "->'" key "', '[]'))"
#define STATUS(entry) "coalesce(" entry "->>'status', 'ACTIVE') AS status"
/* Of an endpoint for events: whatever else of it changes, or its place, it is the same one. */
#define EVENT_ID(entry) "'@' || left(encode(sha256(convert_to(" entry "->>'url', 'UTF8')), 'hex'), 16)"
#define TEMPORARY(name) "CREATE TEMPORARY TABLE " name " ON COMMIT DROP AS "

/* The document as rows: one temporary table for each table of the configuration. */
static const char *const split[] = {
    TEMPORARY("new_installation") "SELECT coalesce(doc->>'time_zone', 'UTC') AS time_zone,"
    " doc - '{suppliers,buyers,campaigns,suppression_lists,events}'::text[] AS doc FROM new_document",
    TEMPORARY("new_supplier") "SELECT e->>'id' AS id, " STATUS("e") ", e ? 'api_keys' AS keys_listed, e - 'api_keys' AS doc"
    " FROM new_document, " ENTRIES("doc", "suppliers") " e",
    TEMPORARY("new_api_key") "SELECT decode(k.e->>'sha256', 'hex') AS sha256, s.e->>'id' AS supplier_id, s.n - 1 AS supplier_at, k.n - 1 AS key_at"
    " FROM new_document, " ENTRIES("doc", "suppliers") " WITH ORDINALITY AS s(e, n), " ENTRIES("s.e", "api_keys") " WITH ORDINALITY AS k(e, n)",
    TEMPORARY("new_buyer") "SELECT e->>'id' AS id, " STATUS("e") ", e->>'time_zone' AS time_zone, e #- '{delivery,secrets}' AS doc"
    " FROM new_document, " ENTRIES("doc", "buyers") " e",
    TEMPORARY("new_buyer_secret") "SELECT b->>'id' AS buyer_id, s.n AS place, s.e AS secret, NULL::timestamptz AS expires_at FROM new_document, " ENTRIES("doc", "buyers") " b,"
    " jsonb_array_elements_text(coalesce(b->'delivery'->'secrets', '[]')) WITH ORDINALITY AS s(e, n)"
    " UNION ALL SELECT " EVENT_ID("v") ", s.n, s.e, NULL FROM new_document, " ENTRIES("doc", "events") " v,"
    " jsonb_array_elements_text(coalesce(v->'secrets', '[]')) WITH ORDINALITY AS s(e, n)",
    TEMPORARY("new_event_endpoint") "SELECT " EVENT_ID("e") " AS id,"
    " (SELECT array_agg(t ORDER BY t) FROM jsonb_array_elements_text(e->'types') AS t) AS types, e - 'secrets' AS doc"
    " FROM new_document, " ENTRIES("doc", "events") " e",
    TEMPORARY("kept_buyer") "SELECT NULL::text AS buyer_id WHERE false",
    TEMPORARY("new_campaign") "SELECT e->>'id' AS id, " STATUS("e") ", e - '{sources,contracts}'::text[] AS doc"
    " FROM new_document, " ENTRIES("doc", "campaigns") " e",
    TEMPORARY("new_source") "SELECT c->>'id' AS campaign_id, e->>'supplier_id' AS supplier_id, " STATUS("e") ", e AS doc"
    " FROM new_document, " ENTRIES("doc", "campaigns") " c, " ENTRIES("c", "sources") " e",
    TEMPORARY("new_contract") "SELECT c->>'id' AS campaign_id, e->>'id' AS id, e->>'buyer_id' AS buyer_id, " STATUS("e") ","
    " ((e->>'price')::numeric * 100)::bigint AS price_cents, e AS doc"
    " FROM new_document, " ENTRIES("doc", "campaigns") " c, " ENTRIES("c", "contracts") " e",
    TEMPORARY("new_suppression_list") "SELECT e->>'id' AS id, e AS doc FROM new_document, " ENTRIES("doc", "suppression_lists") " e",
    TEMPORARY("new_rule") DUPLICATE_RULES_OF("new_campaign", "new_contract"),
    COUNTERS_WANTED,
    "ANALYZE new_supplier, new_api_key, new_buyer, new_buyer_secret, new_campaign, new_source, new_contract, new_suppression_list, new_rule, wanted_counter",
    NULL,
};

/* Behind it ------------------------------------------------------------------------------------------------------------- */

/* A rule that is new, or looks back further, has yet to see the leads already stored. */
static const char NOTE_RULES[] =
    "INSERT INTO duplicate_rule_todo (against, owner_id, fields) SELECT n.against, n.owner_id, n.fields FROM new_rule n WHERE NOT EXISTS"
    " (SELECT FROM (" DUPLICATE_RULES_OF("campaign", "contract") ") o WHERE o.against = n.against AND o.owner_id = n.owner_id"
    " AND o.fields = n.fields AND o.window_days >= n.window_days)"
    " ON CONFLICT DO NOTHING";

/* A document that lists none but secrets that a rotation made or retired is older than that, or exported since: nothing to change. */
static const char *const keep_rotated[] = {
    "INSERT INTO kept_buyer SELECT DISTINCT r.buyer_id FROM rotated_secret r JOIN new_buyer b ON b.id = r.buyer_id WHERE NOT EXISTS"
    " (SELECT FROM new_buyer_secret n WHERE n.buyer_id = r.buyer_id AND NOT EXISTS"
    "  (SELECT FROM rotated_secret k WHERE (k.buyer_id, k.sha256) = (n.buyer_id, sha256(convert_to(n.secret, 'UTF8')))))",
    "DELETE FROM new_buyer_secret n USING kept_buyer k WHERE k.buyer_id = n.buyer_id",
    "INSERT INTO new_buyer_secret SELECT buyer_id, place, secret, expires_at FROM buyer_secret JOIN kept_buyer USING (buyer_id)",
    NULL,
};

/* Each touches only rows that differ, so when none touches any, the document is what was there. */
static const char *const match[] = {
    "UPDATE installation i SET time_zone = n.time_zone, doc = n.doc"
    " FROM new_installation n WHERE (i.time_zone, i.doc) IS DISTINCT FROM (n.time_zone, n.doc)",

    "DELETE FROM api_key k WHERE NOT EXISTS (SELECT FROM new_supplier n WHERE n.id = k.supplier_id AND (NOT n.keys_listed"
    " OR EXISTS (SELECT FROM new_api_key l WHERE l.sha256 = k.sha256 AND l.supplier_id = k.supplier_id)))",
    "INSERT INTO api_key (sha256, supplier_id) SELECT sha256, supplier_id FROM new_api_key ORDER BY sha256 ON CONFLICT (sha256) DO NOTHING",

    "DELETE FROM supplier t WHERE NOT EXISTS (SELECT FROM new_supplier n WHERE n.id = t.id)",
    "INSERT INTO supplier AS t SELECT id, status, keys_listed, doc FROM new_supplier ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status, keys_listed = excluded.keys_listed, doc = excluded.doc"
    " WHERE (t.status, t.keys_listed, t.doc) IS DISTINCT FROM (excluded.status, excluded.keys_listed, excluded.doc)",

    "DELETE FROM buyer t WHERE NOT EXISTS (SELECT FROM new_buyer n WHERE n.id = t.id)",
    "INSERT INTO buyer AS t SELECT id, status, time_zone, doc FROM new_buyer ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status, time_zone = excluded.time_zone, doc = excluded.doc"
    " WHERE (t.status, t.time_zone, t.doc) IS DISTINCT FROM (excluded.status, excluded.time_zone, excluded.doc)",
    "DELETE FROM buyer_secret t WHERE NOT EXISTS (SELECT FROM new_buyer_secret n WHERE (n.buyer_id, n.place) = (t.buyer_id, t.place))",
    "INSERT INTO buyer_secret AS t (buyer_id, place, secret, expires_at) SELECT buyer_id, place, secret, expires_at FROM new_buyer_secret"
    " ON CONFLICT (buyer_id, place) DO UPDATE SET secret = excluded.secret, expires_at = excluded.expires_at,"
    " created_at = CASE WHEN t.secret = excluded.secret THEN t.created_at ELSE now() END"
    " WHERE (t.secret, t.expires_at) IS DISTINCT FROM (excluded.secret, excluded.expires_at)",
    "DELETE FROM rotated_secret t WHERE NOT EXISTS (SELECT FROM kept_buyer k WHERE k.buyer_id = t.buyer_id)",

    "DELETE FROM campaign t WHERE NOT EXISTS (SELECT FROM new_campaign n WHERE n.id = t.id)",
    "INSERT INTO campaign AS t SELECT id, status, doc FROM new_campaign ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status, doc = excluded.doc WHERE (t.status, t.doc) IS DISTINCT FROM (excluded.status, excluded.doc)",

    "DELETE FROM campaign_supplier t WHERE NOT EXISTS"
    " (SELECT FROM new_source n WHERE (n.campaign_id, n.supplier_id) = (t.campaign_id, t.supplier_id))",
    "INSERT INTO campaign_supplier AS t SELECT campaign_id, supplier_id, status, doc FROM new_source"
    " ON CONFLICT (campaign_id, supplier_id) DO UPDATE SET status = excluded.status, doc = excluded.doc"
    " WHERE (t.status, t.doc) IS DISTINCT FROM (excluded.status, excluded.doc)",

    "DELETE FROM contract t WHERE NOT EXISTS (SELECT FROM new_contract n WHERE (n.campaign_id, n.id) = (t.campaign_id, t.id))",
    "INSERT INTO contract AS t SELECT campaign_id, id, buyer_id, status, price_cents, doc FROM new_contract"
    " ON CONFLICT (campaign_id, id) DO UPDATE SET buyer_id = excluded.buyer_id, status = excluded.status,"
    " price_cents = excluded.price_cents, doc = excluded.doc WHERE (t.buyer_id, t.status, t.price_cents, t.doc)"
    " IS DISTINCT FROM (excluded.buyer_id, excluded.status, excluded.price_cents, excluded.doc)",

    "UPDATE suppression_list t SET is_live = false WHERE is_live AND NOT EXISTS (SELECT FROM new_suppression_list n WHERE n.id = t.id)",
    "UPDATE suppression_list t SET is_live = true, doc = n.doc FROM new_suppression_list n"
    " WHERE n.id = t.id AND (t.is_live, t.doc) IS DISTINCT FROM (true, n.doc)",
    "INSERT INTO suppression_list (id, is_live, doc) SELECT id, true, doc FROM new_suppression_list ORDER BY id ON CONFLICT (id) DO NOTHING",

    "UPDATE event_endpoint t SET is_live = false WHERE is_live AND NOT EXISTS (SELECT FROM new_event_endpoint n WHERE n.id = t.id)",
    "INSERT INTO event_endpoint AS t (id, is_live, types, doc) SELECT id, true, types, doc FROM new_event_endpoint ORDER BY id"
    " ON CONFLICT (id) DO UPDATE SET is_live = true, types = excluded.types, doc = excluded.doc"
    " WHERE (t.is_live, t.types, t.doc) IS DISTINCT FROM (true, excluded.types, excluded.doc)",
    NULL,
};

static const char FOREIGN_KEYS[] =
    "SELECT n.supplier_at, n.key_at FROM new_api_key n JOIN api_key k USING (sha256) WHERE k.supplier_id <> n.supplier_id ORDER BY 1, 2";

static const char VERSION[] = "SELECT catalog_version FROM installation";

/* Runs statements up to the NULL behind them. Returns how many rows they touched, or -1 with *err. */
static int64_t do_all(struct db_wait *db, const char *const *statements, struct error *err)
{
    int64_t touched = 0;

    for (; *statements != NULL; statements++) {
        int64_t rows = db_wait_do(db, *statements, DB_NO_PARAMS, err);

        if (rows < 0)
            return -1;
        touched += rows;
    }
    return touched;
}

static int prepare(struct db_wait *db, const struct json *document, struct error *err)
{
    struct buf *text = buf_new(65536);
    int rc = -1;

    json_print(document, text);
    if (db_wait_do(db, BEGIN, DB_NO_PARAMS, err) >= 0 && db_wait_do(db, TAKE_DOCUMENT, DB_PARAMS(buf_text(text)), err) >= 0 &&
        do_all(db, split, err) >= 0)
        rc = 0;
    buf_free(&text);
    return rc;
}

/* Adds a complaint for each listed key that is another supplier's. Returns how many, or -1 with *err. */
static int complain_of_keys(struct db_wait *db, struct complaints *list, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, FOREIGN_KEYS, DB_NO_PARAMS, err);
    int rows;

    if (answer == NULL)
        return -1;
    rows = db_answer_rows(answer);
    for (int row = 0; row < rows; row++) {
        struct place suppliers = {NULL, "suppliers", 0};
        struct place supplier = {&suppliers, NULL, (size_t)db_answer_int(answer, row, 0)};
        struct place keys = {&supplier, "api_keys", 0};
        struct place key = {&keys, NULL, (size_t)db_answer_int(answer, row, 1)};

        complain(list, &key, "this key is another supplier's, made by `leadctl key new`");
    }
    db_answer_free(&answer);
    return rows;
}

/* Runs a statement that gives the version. Returns 0, or -1 with *err. */
static int ask_version(struct db_wait *db, const char *sql, struct stored *stored, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, sql, DB_NO_PARAMS, err);

    if (answer == NULL)
        return -1;
    stored->version = db_answer_int(answer, 0, 0);
    db_answer_free(&answer);
    return 0;
}

int configuration_store(struct db_wait *db, const struct json *document, struct stored *stored, struct complaints *list, struct error *err)
{
    int64_t touched;
    int foreign;

    if (prepare(db, document, err) != 0 || db_wait_do(db, CONFIGURATION_FENCE, DB_NO_PARAMS, err) < 0 ||
        db_wait_do(db, NOTE_RULES, DB_NO_PARAMS, err) < 0 || do_all(db, keep_rotated, err) < 0)
        return -1;
    touched = do_all(db, match, err);
    foreign = touched >= 0 ? complain_of_keys(db, list, err) : -1;
    if (foreign < 0)
        return -1;
    stored->is_changed = touched > 0;
    if (foreign > 0 || touched == 0) {
        if (db_wait_do(db, "ROLLBACK", DB_NO_PARAMS, err) < 0 || ask_version(db, VERSION, stored, err) != 0)
            return -1;
        return foreign > 0 ? 1 : 0;
    }
    if (counters_settle(db, err) != 0 || ask_version(db, CONFIGURATION_BUMP, stored, err) != 0)
        return -1;
    return db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0 ? -1 : 0;
}
