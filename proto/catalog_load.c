#include "proto/catalog.h"

#include "common/clock.h"
#include "common/complaint.h"
#include "common/json.h"
#include "common/map.h"
#include "common/must.h"
#include "proto/catalog_duplicates.h"
#include "proto/catalog_events.h"
#include "proto/catalog_rules.h"
#include "proto/catalog_suppression.h"
#include "proto/field_options.h"
#include "proto/format.h"
#include "proto/money.h"
#include "proto/response_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_TIMEOUT_MS = 15000, DEFAULT_CONCURRENT = 64,
    DEFAULT_PING_TIMEOUT_MS = 500, DEFAULT_PING_CONCURRENT = 200, DEFAULT_PING_SECONDS = 1800,
};

static const struct rate default_rates[RATE_KINDS] = {{100, 1000}, {500, 5000}, {10, 50}};
static const char *const rate_words[RATE_KINDS] = {"ingest", "ping", "lookup"};

/* Statements of one load, by their place in the job; -1: not asked for. */
struct places {
    int installation, secret, clocks, suppliers, keys, buyers, secrets, campaigns, sources, contracts, counters, suppression, events;
};

struct load {
    struct db *db;
    unsigned parts;
    struct places at;
    catalog_fn *fn;
    void *ctx;
    /* while it is read */
    struct catalog *catalog;
    struct map *counters; /* of counter_row, by key */
    struct complaints *complaints; /* about rules */
    char why[256];
};

struct counter_row {
    int64_t id;
    size_t zone;
};

/* Small readers of documents ----------------------------------------------------------------------------------------- */

/* The entry's document; NULL (and why) when it is none. */
static struct json *doc_of(struct load *load, const struct db_rows *rows, int row, int column, const char *what)
{
    struct error err;
    struct json *doc = json_parse(db_text(rows, row, column), &err);

    if (doc == NULL)
        snprintf(load->why, sizeof load->why, "%s %.*s: %.150s", what, SPAN_FMT(db_text(rows, row, 0)), err.text);
    return doc;
}

static struct span keep(struct load *load, struct span text)
{
    return text.ptr != NULL ? arena_copy(load->catalog->arena, text) : text;
}

/* A list of texts, copied. */
static struct span *texts(struct load *load, const struct json *list, size_t *count)
{
    struct span *out;

    *count = json_count(list);
    out = arena_alloc(load->catalog->arena, *count * sizeof *out);
    for (size_t i = 0; i < *count; i++)
        out[i] = keep(load, json_text(json_at(list, i)));
    return out;
}

static size_t zone_of(struct load *load, struct span name)
{
    struct catalog *catalog = load->catalog;

    for (size_t i = 0; i < catalog->zone_count; i++)
        if (span_equal(catalog->zones[i], name))
            return i;
    struct span *zones = arena_alloc(catalog->arena, (catalog->zone_count + 1) * sizeof *zones);
    if (catalog->zone_count > 0)
        memcpy(zones, catalog->zones, catalog->zone_count * sizeof *zones);
    zones[catalog->zone_count] = keep(load, name);
    catalog->zones = zones;
    return catalog->zone_count++;
}

static struct span counter_key(struct arena *arena, const char *kind, struct span campaign, struct span owner)
{
    return arena_printf(arena, "%s %.*s %.*s", kind, SPAN_FMT(campaign), SPAN_FMT(owner)); /* ids hold no blanks */
}

/* The counter that apply has made for the owner. Returns 0, or -1 with load->why. */
static int counter_of(struct load *load, struct cap_owner *out, const char *kind, struct span campaign, struct span owner)
{
    const struct counter_row *counter = map_get(load->counters, counter_key(load->catalog->arena, kind, campaign, owner));

    if (counter == NULL) {
        snprintf(load->why, sizeof load->why, "no counter for %s %.*s", kind, SPAN_FMT(owner));
        return -1;
    }
    out->counter_id = counter->id;
    out->zone = counter->zone;
    return 0;
}

