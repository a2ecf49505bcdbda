#include "leadctl/configuration.h"

#include "common/clock.h"
#include "leadctl/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MOST_MS = 3000, LOOK_US = 5000 };

/* Who is alive by its beats, and tells that it decides by an older one. */
static const char BEHIND[] =
    "SELECT count(*) FROM stage_instance WHERE NOT is_stopping AND beat_at > clock_timestamp() - interval '15 s'"
    " AND catalog_version < (SELECT catalog_version FROM installation)";

const char CONFIGURATION_DOCUMENT[] =
    "SELECT i.doc || jsonb_build_object("
    "'suppliers', (SELECT coalesce(jsonb_agg(s.doc || CASE WHEN s.keys_listed"
    "   THEN jsonb_build_object('api_keys', coalesce(k.list, '[]')) ELSE '{}' END ORDER BY s.id COLLATE \"C\"), '[]')"
    "  FROM supplier s LEFT JOIN (SELECT supplier_id, jsonb_agg(jsonb_build_object('sha256', encode(sha256, 'hex')) ORDER BY sha256) AS list"
    "   FROM api_key GROUP BY supplier_id) k ON k.supplier_id = s.id),"
    "'buyers', (SELECT coalesce(jsonb_agg(CASE WHEN k.list IS NULL THEN b.doc"
    "   ELSE jsonb_set(b.doc, '{delivery,secrets}', k.list) END ORDER BY b.id COLLATE \"C\"), '[]')"
    "  FROM buyer b LEFT JOIN (SELECT buyer_id, jsonb_agg(secret ORDER BY place) AS list FROM buyer_secret"
    "   WHERE expires_at IS NULL OR expires_at > now() GROUP BY buyer_id) k"
    "   ON k.buyer_id = b.id),"
    "'campaigns', (SELECT coalesce(jsonb_agg(c.doc || jsonb_build_object('sources', coalesce(s.list, '[]'),"
    "   'contracts', coalesce(k.list, '[]')) ORDER BY c.id COLLATE \"C\"), '[]')"
    "  FROM campaign c LEFT JOIN (SELECT campaign_id, jsonb_agg(doc ORDER BY supplier_id COLLATE \"C\") AS list"
    "   FROM campaign_supplier GROUP BY campaign_id) s ON s.campaign_id = c.id"
    "  LEFT JOIN (SELECT campaign_id, jsonb_agg(doc ORDER BY id COLLATE \"C\") AS list FROM contract GROUP BY campaign_id) k"
    "   ON k.campaign_id = c.id))"
    " || (SELECT CASE WHEN count(*) = 0 THEN '{}' ELSE jsonb_build_object('suppression_lists', jsonb_agg(doc ORDER BY id COLLATE \"C\")) END"
    "  FROM suppression_list WHERE is_live)"
    " || (SELECT CASE WHEN count(*) = 0 THEN '{}' ELSE jsonb_build_object('events', jsonb_agg(v.doc || jsonb_build_object('secrets', k.list)"
    "   ORDER BY v.doc->>'url' COLLATE \"C\")) END"
    "  FROM event_endpoint v JOIN (SELECT buyer_id, jsonb_agg(secret ORDER BY place) AS list FROM buyer_secret GROUP BY buyer_id) k"
    "   ON k.buyer_id = v.id WHERE v.is_live) AS document"
    " FROM installation i";

void configuration_wait(const char *command, struct db_wait *db)
{
    int64_t end_ms = clock_mono_ms() + WAIT_MOST_MS, behind = 0;
    struct error err;

    do {
        struct db_answer *answer = db_wait_ask(db, BEHIND, DB_NO_PARAMS, &err);

        if (answer == NULL)
            return; /* it is stored, whatever became of the connection */
        behind = db_answer_int(answer, 0, 0);
        db_answer_free(&answer);
        if (behind > 0)
            usleep(LOOK_US);
    } while (behind > 0 && clock_mono_ms() < end_ms);
    if (behind > 0)
        fprintf(stderr, "%s: stored, but not yet read by %" PRId64 " of the processes that run (see catalog_version in `leadctl status`)\n",
                command, behind);
}

struct json *configuration_read(struct db_wait *db, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, CONFIGURATION_DOCUMENT, DB_NO_PARAMS, err);
    struct json *stored, *document = NULL;

    if (answer == NULL)
        return NULL;
    stored = json_parse(db_answer_text(answer, 0, 0), err);
    db_answer_free(&answer);
    if (stored == NULL)
        return NULL;
    document = schema_arranged(document_schema(), stored);
    json_free(&stored);
    return document;
}
