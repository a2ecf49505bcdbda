/*
 * delivery_change.c - replays deliveries, and cancels them.
 *
 * Those named by their ids are changed all or none, and every one that cannot be is told. Those that fit the filters are changed a
 * page at a time, in the order in which dispatchers lock them, too; what they hold but cannot be replayed is left out and counted.
 * A dispatcher's sweep finds what is open again by itself.
 */
#include "common/buf.h"
#include "leadctl/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Why a sold lead's delivery cannot be what is asked; null when it can. s and l may be missing. */
#define LEAD_FAULT                                                                                                     \
    " WHEN l.id IS NULL OR l.status = 'ERASED' THEN 'the lead''s data was erased'"                                     \
    " WHEN l.status = 'DISTRIBUTING' THEN 'its lead is not decided yet'"
/* An event depends on no sale and holds no data of the person; but somebody must still want it. */
#define EVENT_FAULT                                                                                                    \
    " WHEN d.event IS NOT NULL THEN CASE WHEN NOT EXISTS (SELECT FROM event_endpoint v WHERE v.id = d.buyer_id AND v.is_live)" \
    "  THEN 'its endpoint is not in the document any more' END"
#define REPLAY_FAULT                                                                                                   \
    "CASE WHEN d.state = 'OPEN' THEN 'it is OPEN already'"                                                             \
    EVENT_FAULT                                                                                                        \
    " WHEN d.state IN ('REJECTED', 'DUPLICATE') THEN 'it is ' || d.state"                        \
    "  || ': the buyer refused it, and place and money of the sale go back'"                                           \
    " WHEN s.state IS NULL THEN 'it belongs to no sale'"                                                               \
    " WHEN s.state <> 'SOLD' THEN 'its sale is ' || s.state || ': place and money were given back'"                    \
    LEAD_FAULT " END"
#define CANCEL_FAULT                                                                                                   \
    "CASE WHEN d.state <> 'OPEN' THEN 'it is ' || d.state WHEN d.event IS NOT NULL THEN NULL" LEAD_FAULT " END"

#define WITH_SALE                                                                                                      \
    " FROM delivery d LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n LEFT JOIN lead l ON l.id = d.lead_id"
#define NAMED                                                                                                          \
    "(SELECT id, lead_of_delivery(id) AS lead_id FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) u OFFSET 0) named"

/* What is picked becomes this, and its leads' trails say so. in_hand: a dispatcher may be at it. */
#define CHANGE(picked, settings, step, decision)                                                                       \
    "WITH picked AS MATERIALIZED (" picked " ORDER BY d.lead_id, d.id FOR UPDATE OF d),"                               \
    " changed AS (UPDATE delivery d SET " settings " FROM picked p WHERE d.lead_id = p.lead_id AND d.id = p.id),"      \
    " noted AS (INSERT INTO trail (lead_id, step, at, decisions) SELECT p.lead_id, '" step "', clock_timestamp(),"     \
    "  jsonb_agg(jsonb_build_object('contract_id', p.contract_id, 'decision', '" decision "', 'reason', NULL,"         \
    "   'detail', 'delivery ' || p.id || ', it was ' || p.state)) FROM picked p GROUP BY p.lead_id)"                   \
    " SELECT count(*), count(*) FILTER (WHERE in_hand) FROM picked"

#define PICKED                                                                                                         \
    "SELECT d.lead_id, d.id, d.state, s.contract_id, d.state = 'OPEN' AND d.lease_by IS NOT NULL AND d.due_at > now() AS in_hand"
#define PICKED_BY_ID PICKED " FROM " NAMED " JOIN delivery d ON d.lead_id = named.lead_id AND d.id = named.id"        \
    " LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n"
/* $6: how many at most. The page is chosen by its index before it is put into order. */
#define PICKED_BY_FILTER(fault)                                                                                        \
    PICKED " FROM (SELECT d.lead_id, d.id" WITH_SALE " WHERE " DELIVERY_FITS " AND " fault " IS NULL LIMIT $6::int8) chosen" \
    " JOIN delivery d ON d.lead_id = chosen.lead_id AND d.id = chosen.id"                                              \
    " LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n LEFT JOIN lead l ON l.id = d.lead_id"                    \
    " WHERE ($2::delivery_state[] IS NULL OR d.state = ANY ($2)) AND " fault " IS NULL"