/* The caps of an owner, with its counter. Returns 0, or -1 with load->why. */
static int caps_of(struct load *load, struct cap_owner *out, const struct json *list, const char *kind, struct span campaign, struct span owner)
{
    out->cap_count = json_count(list);
    if (out->cap_count == 0 || load->counters == NULL) {
        out->cap_count = 0;
        return 0;
    }
    out->caps = arena_alloc(load->catalog->arena, out->cap_count * sizeof *out->caps);
    for (size_t i = 0; i < out->cap_count; i++) {
        const struct json *item = json_at(list, i);
        int window = window_of(json_get_text(item, "window"));
        struct cap *cap = &out->caps[i];

        cap->leads = json_get_integer(item, "leads", -1);
        cap->cents = -1;
        if (json_get(item, "budget") != NULL && money_parse(json_get_text(item, "budget"), &cap->cents) != 0)
            window = -1;
        if (window < 0) {
            snprintf(load->why, sizeof load->why, "unreadable cap of %s %.*s", kind, SPAN_FMT(owner));
            return -1;
        }
        cap->window = (enum window)window;
    }
    return counter_of(load, out, kind, campaign, owner);
}

/* What apply has taken can be read; else another version has taken it. Returns 0, or -1 with load->why. */
static int are_read(struct load *load, const char *kind, struct span id)
{
    const struct complaint *first = load->complaints->items;

    if (load->complaints->count == 0)
        return 0;
    snprintf(load->why, sizeof load->why, "%s %.*s: %.60s %.120s", kind, SPAN_FMT(id), first->pointer, first->sentence);
    return -1;
}

/* The tables, in the order in which they need each other -------------------------------------------------------------- */

static void read_counters(struct load *load, const struct db_rows *rows)
{
    struct arena *arena = load->catalog->arena;

    for (int i = 0; i < db_count(rows); i++) {
        struct counter_row *row = arena_alloc(arena, sizeof *row);
        char *kind = must_copy(db_text(rows, i, 1).ptr, db_text(rows, i, 1).len);

        row->id = db_int(rows, i, 0);
        row->zone = zone_of(load, db_text(rows, i, 4));
        map_put(load->counters, counter_key(arena, kind, db_text(rows, i, 2), db_text(rows, i, 3)), row);
        free(kind);
    }
}

static int read_supplier(struct load *load, struct supplier *supplier, const struct db_rows *rows, int row)
{
    struct json *doc = doc_of(load, rows, row, 2, "supplier");
    const struct json *ips = json_get(doc, "allowed_ips"), *limits = json_get(doc, "rate_limits");
    int rc = -1;

    if (doc == NULL)
        return -1;
    supplier->id = keep(load, db_text(rows, row, 0));
    supplier->is_active = span_is(db_text(rows, row, 1), "ACTIVE");
    supplier->is_test_mode = json_get_bool(doc, "test_mode", false);
    supplier->allowed_ip_count = json_count(ips);
    supplier->allowed_ips = arena_alloc(load->catalog->arena, supplier->allowed_ip_count * sizeof *supplier->allowed_ips);
    for (size_t i = 0; i < supplier->allowed_ip_count; i++)
        if (cidr_parse(&supplier->allowed_ips[i], json_text(json_at(ips, i))) != 0) {
            snprintf(load->why, sizeof load->why, "unreadable address of supplier %.*s", SPAN_FMT(supplier->id));
            goto out;
        }
    for (int kind = 0; kind < RATE_KINDS; kind++) {
        const struct json *limit = json_get(limits, rate_words[kind]);

        supplier->rates[kind].per_second = json_get_integer(limit, "per_second", default_rates[kind].per_second);
        supplier->rates[kind].burst = json_get_integer(limit, "burst", default_rates[kind].burst);
    }
    rc = caps_of(load, &supplier->caps, json_get(doc, "caps"), "supplier", SPAN(""), supplier->id);
out:
    json_free(&doc);
    return rc;
}

