#include "leadctl/duplicate_keys.h"

#include "common/clock.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/map.h"
#include "common/must.h"
#include "proto/key.h"
#include "proto/normal.h"

#include <stdlib.h>
#include <string.h>

#define LEADS_AT_ONCE 2000

static const char SECRET[] = "SELECT encode(secret, 'hex') FROM installation_secret";

/* Rules of campaigns without leads, and of buyers without sales, need no keys; found in one go, because each of the others costs a walk. */
static const char SKIP[] =
    "DELETE FROM duplicate_rule_todo WHERE CASE WHEN against = 'sold' THEN owner_id <> ALL (ARRAY(SELECT DISTINCT buyer_id FROM sale))"
    " ELSE owner_id <> ALL (ARRAY(SELECT DISTINCT campaign_id FROM lead WHERE campaign_id IS NOT NULL)) END";

/* Leads whose buyers are being asked, and when the last of them must be decided (and a second for recording it), from now. */
static const char UNDECIDED[] =
    "SELECT coalesce(array_agg(lead_id), '{}')::text, coalesce(ceil(extract(epoch FROM max(deadline_at) - clock_timestamp()))::int8 + 1, 0) FROM distributing";

static const char WAIT[] = "SELECT count(*) FROM distributing, pg_sleep(0.1) WHERE lead_id = ANY($1::uuid[])";

static const char COUNT[] = "SELECT count(*) FROM duplicate_rule_todo";

/* The window is null when there is no such rule any more. */
static const char TODO[] =
    "SELECT t.against, t.owner_id, to_json(t.fields)::text, t.fields::text, max(r.window_days)"
    " FROM duplicate_rule_todo t LEFT JOIN (" DUPLICATE_RULES_OF("campaign", "contract") ") r"
    " ON r.against = t.against AND r.owner_id = t.owner_id AND r.fields = t.fields"
    " GROUP BY t.against, t.owner_id, t.fields ORDER BY t.against, t.owner_id, t.fields";

static const char FIELDS[] = "SELECT id, doc->'fields' FROM campaign WHERE doc ? 'fields'";

static const char DONE[] = "DELETE FROM duplicate_rule_todo WHERE against = $1 AND owner_id = $2 AND fields = $3::text[]";

/* The oldest id that a lead inside the window can have: ids are at most an hour from the database's clock. */
static const char BEGIN_AT[] = "SELECT uuid_floor(now() - make_interval(days => $1::integer, hours => 2))";

#define TEXT_(number) #number
#define TEXT(number) TEXT_(number)
#define LEADS(from, at, which)                                                                                             \
    "SELECT l.id, l.supplier_id, (extract(epoch FROM " at ") * 1000000)::bigint, " at ", " at " + make_interval(days => $2::integer)," \
    " to_json(ARRAY(SELECT l.fields->>f FROM unnest($3::text[]) WITH ORDINALITY AS u(f, place) ORDER BY place))::text, l.campaign_id" \
    " FROM " from " WHERE l.id > $4::uuid AND " which " AND " at " > now() - make_interval(days => $2::integer)"          \
    " ORDER BY l.id LIMIT " TEXT(LEADS_AT_ONCE)

/* The leads that count, from an id on. */
static const char *const leads_by[] = {
    [AGAINST_ACCEPTED] = LEADS("lead l", "l.decided_at", "l.campaign_id = $1 AND l.status IN ('ACCEPTED', 'RETURNED') AND NOT l.is_test"),
    [AGAINST_ALL] = LEADS("lead l", "l.decided_at", "l.campaign_id = $1 AND l.status <> 'DUPLICATE' AND NOT l.is_test"),
    [AGAINST_SOLD] = LEADS("sale s JOIN lead l ON l.id = s.lead_id", "s.sold_at", "s.lead_id > $4::uuid AND s.buyer_id = $1 AND NOT s.is_test"),
};

static const char INSERT[] =
    "INSERT INTO duplicate_key (key, lead_id, supplier_id, at, expires_at)"
    " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])"
    " ON CONFLICT (key) DO UPDATE SET lead_id = excluded.lead_id, supplier_id = excluded.supplier_id, at = excluded.at,"
    " expires_at = excluded.expires_at WHERE (excluded.at, excluded.expires_at) > (duplicate_key.at, duplicate_key.expires_at)";

