#include "leadctl/explain_source.h"

#include "common/clock.h"
#include "common/loop.h"
#include "common/must.h"
#include "validator/store.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000 };

struct explain_source {
    struct loop *loop;
    struct db *db, *lists; /* with the settings of a router, of a validator */
    bool is_done; /* the job under way was answered */
    int rc;
    struct error *err;
    /* of the job under way */
    struct catalog *catalog;
    struct hits *hits;
    struct ping_keys *keys;
    struct arena *arena;
    const struct wanted *wanted;
    struct facts *facts;
    int64_t *version;
};

struct explain_source *explain_source_open(const char *dsn)
{
    struct explain_source *source = must_zalloc(sizeof *source);
    struct db_options options = {.dsn = dsn, .application = "leadctl", .settings = store_settings, .statements = store_look_statements};

    source->loop = loop_new();
    source->db = db_open(source->loop, &options);
    options.settings = look_up_settings;
    options.statements = look_up_statements;
    source->lists = db_open(source->loop, &options);
    return source;
}

void explain_source_close(struct explain_source **source)
{
    if (*source == NULL)
        return;
    db_close(&(*source)->lists);
    db_close(&(*source)->db);
    loop_free(&(*source)->loop);
    free(*source);
    *source = NULL;
}

/* Turns until the connection is up. Returns 0, or -1 with *err. */
static int connect_within(struct explain_source *source, const struct db *db, int64_t until_ms, struct error *err)
{
    while (!db_is_up(db)) {
        int64_t left_ms = until_ms - clock_mono_ms();

        if (left_ms <= 0)
            return error_set(err, "the database cannot be reached");
        loop_turn(source->loop, (int)left_ms);
    }
    return 0;
}

/* Begins a job: its callback sets is_done. */
static int begin(struct explain_source *source, const struct db *db, struct error *err)
{
    source->is_done = false;
    source->rc = 0;
    source->err = err;
    return connect_within(source, db, clock_mono_ms() + PATIENCE_MS, err);
}

/* The callback comes, whatever happens: a statement ends after the session's statement_timeout, a lost connection at once. */
static int end(struct explain_source *source)
{
    while (!source->is_done)
        loop_turn(source->loop, -1);
    return source->rc;
}

static void on_catalog(void *ctx, struct catalog *catalog, const char *why)
{
    struct explain_source *source = ctx;

    source->is_done = true;
    source->catalog = catalog;
    if (catalog == NULL)
        source->rc = error_set(source->err, "cannot read the configuration: %s", why);
}

struct catalog *explain_source_catalog(struct explain_source *source, struct error *err)
{
    source->catalog = NULL;
    if (begin(source, source->db, err) != 0)
        return NULL;
    catalog_load(source->db, CATALOG_CAMPAIGNS | CATALOG_SELLING | CATALOG_SECRET | CATALOG_SUPPRESSION, on_catalog, source);
    return end(source) == 0 ? source->catalog : NULL;
}

static void on_hits(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct explain_source *source = ctx;

    source->is_done = true;
    if (error->trouble != DB_OK)
        source->rc = error_set(source->err, "cannot read suppression lists: %s", error->text);
    else
        store_hits(rows, source->hits);
}

int explain_source_hits(struct explain_source *source, const struct sought *sought, struct hits *hits, struct error *err)
{
    if (begin(source, source->lists, err) != 0)
        return -1;
    source->hits = hits;
    store_look_up(source->lists, sought, on_hits, source);
    return end(source);
}

static void on_keys(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct explain_source *source = ctx;

    source->is_done = true;
    if (error->trouble != DB_OK)
        source->rc = error_set(source->err, "cannot read the keys of ping ids: %s", error->text);
    else
        keyring_take(source->keys, rows[0]);
}

int explain_source_keys(struct explain_source *source, struct ping_keys *keys, struct error *err)
{
    struct db_job *job;

    if (begin(source, source->db, err) != 0)
        return -1;
    source->keys = keys;
    job = db_job_new();
    db_sql(job, keyring_sql);
    db_send(source->db, &job, on_keys, source);
    return end(source);
}

static void on_facts(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct explain_source *source = ctx;

    source->is_done = true;
    if (error->trouble != DB_OK)
        source->rc = error_set(source->err, "cannot read counters and keys: %s", error->text);
    else
        *source->version = store_facts(source->arena, rows, source->wanted, source->facts);
    source->facts->has_dispatcher = true;
}

int explain_source_facts(struct explain_source *source, struct arena *arena, const struct catalog *catalog, const struct wanted *wanted,
                         struct facts *facts, int64_t *version, struct error *err)
{
    memset(facts, 0, sizeof *facts);
    if (begin(source, source->db, err) != 0)
        return -1;
    source->arena = arena;
    source->wanted = wanted;
    source->facts = facts;
    source->version = version;
    store_look(source->db, catalog, wanted, on_facts, source);
    return end(source);
}