static int read_keys(struct load *load, const struct db_rows *rows)
{
    struct catalog *catalog = load->catalog;

    catalog->keys = arena_alloc(catalog->arena, (size_t)db_count(rows) * sizeof *catalog->keys);
    for (int i = 0; i < db_count(rows); i++) {
        struct api_key *key = &catalog->keys[catalog->key_count];
        struct span hash = db_text(rows, i, 0);

        key->supplier = catalog_supplier(catalog, db_text(rows, i, 1));
        if (key->supplier == NULL || hash.len != sizeof key->sha256)
            continue;
        memcpy(key->sha256, hash.ptr, sizeof key->sha256);
        catalog->key_count++;
    }
    return 0;
}

static void read_ping(struct load *load, struct buyer *buyer, const struct json *ping)
{
    const struct json *limits = json_get(ping, "limits");

    buyer->ping_url = arena_text(load->catalog->arena, json_get_text(ping, "url"));
    buyer->ping_timeout_ms = json_get_integer(ping, "timeout_ms", DEFAULT_PING_TIMEOUT_MS);
    buyer->ping_concurrent = json_get_integer(limits, "concurrent", DEFAULT_PING_CONCURRENT);
    buyer->ping_per_second = json_get_integer(limits, "per_second", 0);
}

static int read_buyer(struct load *load, struct buyer *buyer, const struct db_rows *rows, int row)
{
    struct json *doc = doc_of(load, rows, row, 2, "buyer");
    const struct json *delivery = json_get(doc, "delivery"), *limits = json_get(doc, "limits");
    int rc;

    if (doc == NULL)
        return -1;
    buyer->id = keep(load, db_text(rows, row, 0));
    buyer->is_active = span_is(db_text(rows, row, 1), "ACTIVE");
    buyer->is_endpoint_off = db_bool(rows, row, 3);
    buyer->endpoint_switched_us = db_int(rows, row, 4);
    buyer->url = arena_text(load->catalog->arena, json_get_text(delivery, "url"));
    buyer->timeout_ms = json_get_integer(delivery, "timeout_ms", DEFAULT_TIMEOUT_MS);
    buyer->has_legacy_signature = json_get_bool(delivery, "legacy_signature", false);
    buyer->concurrent = json_get_integer(limits, "concurrent", DEFAULT_CONCURRENT);
    buyer->per_second = json_get_integer(limits, "per_second", 0);
    read_ping(load, buyer, json_get(doc, "ping"));
    buyer->zone = json_get(doc, "time_zone") != NULL ? catalog_clock(load->catalog, json_get_text(doc, "time_zone")) : load->catalog->clock;
    rc = caps_of(load, &buyer->caps, json_get(doc, "caps"), "buyer", SPAN(""), buyer->id);
    if (rc == 0 && load->parts & CATALOG_DELIVERY) {
        buyer->format = format_read(load->catalog->arena, delivery, NULL, NULL, NULL, load->complaints);
        buyer->responses = responses_read(load->catalog, json_get(delivery, "responses"), NULL, load->complaints);
        rc = are_read(load, "buyer", buyer->id);
    }
    json_free(&doc);
    return rc;
}

/* Rows (buyer_id, secret, milliseconds left or null), in order. */
static void read_secrets(struct load *load, const struct db_rows *rows)
{
    struct catalog *catalog = load->catalog;

    for (int i = 0; i < db_count(rows); i++) {
        struct buyer *buyer = (struct buyer *)(uintptr_t)catalog_buyer(catalog, db_text(rows, i, 0));
        struct span *secrets;

        if (buyer == NULL)
            continue;
        if (!db_is_null(rows, i, 2) && catalog->loaded_ms + db_int(rows, i, 2) < catalog->stale_ms)
            catalog->stale_ms = catalog->loaded_ms + db_int(rows, i, 2);
        secrets = arena_alloc(catalog->arena, (buyer->secret_count + 1) * sizeof *secrets);
        if (buyer->secret_count > 0)
            memcpy(secrets, buyer->secrets, buyer->secret_count * sizeof *secrets);
        secrets[buyer->secret_count++] = keep(load, db_text(rows, i, 1));
        buyer->secrets = secrets;
    }
}