/* What all rules need. */
struct basis {
    uint8_t secret[DIGEST_BYTES];
    struct map *fields; /* struct json of a campaign's fields, by its id */
    struct db_answer *campaigns; /* the ids */
};

/* A rule whose keys are made. */
struct todo {
    const struct basis *basis;
    enum duplicate_against against;
    const char *against_word, *owner_id;
    const char *fields; /* as an array of PostgreSQL */
    const char *window_days;
    struct duplicate_rule rule;
    enum field_type *types; /* of the rule's fields, on the campaign of the lead at hand */
    struct span campaign_id; /* that one, as in the present answer */
    struct arena *arena;
};

/* The key of the lead in a row of LEADS. */
struct entry {
    struct uuid key;
    int64_t at_us;
    int row;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = uuid_compare(&left->key, &right->key);

    if (order != 0)
        return order;
    return left->at_us < right->at_us ? -1 : left->at_us > right->at_us;
}

/* What the campaign's document says about the field's type, or the system does. */
static enum field_type type_of(const struct json *fields, struct span name)
{
    const struct system_field *system = system_field_find(name);

    for (size_t i = 0; i < json_count(fields); i++) {
        int type = field_type_of(json_get_text(json_at(fields, i), "type"));

        if (span_equal(json_get_text(json_at(fields, i), "name"), name) && type >= 0)
            return (enum field_type)type;
    }
    return system != NULL ? system->type : FIELD_STRING;
}

static enum duplicate_against against_of(struct span word)
{
    return span_is(word, "sold") ? AGAINST_SOLD : span_is(word, "all") ? AGAINST_ALL : AGAINST_ACCEPTED;
}

/* Reads a row of TODO. Everything is copied to the arena or borrowed from the answer. */
static int read_todo(struct todo *todo, const struct db_answer *list, int row, struct error *err)
{
    struct json *names = json_parse(db_answer_text(list, row, 2), err);

    if (names == NULL)
        return -1;
    todo->against = against_of(db_answer_text(list, row, 0));
    todo->against_word = db_answer_text(list, row, 0).ptr;
    todo->owner_id = db_answer_text(list, row, 1).ptr;
    todo->fields = db_answer_text(list, row, 3).ptr;
    todo->window_days = db_answer_text(list, row, 4).ptr;
    todo->rule.field_count = json_count(names);
    todo->rule.fields = arena_alloc(todo->arena, todo->rule.field_count * sizeof *todo->rule.fields);
    todo->types = arena_alloc(todo->arena, todo->rule.field_count * sizeof *todo->types);
    for (size_t i = 0; i < todo->rule.field_count; i++)
        todo->rule.fields[i] = arena_copy(todo->arena, json_text(json_at(names, i)));
    json_free(&names);
    return 0;
}

/* What the rule's fields are on the lead's campaign. */
static void find_types(struct todo *todo, struct span campaign_id)
{
    const struct json *fields = map_get(todo->basis->fields, campaign_id);

    if (todo->campaign_id.ptr != NULL && span_equal(todo->campaign_id, campaign_id))
        return;
    for (size_t i = 0; i < todo->rule.field_count; i++)
        todo->types[i] = type_of(fields, todo->rule.fields[i]);
    todo->campaign_id = campaign_id;
}

/* The key of one lead. Returns false when it lacks one of the rule's fields. */
static bool make_key(const struct todo *todo, struct span values_text, struct uuid *key)
{
    struct json *list = json_parse(values_text, NULL);
    struct arena *arena = arena_new();
    struct span *values = arena_alloc(arena, todo->rule.field_count * sizeof *values);
    bool is_whole = list != NULL && json_count(list) == todo->rule.field_count;

    for (size_t i = 0; is_whole && i < todo->rule.field_count; i++) {
        struct span text = json_text(json_at(list, i));

        is_whole = text.len > 0;
        if (is_whole)
            values[i] = normal_match(arena, todo->types[i], text);
    }
    if (is_whole)
        *key = key_duplicate(todo->basis->secret, todo->against, span_of(todo->owner_id), &todo->rule, values);
    arena_free(&arena);
    if (list != NULL)
        json_free(&list);
    return is_whole;
}

