/*
 * endpoint.c - buyers' endpoints as they are now: lists them, switches them on and off.
 *
 * Off is runtime state beside the configuration (table buyer_endpoint): apply and export do not touch it. It is changed behind the same
 * fence, so when the command has returned, nobody sells by what was before.
 */
#include "common/buf.h"
#include "leadctl/command.h"
#include "leadctl/configuration.h"
#include "leadctl/in_force.h"
#include "leadctl/table.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIME(at) "to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* A pause is told by a dispatcher, and is only as true as that is alive. */
#define ENDPOINTS                                                                                                                    \
    "SELECT b.id AS buyer_id, substring(b.url FROM '^[A-Za-z]+://([^/?#]*)') AS host,"                             \
    " CASE WHEN coalesce(b.url, '') = '' THEN 'NONE' WHEN e.is_off THEN 'OFF' WHEN p.is_alive THEN 'PAUSED'"       \
    "  ELSE 'ON' END AS state,"                                                                                                      \
    " CASE WHEN e.is_off THEN e.reason END AS reason,"                                                                               \
    " " TIME("CASE WHEN e.is_off THEN e.changed_at WHEN p.is_alive THEN e.paused_at END") " AS since,"                               \
    " coalesce(d.open, 0) AS open, " TIME("uuid_time(d.oldest)") " AS oldest"                                                        \
    " FROM (SELECT id, doc #>> '{delivery,url}' AS url FROM buyer UNION ALL SELECT id, doc->>'url' FROM event_endpoint WHERE is_live) b"  \
    " LEFT JOIN buyer_endpoint e ON e.buyer_id = b.id"                                                                               \
    " LEFT JOIN LATERAL (SELECT true AS is_alive FROM stage_instance s WHERE s.stage = 'dispatcher' AND s.name = e.paused_by"        \
    "  AND e.paused_at IS NOT NULL AND s.beat_at > clock_timestamp() - interval '15 s') p ON true"                                   \
    " LEFT JOIN (SELECT buyer_id, count(*) AS open, min(lead_id::text)::uuid AS oldest FROM delivery WHERE state = 'OPEN' GROUP BY buyer_id) d" \
    "  ON d.buyer_id = b.id"

static const char LIST[] = ENDPOINTS " ORDER BY b.id COLLATE \"C\"";

static const char LIST_JSON[] =
    "SELECT json_build_object('endpoints', coalesce(json_agg(json_build_object('buyer_id', buyer_id, 'host', host, 'state', state,"
    " 'reason', reason, 'since', since, 'open', open, 'oldest', oldest) ORDER BY buyer_id COLLATE \"C\"), '[]')) FROM (" ENDPOINTS ") e";

/* $1: the buyers. A buyer that the document no longer has may still have deliveries that wait. */
static const char UNKNOWN[] =
    "SELECT id FROM unnest($1::text[]) AS w (id) WHERE NOT EXISTS (SELECT FROM buyer b WHERE b.id = w.id)"
    " AND NOT EXISTS (SELECT FROM event_endpoint v WHERE v.id = w.id)"
    " AND NOT EXISTS (SELECT FROM buyer_endpoint e WHERE e.buyer_id = w.id) LIMIT 1";

static const char SWITCH_OFF[] =
    "INSERT INTO buyer_endpoint AS e (buyer_id, is_off, reason, changed_at)"
    " SELECT DISTINCT id, true, $2, clock_timestamp() FROM unnest($1::text[]) AS w (id)"
    " ON CONFLICT (buyer_id) DO UPDATE SET is_off = true, reason = excluded.reason, changed_at = excluded.changed_at WHERE NOT e.is_off";

/* One that is only paused, too: its dispatcher sees that it was switched, and tries it at once. */
static const char SWITCH_ON[] =
    "UPDATE buyer_endpoint SET is_off = false, reason = NULL, changed_at = clock_timestamp()"
    " WHERE buyer_id = ANY ($1::text[]) AND (is_off OR paused_at IS NOT NULL)";

/* Due by the age of their leads, so that the oldest comes first; a few at a time, and none that a dispatcher has in hand. */
static const char MAKE_DUE[] =
    "WITH waiting AS MATERIALIZED"
    " (SELECT lead_id, id FROM delivery WHERE buyer_id = ANY ($1::text[]) AND state = 'OPEN' AND due_at > now() AND lease_by IS NULL"
    "  LIMIT 5000 FOR UPDATE SKIP LOCKED)"
    " UPDATE delivery d SET due_at = least(uuid_time(d.lead_id), now()) FROM waiting w WHERE d.lead_id = w.lead_id AND d.id = w.id";

static int list(const char *name, struct db_wait *db, bool is_json)
{
    struct error err;
    struct db_answer *answer = db_wait_ask(db, is_json ? LIST_JSON : LIST, DB_NO_PARAMS, &err);

    if (answer == NULL)
        return command_failed(name, db, &err);
    if (is_json)
        printf("%s\n", db_answer_text(answer, 0, 0).ptr);
    else if (db_answer_rows(answer) > 0)
        table_print(answer);
    else
        puts("there are no buyers");
    db_answer_free(&answer);
    return EXIT_OK;
}