#define REPLAYED "state = 'OPEN', due_at = now(), lease_by = NULL, attempts_before = d.attempt"
#define CANCELLED "state = 'CANCELLED', lease_by = NULL"

#define LOCK_NAMED                                                                                                     \
    "SELECT d.id FROM " NAMED " JOIN delivery d ON d.lead_id = named.lead_id AND d.id = named.id"                      \
    " ORDER BY d.lead_id, d.id FOR UPDATE OF d"
#define FAULTS_OF_NAMED(fault)                                                                                         \
    "SELECT * FROM (SELECT named.id, CASE WHEN d.id IS NULL THEN 'there is no such delivery' ELSE " fault " END AS why" \
    " FROM " NAMED " LEFT JOIN delivery d ON d.lead_id = named.lead_id AND d.id = named.id"                            \
    " LEFT JOIN sale s ON s.lead_id = d.lead_id AND s.n = d.n LEFT JOIN lead l ON l.id = d.lead_id) f"                 \
    " WHERE why IS NOT NULL ORDER BY id"
#define COUNT_BY_FILTER(fault)                                                                                         \
    "SELECT count(*) FILTER (WHERE why IS NULL), count(*) FILTER (WHERE why IS NOT NULL)"                              \
    " FROM (SELECT " fault " AS why" WITH_SALE " WHERE " DELIVERY_FITS ") f"

struct change {
    const char *done;    /* "replayed" */
    const char *would;   /* "would replay" */
    const char *states;  /* that the filters mean, unless told */
    const char *allowed[2]; /* all that filters may mean */
    const char *faults, *named, *by_filter, *count; /* SQL */
};

static const struct change replay = {
    .done = "replayed", .would = "would replay", .states = "{FAILED}", .allowed = {"FAILED", "CANCELLED"},
    .faults = FAULTS_OF_NAMED(REPLAY_FAULT), .named = CHANGE(PICKED_BY_ID, REPLAYED, "replay", "REPLAYED"),
    .by_filter = CHANGE(PICKED_BY_FILTER(REPLAY_FAULT), REPLAYED, "replay", "REPLAYED"), .count = COUNT_BY_FILTER(REPLAY_FAULT),
};
static const struct change cancel = {
    .done = "cancelled", .would = "would cancel", .states = "{OPEN}", .allowed = {"OPEN", "OPEN"},
    .faults = FAULTS_OF_NAMED(CANCEL_FAULT), .named = CHANGE(PICKED_BY_ID, CANCELLED, "cancel", "CANCELLED"),
    .by_filter = CHANGE(PICKED_BY_FILTER(CANCEL_FAULT), CANCELLED, "cancel", "CANCELLED"), .count = COUNT_BY_FILTER(CANCEL_FAULT),
};

struct counts {
    int64_t changed;
    int64_t in_hand;  /* of these */
    int64_t left_out; /* fit the filters, but cannot be */
};

/* Runs a statement that gives two counts, and adds them up. Returns 0, or -1 with *err. */
static int add_counts(struct db_wait *db, const char *sql, const char *const *params, int count, int64_t *first, int64_t *second,
                      struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, sql, params, count, err);

    if (answer == NULL)
        return -1;
    *first += db_answer_int(answer, 0, 0);
    *second += db_answer_int(answer, 0, 1);
    db_answer_free(&answer);
    return 0;
}

/* Tells of each that cannot be. Returns 0, or -1 with *err when there are some. */
static int tell_faults(const char *name, struct db_wait *db, const char *sql, const char *ids, struct error *err)
{
    struct db_answer *faults = db_wait_ask(db, sql, DB_PARAMS(ids), err);
    int rows = faults != NULL ? db_answer_rows(faults) : 0, rc = faults != NULL ? 0 : -1;

    for (int row = 0; row < rows; row++)
        fprintf(stderr, "%s: %s: %s\n", name, db_answer_text(faults, row, 0).ptr, db_answer_text(faults, row, 1).ptr);
    if (rows > 0)
        rc = error_set(err, "nothing was changed");
    if (faults != NULL)
        db_answer_free(&faults);
    return rc;
}

static int change_named(const char *name, struct db_wait *db, const struct change *change, const struct delivery_options *options,
                        struct counts *counts, struct error *err)
{
    struct buf *ids = buf_new(64);
    int rc = -1;