static void add_item(struct buf *array, struct span text)
{
    buf_add_text(array, array->len == 0 ? "{\"" : ",\"");
    buf_add_span(array, text); /* an id or a time: nothing to escape */
    buf_add_text(array, "\"");
}

/* Writes the keys, in their order, of equal ones only the newest lead's. Returns 0, or -1 with *err. */
static int insert_keys(struct db_wait *db, const struct db_answer *leads, struct entry *entries, size_t count, int64_t *made,
                       struct error *err)
{
    struct buf *arrays[5];
    const char *params[5];
    int64_t touched = -1;

    for (int i = 0; i < 5; i++)
        arrays[i] = buf_new(count * 40 + 8);
    qsort(entries, count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < count; i++) {
        char key[UUID_TEXT_BYTES];

        if (i + 1 < count && uuid_compare(&entries[i].key, &entries[i + 1].key) == 0)
            continue;
        add_item(arrays[0], span_of(uuid_text(&entries[i].key, key)));
        add_item(arrays[1], db_answer_text(leads, entries[i].row, 0));
        add_item(arrays[2], db_answer_text(leads, entries[i].row, 1));
        add_item(arrays[3], db_answer_text(leads, entries[i].row, 3));
        add_item(arrays[4], db_answer_text(leads, entries[i].row, 4));
    }
    for (int i = 0; i < 5; i++) {
        buf_add_text(arrays[i], arrays[i]->len == 0 ? "{}" : "}");
        params[i] = buf_text(arrays[i]);
    }
    for (int tries = 0; touched < 0 && tries < 5; tries++) {
        touched = db_wait_do(db, INSERT, params, 5, err);
        if (touched < 0 && strcmp(db_wait_state(db), "40P01") != 0)
            break;
    }
    for (int i = 0; i < 5; i++)
        buf_free(&arrays[i]);
    if (touched < 0)
        return -1;
    *made += touched;
    return 0;
}

static int make_batch(struct db_wait *db, struct todo *todo, const struct db_answer *leads, int64_t *made, struct error *err)
{
    struct entry entries[LEADS_AT_ONCE];
    size_t count = 0;

    todo->campaign_id = (struct span){NULL, 0};
    for (int row = 0; row < db_answer_rows(leads); row++) {
        find_types(todo, db_answer_text(leads, row, 6));
        entries[count].at_us = db_answer_int(leads, row, 2);
        entries[count].row = row;
        count += make_key(todo, db_answer_text(leads, row, 5), &entries[count].key);
    }
    return insert_keys(db, leads, entries, count, made, err);
}

/* Goes through the leads inside the window, in the order of their ids. */
static int make_all(struct db_wait *db, struct todo *todo, int64_t *made, struct error *err)
{
    struct db_answer *begin = db_wait_ask(db, BEGIN_AT, DB_PARAMS(todo->window_days), err);
    char last[UUID_TEXT_BYTES];
    int rows;

    if (begin == NULL)
        return -1;
    memcpy(last, db_answer_text(begin, 0, 0).ptr, sizeof last);
    db_answer_free(&begin);
    do {
        struct db_answer *leads = db_wait_ask(db, leads_by[todo->against], DB_PARAMS(todo->owner_id, todo->window_days, todo->fields, last), err);
        int rc;

        if (leads == NULL)
            return -1;
        rows = db_answer_rows(leads);
        rc = make_batch(db, todo, leads, made, err);
        if (rc == 0 && rows > 0)
            memcpy(last, db_answer_text(leads, rows - 1, 0).ptr, sizeof last);
        db_answer_free(&leads);
        if (rc != 0)
            return -1;
    } while (rows == LEADS_AT_ONCE);
    return 0;
}