static int by_field_name(const void *a, const void *b)
{
    return span_compare(((const struct field_spec *)a)->name, ((const struct field_spec *)b)->name);
}

/* The system fields, changed by what the campaign says, and its own. */
static int read_fields(struct load *load, struct campaign *campaign, const struct json *list)
{
    struct arena *arena = load->catalog->arena;
    size_t system_count;
    const struct system_field *system = system_fields(&system_count);
    struct complaints *wrong = complaints_new();
    int rc = -1;

    campaign->fields = arena_alloc(arena, (system_count + json_count(list)) * sizeof *campaign->fields);
    for (size_t i = 0; i < system_count; i++)
        campaign->fields[i] = (struct field_spec){.name = span_of(system[i].name), .type = system[i].type, .is_required = system[i].is_required};
    campaign->field_count = system_count;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *item = json_at(list, i);
        struct span name = json_get_text(item, "name");
        struct span type_word = json_get_text(item, "type");
        struct field_spec *spec = NULL;
        int type;

        for (size_t j = 0; j < system_count && spec == NULL; j++)
            if (span_equal(campaign->fields[j].name, name))
                spec = &campaign->fields[j];
        if (spec == NULL) {
            spec = &campaign->fields[campaign->field_count++];
            spec->name = keep(load, name);
            spec->type = FIELD_STRING;
        }
        if (type_word.len > 0) {
            type = field_type_of(type_word);
            if (type < 0) {
                snprintf(load->why, sizeof load->why, "unknown type of field %.*s", SPAN_FMT(name));
                goto out;
            }
            spec->type = (enum field_type)type;
        }
        spec->is_required = json_get_bool(item, "required", spec->is_required);
        spec->is_strict = json_get_bool(item, "strict", false);
        field_options_read(arena, item, spec, wrong, NULL);
        catalog_keep_pattern(load->catalog, spec->pattern);
        if (wrong->count > 0) {
            snprintf(load->why, sizeof load->why, "field %.*s: %s: %s", SPAN_FMT(name), wrong->items[0].pointer, wrong->items[0].sentence);
            goto out;
        }
    }
    qsort(campaign->fields, campaign->field_count, sizeof *campaign->fields, by_field_name);
    rc = 0;
out:
    complaints_free(&wrong);
    return rc;
}

static int read_campaign(struct load *load, struct campaign *campaign, const struct db_rows *rows, int row)
{
    struct json *doc = doc_of(load, rows, row, 2, "campaign");
    int rc = -1;

    if (doc == NULL)
        return -1;
    campaign->id = keep(load, db_text(rows, row, 0));
    campaign->is_active = span_is(db_text(rows, row, 1), "ACTIVE");
    if (json_get(doc, "distribution") != NULL && distribution_of(json_get_text(doc, "distribution")) >= 0)
        campaign->distribution = (enum distribution)distribution_of(json_get_text(doc, "distribution"));
    campaign->max_sells = json_get_integer(doc, "max_sells", 1);
    campaign->is_confirmed = json_get_bool(doc, "confirm", false);
    campaign->is_ping_post = span_is(json_get_text(doc, "routing"), "PING_POST");
    campaign->ping_seconds = json_get_integer(doc, "ping_seconds", DEFAULT_PING_SECONDS);
    campaign->deadline_ms = json_get_integer(doc, "deadline_ms", 0);
    catalog_read_duplicates(load->catalog, campaign, doc);
    if (read_fields(load, campaign, json_get(doc, "fields")) == 0)
        rc = caps_of(load, &campaign->caps, json_get(doc, "caps"), "campaign", campaign->id, campaign->id);
    if (rc == 0) {
        catalog_read_inbound(load->catalog, campaign, doc, load->complaints);
        rc = are_read(load, "campaign", campaign->id);
    }
    json_free(&doc);
    return rc;
}