    for (int i = 0; i < options->id_count; i++)
        buf_printf(ids, "%c%s", i == 0 ? '{' : ',', options->base.operands[i]);
    buf_add_text(ids, "}");
    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) >= 0 && db_wait_do(db, LOCK_NAMED, DB_PARAMS(buf_text(ids)), err) >= 0 &&
        tell_faults(name, db, change->faults, buf_text(ids), err) == 0 &&
        add_counts(db, change->named, DB_PARAMS(buf_text(ids)), &counts->changed, &counts->in_hand, err) == 0 &&
        db_wait_do(db, options->is_dry_run ? "ROLLBACK" : "COMMIT", DB_NO_PARAMS, err) >= 0)
        rc = 0;
    buf_free(&ids);
    return rc;
}

static int change_fitting(struct db_wait *db, const struct change *change, const struct delivery_options *options,
                          struct counts *counts, struct error *err)
{
    static const char MOST[] = "1000";
    int64_t before, fitting = 0;

    if (add_counts(db, change->count, DB_PARAMS(DELIVERY_PARAMS(options)), &fitting, &counts->left_out, err) != 0)
        return -1;
    if (options->is_dry_run) {
        counts->changed = fitting;
        return 0;
    }
    do {
        before = counts->changed;
        if (add_counts(db, change->by_filter, DB_PARAMS(DELIVERY_PARAMS(options), MOST), &counts->changed, &counts->in_hand, err) != 0)
            return -1;
    } while (counts->changed > before);
    return 0;
}

static void print_counts(const struct change *change, const struct delivery_options *options, const struct counts *counts)
{
    printf("%s %" PRId64 " %s\n", options->is_dry_run ? change->would : change->done, counts->changed,
           counts->changed == 1 ? "delivery" : "deliveries");
    if (counts->left_out > 0)
        printf("left out %" PRId64 ": the sale was given back, the lead was erased or is not decided yet, or an event's endpoint is gone\n", counts->left_out);
    if (change == &cancel && counts->in_hand > 0)
        printf("%" PRId64 " of them are in a dispatcher's hands: an attempt may still be made, and is kept in the lead's trail\n",
               counts->in_hand);
}

/* The filters mean only states that may be changed so. Returns 0, or -1 after the mistake was told. */
static int settle_states(const char *name, const struct change *change, struct delivery_options *options)
{
    if (options->states[0] == '\0')
        snprintf(options->states, sizeof options->states, "%s", change->states);
    for (const char *at = options->states + 1; *at != '\0'; at += strcspn(at, ",}") + 1) {
        struct span word = {at, strcspn(at, ",}")};

        if (!span_is(word, change->allowed[0]) && !span_is(word, change->allowed[1])) {
            fprintf(stderr, "%s: --state may be %s%s\n", name, change->allowed[0],
                    change == &replay ? " or CANCELLED; a DELIVERED one is replayed by its id" : "");
            return -1;
        }
    }
    return 0;
}

static int run(int argc, char **argv, const struct change *change)
{
    struct delivery_options options;
    struct counts counts = {0};
    struct db_wait *db;
    struct error err;
    bool has_filters;
    int rc = EXIT_FAILED;

    if (delivery_options_read(&options, argc, argv, DELIVERY_FILTERS | DELIVERY_DRY_RUN) != 0)
        return EXIT_USAGE;
    has_filters = options.buyer != NULL || options.campaign != NULL || options.from != NULL || options.to != NULL ||
                  options.states[0] != '\0';
    if (has_filters == (options.id_count > 0)) {
        fprintf(stderr, "%s: either ids of deliveries, or filters: --buyer, --campaign, --state, --from, --to\n", argv[0]);
        return EXIT_USAGE;
    }
    if (has_filters && settle_states(argv[0], change, &options) != 0)
        return EXIT_USAGE;
    db = options_connect(&options.base, &err);
    if (db != NULL && delivery_check_times(&options, db, &err) == 0 &&
        (has_filters ? change_fitting(db, change, &options, &counts, &err)
                     : change_named(argv[0], db, change, &options, &counts, &err)) == 0)
        rc = EXIT_OK;
    if (rc != EXIT_OK)
        command_failed(argv[0], db, &err);
    if (rc == EXIT_OK || counts.changed > 0)
        print_counts(change, &options, &counts);
    db_wait_close(&db);
    return rc;
}

int command_delivery_replay(int argc, char **argv)
{
    return run(argc, argv, &replay);
}

int command_delivery_cancel(int argc, char **argv)
{
    return run(argc, argv, &cancel);
}