static int make_one(struct db_wait *db, const struct basis *basis, const struct db_answer *list, int row, int64_t *made, struct error *err)
{
    struct todo todo = {.basis = basis, .arena = arena_new()};
    int rc = read_todo(&todo, list, row, err);

    if (rc == 0 && todo.window_days != NULL)
        rc = make_all(db, &todo, made, err);
    if (rc == 0 && db_wait_do(db, DONE, DB_PARAMS(todo.against_word, todo.owner_id, todo.fields), err) < 0)
        rc = -1;
    arena_free(&todo.arena);
    return rc;
}

static int read_secret(struct db_wait *db, uint8_t secret[DIGEST_BYTES], struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, SECRET, DB_NO_PARAMS, err);
    int rc = 0;

    if (answer == NULL)
        return -1;
    if (db_answer_rows(answer) != 1 || digest_unhex(db_answer_text(answer, 0, 0), secret, DIGEST_BYTES) != 0)
        rc = error_set(err, "the installation's secret is not there");
    db_answer_free(&answer);
    return rc;
}

static void close_basis(struct basis *basis)
{
    struct json *fields;
    size_t at = 0;

    if (basis->fields == NULL)
        return; /* never opened */
    while ((fields = map_next(basis->fields, &at)) != NULL)
        json_free(&fields);
    map_free(&basis->fields);
    db_answer_free(&basis->campaigns);
}

/* Returns 0, or -1 with *err; to be closed in either case. */
static int open_basis(struct basis *basis, struct db_wait *db, struct error *err)
{
    basis->fields = map_new();
    if (read_secret(db, basis->secret, err) != 0)
        return -1;
    basis->campaigns = db_wait_ask(db, FIELDS, DB_NO_PARAMS, err);
    if (basis->campaigns == NULL)
        return -1;
    for (int row = 0; row < db_answer_rows(basis->campaigns); row++) {
        struct json *fields = json_parse(db_answer_text(basis->campaigns, row, 1), err);

        if (fields == NULL)
            return -1;
        map_put(basis->fields, db_answer_text(basis->campaigns, row, 0), fields);
    }
    return 0;
}

/* How many rules wait for their keys; -1 with *err. */
static int64_t count_todo(struct db_wait *db, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, COUNT, DB_NO_PARAMS, err);
    int64_t count = answer != NULL ? db_answer_int(answer, 0, 0) : -1;

    db_answer_free(&answer);
    return count;
}

/*
 * Waits until the leads are decided that were DISTRIBUTING when the rules came: they have no keys of these rules, and count if they
 * are sold. Those that nobody decides in time, because no router runs, are not waited for.
 */
static int wait_for_undecided(struct db_wait *db, struct error *err)
{
    struct db_answer *leads = db_wait_ask(db, UNDECIDED, DB_NO_PARAMS, err);
    int64_t until_ms, left = 1;

    if (leads == NULL)
        return -1;
    until_ms = clock_mono_ms() + 1000 * db_answer_int(leads, 0, 1);
    while (left > 0 && clock_mono_ms() < until_ms) {
        struct db_answer *answer = db_wait_ask(db, WAIT, DB_PARAMS(db_answer_text(leads, 0, 0).ptr), err);

        left = answer != NULL ? db_answer_int(answer, 0, 0) : -1;
        db_answer_free(&answer);
    }
    db_answer_free(&leads);
    return left < 0 ? -1 : 0;
}

int duplicate_keys_make(struct db_wait *db, int64_t *made, struct error *err)
{
    int64_t count = count_todo(db, err);
    struct db_answer *list;
    struct basis basis = {.campaigns = NULL};
    int rc;

    if (count <= 0)
        return (int)count;
    if (wait_for_undecided(db, err) != 0 || db_wait_do(db, SKIP, DB_NO_PARAMS, err) < 0)
        return -1;
    list = db_wait_ask(db, TODO, DB_NO_PARAMS, err);
    if (list == NULL)
        return -1;
    rc = db_answer_rows(list) > 0 ? open_basis(&basis, db, err) : 0;
    for (int row = 0; rc == 0 && row < db_answer_rows(list); row++)
        rc = make_one(db, &basis, list, row, made, err);
    close_basis(&basis);
    db_answer_free(&list);
    return rc;
}