static int read_cost(struct cost *cost, const struct json *doc)
{
    struct span mode = json_get_text(doc, "mode");

    if (span_is(mode, "FIXED")) {
        cost->mode = COST_FIXED;
        return money_parse(json_get_text(doc, "amount"), &cost->cents);
    }
    if (span_is(mode, "REVENUE_SHARE")) {
        cost->mode = COST_REVENUE_SHARE;
        return money_percent(json_get_text(doc, "percent"), &cost->share_millionths);
    }
    return 0;
}

static int read_source(struct load *load, struct source *source, const struct db_rows *rows, int row, struct span campaign_id)
{
    struct json *doc = doc_of(load, rows, row, 3, "source of campaign");
    struct span answer = json_get_text(doc, "answer");
    int rc;

    if (doc == NULL)
        return -1;
    source->supplier_id = keep(load, db_text(rows, row, 1));
    source->supplier = catalog_supplier(load->catalog, source->supplier_id);
    source->is_active = span_is(db_text(rows, row, 2), "ACTIVE");
    source->answer = span_is(answer, "full") ? ANSWER_FULL : span_is(answer, "received") ? ANSWER_RECEIVED : ANSWER_SALE;
    rc = read_cost(&source->cost, json_get(doc, "cost"));
    if (rc != 0)
        snprintf(load->why, sizeof load->why, "unreadable cost of source %.*s", SPAN_FMT(source->supplier_id));
    else
        rc = caps_of(load, &source->caps, json_get(doc, "caps"), "source", campaign_id, source->supplier_id);
    json_free(&doc);
    return rc;
}

static int read_contract(struct load *load, struct contract *contract, const struct db_rows *rows, int row, struct campaign *campaign)
{
    struct json *doc = doc_of(load, rows, row, 5, "contract of campaign");
    int rc;

    if (doc == NULL)
        return -1;
    contract->id = keep(load, db_text(rows, row, 1));
    contract->buyer = catalog_buyer(load->catalog, db_text(rows, row, 2));
    contract->is_active = span_is(db_text(rows, row, 3), "ACTIVE");
    contract->price_cents = db_int(rows, row, 4);
    contract->priority = json_get_integer(doc, "priority", 1);
    contract->weight = json_get_integer(doc, "weight", 1);
    if (money_parse(json_get_text(doc, "exclusive_price"), &contract->exclusive_cents) != 0)
        contract->exclusive_cents = 0;
    contract->states = texts(load, json_get(doc, "states"), &contract->state_count);
    contract->zips = texts(load, json_get(doc, "zips"), &contract->zip_count);
    rc = caps_of(load, &contract->caps, json_get(doc, "caps"), "contract", campaign->id, contract->id);
    if (rc == 0 && distribution_has_turns(campaign->distribution))
        rc = counter_of(load, &contract->caps, "contract", campaign->id, contract->id);
    if (rc == 0) {
        catalog_read_rules(load->catalog, campaign, contract, doc, load->complaints);
        rc = are_read(load, "contract", contract->id);
    }
    if (contract->buyer != NULL) {
        catalog_read_sold_duplicates(load->catalog, contract, doc);
    } else {
        snprintf(load->why, sizeof load->why, "contract %.*s without its buyer", SPAN_FMT(contract->id));
        rc = -1;
    }
    json_free(&doc);
    return rc;
}

/* The run of rows, from *row on, whose first column is this campaign; rows are sorted by it. */
static int run_of(const struct db_rows *rows, int *row, struct span campaign_id)
{
    int end;

    while (*row < db_count(rows) && span_compare(db_text(rows, *row, 0), campaign_id) < 0)
        (*row)++;
    end = *row;
    while (end < db_count(rows) && span_equal(db_text(rows, end, 0), campaign_id))
        end++;
    return end - *row;
}