int command_endpoint_list(int argc, char **argv)
{
    struct options options;
    struct db_wait *db;
    struct error err;
    int rc;

    if (options_read(&options, argc, argv, 0, OPTION_JSON) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    if (db == NULL)
        return command_failed(argv[0], NULL, &err);
    rc = list(argv[0], db, options.is_json);
    db_wait_close(&db);
    return rc;
}

/* Switching ------------------------------------------------------------------------------------------------------------- */

struct switching {
    bool is_on;
    const char *reason;
    const char *buyers; /* as an array of SQL */
    int64_t changed, made_due;
};

/* {"a","b"}: the database says which of them are buyers, so their text must only not break out. */
static struct buf *sql_array(char *const *words)
{
    struct buf *text = buf_new(128);

    for (size_t i = 0; words[i] != NULL; i++) {
        buf_add_text(text, i > 0 ? ",\"" : "{\"");
        for (const char *p = words[i]; *p != '\0'; p++) {
            if (*p == '"' || *p == '\\')
                buf_add_text(text, "\\");
            buf_add(text, p, 1);
        }
        buf_add_text(text, "\"");
    }
    buf_add_text(text, "}");
    return text;
}

static int check_known(struct db_wait *db, const struct switching *wanted, struct error *err)
{
    struct db_answer *unknown = db_wait_ask(db, UNKNOWN, DB_PARAMS(wanted->buyers), err);
    int rc = 0;

    if (unknown == NULL)
        return -1;
    if (db_answer_rows(unknown) > 0)
        rc = error_set(err, "there is no buyer %s", db_answer_text(unknown, 0, 0).ptr);
    db_answer_free(&unknown);
    return rc;
}

static int change(struct db_wait *db, struct switching *wanted, struct error *err)
{
    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 || db_wait_do(db, CONFIGURATION_FENCE, DB_NO_PARAMS, err) < 0 ||
        check_known(db, wanted, err) != 0)
        return -1;
    wanted->changed = wanted->is_on ? db_wait_do(db, SWITCH_ON, DB_PARAMS(wanted->buyers), err)
                                    : db_wait_do(db, SWITCH_OFF, DB_PARAMS(wanted->buyers, wanted->reason), err);
    if (wanted->changed < 0 || (wanted->changed > 0 && db_wait_do(db, CONFIGURATION_BUMP, DB_NO_PARAMS, err) < 0))
        return -1;
    return db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0 ? -1 : 0;
}

/* Behind the commit: however many there are, nobody's sale waits for it. */
static int make_due(struct db_wait *db, struct switching *wanted, struct error *err)
{
    int64_t made;

    while ((made = db_wait_do(db, MAKE_DUE, DB_PARAMS(wanted->buyers), err)) > 0)
        wanted->made_due += made;
    return made < 0 ? -1 : 0;
}

static int switch_them(const char *name, const struct options *options, struct switching *wanted)
{
    struct error err;
    struct db_wait *db = options_connect(options, &err);
    int rc = EXIT_OK;

    if (db == NULL)
        return command_failed(name, NULL, &err);
    if (change(db, wanted, &err) != 0 || (wanted->is_on && make_due(db, wanted, &err) != 0))
        rc = command_failed(name, db, &err);
    else if (wanted->is_on)
        printf("%" PRId64 " switched on, %" PRId64 " deliveries made due\n", wanted->changed, wanted->made_due);
    else
        printf("%" PRId64 " switched off\n", wanted->changed);
    if (rc == EXIT_OK)
        in_force_wait(name, db);
    db_wait_close(&db);
    return rc;
}

static int command_switch(int argc, char **argv, bool is_on)
{
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'}, {"dsn", required_argument, NULL, 's'}, {"reason", required_argument, NULL, 'r'}, {0}};
    struct switching wanted = {.is_on = is_on, .reason = "by the operator"};
    struct options options = {.dir = NULL};
    struct buf *buyers;
    int found, rc;

    while ((found = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (options_take(&options, found))
            continue;
        if (found == 'r' && !is_on)
            wanted.reason = optarg;
        else
            return EXIT_USAGE;
    }
    if (optind >= argc) {
        fprintf(stderr, "%s: an argument is missing\n", argv[0]);
        return EXIT_USAGE;
    }
    buyers = sql_array(argv + optind);
    wanted.buyers = buf_text(buyers);
    rc = switch_them(argv[0], &options, &wanted);
    buf_free(&buyers);
    return rc;
}

int command_endpoint_on(int argc, char **argv)
{
    return command_switch(argc, argv, true);
}

int command_endpoint_off(int argc, char **argv)
{
    return command_switch(argc, argv, false);
}