static int read_campaigns(struct load *load, const struct db_rows *rows, const struct db_rows *sources, const struct db_rows *contracts)
{
    struct catalog *catalog = load->catalog;
    int source_row = 0, contract_row = 0;

    catalog->campaign_count = (size_t)db_count(rows);
    catalog->campaigns = arena_alloc(catalog->arena, catalog->campaign_count * sizeof *catalog->campaigns);
    for (size_t i = 0; i < catalog->campaign_count; i++) {
        struct campaign *campaign = &catalog->campaigns[i];

        if (read_campaign(load, campaign, rows, (int)i) != 0)
            return -1;
        campaign->source_count = (size_t)run_of(sources, &source_row, campaign->id);
        campaign->sources = arena_alloc(catalog->arena, campaign->source_count * sizeof *campaign->sources);
        for (size_t j = 0; j < campaign->source_count; j++)
            if (read_source(load, &campaign->sources[j], sources, source_row++, campaign->id) != 0)
                return -1;
        if (contracts == NULL)
            continue;
        campaign->contract_count = (size_t)run_of(contracts, &contract_row, campaign->id);
        campaign->contracts = arena_alloc(catalog->arena, campaign->contract_count * sizeof *campaign->contracts);
        for (size_t j = 0; j < campaign->contract_count; j++)
            if (read_contract(load, &campaign->contracts[j], contracts, contract_row++, campaign) != 0)
                return -1;
    }
    return 0;
}

/* The load ------------------------------------------------------------------------------------------------------------ */

static int read_all(struct load *load, struct db_rows *const *rows)
{
    struct catalog *catalog = load->catalog;
    struct json *doc = doc_of(load, rows[load->at.installation], 0, 1, "installation");

    if (doc == NULL)
        return -1;
    catalog->version = db_int(rows[load->at.installation], 0, 0);
    catalog->allows_private_endpoints = json_get_bool(doc, "allow_private_endpoints", db_bool(rows[load->at.installation], 0, 2));
    if (load->at.clocks >= 0) {
        struct span zone = json_get_text(doc, "time_zone");

        catalog_read_clocks(catalog, rows[load->at.clocks]);
        catalog->clock = catalog_clock(catalog, zone.len > 0 ? zone : SPAN("UTC"));
    }
    json_free(&doc);
    if (load->at.secret >= 0) {
        struct span secret = db_text(rows[load->at.secret], 0, 0);

        must(secret.len == sizeof catalog->secret);
        memcpy(catalog->secret, secret.ptr, secret.len);
    }
    if (load->at.counters >= 0)
        read_counters(load, rows[load->at.counters]);
    catalog->supplier_count = (size_t)db_count(rows[load->at.suppliers]);
    catalog->suppliers = arena_alloc(catalog->arena, catalog->supplier_count * sizeof *catalog->suppliers);
    for (size_t i = 0; i < catalog->supplier_count; i++)
        if (read_supplier(load, &catalog->suppliers[i], rows[load->at.suppliers], (int)i) != 0)
            return -1;
    if (load->at.keys >= 0 && read_keys(load, rows[load->at.keys]) != 0)
        return -1;
    if (load->at.buyers >= 0) {
        catalog->buyer_count = (size_t)db_count(rows[load->at.buyers]);
        catalog->buyers = arena_alloc(catalog->arena, catalog->buyer_count * sizeof *catalog->buyers);
        for (size_t i = 0; i < catalog->buyer_count; i++)
            if (read_buyer(load, &catalog->buyers[i], rows[load->at.buyers], (int)i) != 0)
                return -1;
    }
    if (load->at.secrets >= 0)
        read_secrets(load, rows[load->at.secrets]);
    if (load->at.campaigns >= 0 &&
        read_campaigns(load, rows[load->at.campaigns], rows[load->at.sources], load->at.contracts >= 0 ? rows[load->at.contracts] : NULL) != 0)
        return -1;
    if (load->at.suppression >= 0)
        catalog_read_suppression(catalog, rows[load->at.suppression]);
    if (load->at.events >= 0)
        catalog_read_events(catalog, rows[load->at.events]);
    return 0;
}

static void on_loaded(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct load *load = ctx;

    if (error->trouble != DB_OK) {
        if (error->trouble != DB_GONE)
            db_roll_back(load->db); /* it is others', too: they must not find our transaction open, and aborted */
        load->fn(load->ctx, NULL, error->text);
        free(load);
        return;
    }
    load->catalog = must_zalloc(sizeof *load->catalog);
    load->catalog->arena = arena_new();
    load->catalog->loaded_ms = clock_mono_ms();
    load->catalog->stale_ms = load->catalog->loaded_ms + CLOCKS_MS;
    load->complaints = complaints_new();
    load->counters = load->at.counters >= 0 ? map_new() : NULL;
    if (read_all(load, rows) != 0)
        catalog_free(&load->catalog);
    map_free(&load->counters);
    complaints_free(&load->complaints);
    load->fn(load->ctx, load->catalog, load->catalog == NULL ? load->why : NULL);
    free(load);
}

static int ask(struct db_job *job, int *next, bool is_wanted, const char *sql)
{
    if (!is_wanted)
        return -1;
    db_sql(job, sql);
    return (*next)++;
}

void catalog_load(struct db *db, unsigned parts, catalog_fn *fn, void *ctx)
{
    struct load *load = must_zalloc(sizeof *load);
    struct db_job *job = db_job_new();
    int next = 1;
    bool has_buyers = parts & (CATALOG_SELLING | CATALOG_DELIVERY);

    load->db = db;
    load->parts = parts;
    load->fn = fn;
    load->ctx = ctx;
    db_sql(job, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    load->at.installation = ask(job, &next, true, "SELECT catalog_version, doc::text, is_development FROM installation");
    load->at.secret = ask(job, &next, parts & CATALOG_SECRET, "SELECT secret FROM installation_secret");
    load->at.clocks = ask(job, &next, parts & CATALOG_CAMPAIGNS, parts & CATALOG_SELLING ? catalog_clocks_sql : catalog_clock_sql);
    load->at.counters = ask(job, &next, parts & CATALOG_SELLING,
                            "SELECT id, kind::text, campaign_id, owner_id, time_zone FROM counter WHERE is_live ORDER BY id");
    load->at.suppliers = ask(job, &next, true, "SELECT id, status, doc::text FROM supplier ORDER BY id COLLATE \"C\"");
    load->at.keys = ask(job, &next, parts & CATALOG_KEYS, "SELECT sha256, supplier_id FROM api_key ORDER BY sha256");
    load->at.buyers = ask(job, &next, has_buyers, parts & CATALOG_DELIVERY ? catalog_receivers_sql : "SELECT b.id, b.status, b.doc::text, coalesce(e.is_off, false),"
                           " coalesce(extract(epoch FROM e.changed_at) * 1000000, 0)::int8"
                           " FROM buyer b LEFT JOIN buyer_endpoint e ON e.buyer_id = b.id ORDER BY b.id COLLATE \"C\"");
    load->at.secrets = ask(job, &next, parts & CATALOG_DELIVERY,
                           "SELECT buyer_id, secret, ceil(extract(epoch FROM expires_at - clock_timestamp()) * 1000)::int8 FROM buyer_secret"
                           " WHERE expires_at IS NULL OR expires_at > clock_timestamp() ORDER BY buyer_id, place");
    load->at.campaigns = ask(job, &next, parts & CATALOG_CAMPAIGNS, "SELECT id, status, doc::text FROM campaign ORDER BY id COLLATE \"C\"");
    load->at.sources = ask(job, &next, parts & CATALOG_CAMPAIGNS,
                           "SELECT campaign_id, supplier_id, status, doc::text FROM campaign_supplier"
                           " ORDER BY campaign_id COLLATE \"C\", supplier_id COLLATE \"C\"");
    load->at.contracts = ask(job, &next, parts & CATALOG_SELLING,
                             "SELECT campaign_id, id, buyer_id, status, price_cents, doc::text FROM contract"
                             " ORDER BY campaign_id COLLATE \"C\", id COLLATE \"C\"");
    load->at.suppression = ask(job, &next, parts & CATALOG_SUPPRESSION, catalog_suppression_sql);
    load->at.events = ask(job, &next, parts & CATALOG_SELLING, catalog_events_sql);
    db_sql(job, "COMMIT");
    db_send(db, &job, on_loaded, load);
}
