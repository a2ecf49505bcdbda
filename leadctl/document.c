#include "leadctl/document.h"

#include "common/buf.h"
#include "common/must.h"
#include "leadctl/document_check.h"
#include "proto/embed.h"

const struct schema *document_schema(void)
{
    static struct schema *schema;

    if (schema == NULL) {
        schema = schema_new(embed_find("proto/config.schema.json"), NULL);
        must(schema != NULL);
    }
    return schema;
}

struct json *document_entry(const struct json *list, size_t index)
{
    return list != NULL && json_kind(list) == JSON_LIST ? json_at(list, index) : NULL;
}

void document_claim(struct check *check, struct map *set, struct span id, const struct place *place, const char *key, const char *what)
{
    struct place at = {place, key, 0};

    if (id.len > 0 && map_put(set, id, check) != NULL)
        complain(check->list, &at, "this %s is there twice", what);
}

void document_must_know(struct check *check, const struct map *set, struct span id, const struct place *place, const char *key,
                        const char *what)
{
    struct place at = {place, key, 0};

    if (id.len > 0 && map_get(set, id) == NULL)
        complain(check->list, &at, "there is no %s of this id", what);
}

void document_check_caps(struct check *check, const struct json *owner, const struct place *place)
{
    struct place caps = {place, "caps", 0};
    struct json *cap;

    EACH(cap, at, json_get(owner, "caps"), &caps)
        if (json_kind(cap) == JSON_OBJECT && json_get(cap, "leads") == NULL && json_get(cap, "budget") == NULL)
            complain(check->list, &at, "must have leads or a budget");
}

/* PostgreSQL writes 1e20 out with all its digits, and then it is no number that our JSON can hold. */
static void check_numbers(struct check *check, struct json *value, const struct place *place)
{
    static const double most = 9.2e18; /* just below the largest integer */
    struct json *entry;
    const char *key;
    void *iter = NULL;

    switch (json_kind(value)) {
    case JSON_OBJECT:
        while (json_each(value, &iter, &key, &entry)) {
            struct place inner = {place, key, 0};

            check_numbers(check, entry, &inner);
        }
        break;
    case JSON_LIST:
        EACH(entry, at, value, place)
            check_numbers(check, entry, &at);
        break;
    case JSON_REAL:
        if (json_real(value, 0) > most || json_real(value, 0) < -most)
            complain(check->list, place, "is too large for a number here: write it as text");
        break;
    case JSON_TEXT:
    case JSON_INTEGER:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
}

static void check_all(struct check *check)
{
    static const struct place suppliers = {NULL, "suppliers", 0}, buyers = {NULL, "buyers", 0}, campaigns = {NULL, "campaigns", 0};
    struct map *campaign_ids = map_new();
    struct json *entry;

    document_check_suppression_lists(check);
    document_check_events(check);
    EACH(entry, at, json_get(check->document, "suppliers"), &suppliers)
        document_check_supplier(check, entry, &at);
    EACH(entry, at, json_get(check->document, "buyers"), &buyers)
        document_check_buyer(check, entry, &at);
    EACH(entry, at, json_get(check->document, "campaigns"), &campaigns)
        document_check_campaign(check, entry, campaign_ids, &at);
    map_free(&campaign_ids);
}

struct json *document_read(struct span text, struct complaints *list)
{
    struct check check = {.list = NULL};
    struct error err;
    struct json *document = json_parse(text, &err);

    if (document == NULL) {
        complain(list, NULL, "is not JSON: %s", err.text);
        return NULL;
    }
    schema_check(document_schema(), document, list);
    check.list = complaints_new();
    check.document = document;
    check.suppliers = map_new();
    check.buyers = map_new();
    check.key_hashes = map_new();
    check.suppression_lists = map_new();
    check.arena = arena_new();
    check_numbers(&check, document, NULL);
    check_all(&check);
    complaints_merge(list, check.list); /* what the schema has said is not said again in other words */
    complaints_free(&check.list);
    arena_free(&check.arena);
    map_free(&check.suppression_lists);
    map_free(&check.key_hashes);
    map_free(&check.buyers);
    map_free(&check.suppliers);
    return document;
}

void document_check_zones(const struct json *document, document_zone_fn *is_known, void *ctx, struct complaints *list)
{
    static const char sentence[] = "is not a time zone that PostgreSQL knows (pg_timezone_names)";
    struct place own = {NULL, "time_zone", 0}, buyers = {NULL, "buyers", 0};
    struct span zone = json_get_text(document, "time_zone");
    struct json *buyer;

    if (zone.len > 0 && !is_known(ctx, zone))
        complain(list, &own, "%s", sentence);
    EACH(buyer, at, json_get(document, "buyers"), &buyers) {
        struct place its = {&at, "time_zone", 0};

        zone = json_get_text(buyer, "time_zone");
        if (zone.len > 0 && !is_known(ctx, zone))
            complain(list, &its, "%s", sentence);
    }
}

static void normalise_keys(struct json *supplier)
{
    struct arena *arena = arena_new();
    struct place nowhere = {NULL, NULL, 0};
    struct json *entry;

    EACH(entry, at, json_get(supplier, "api_keys"), &nowhere) {
        struct span hash = document_key_hash(arena, entry);

        json_remove(entry, "key");
        json_set_text(entry, "sha256", hash);
    }
    arena_free(&arena);
}

void document_normalise(struct json *document)
{
    struct place nowhere = {NULL, NULL, 0};
    struct json *supplier, *campaign, *contract;

    EACH(supplier, at, json_get(document, "suppliers"), &nowhere)
        normalise_keys(supplier);
    EACH(campaign, at, json_get(document, "campaigns"), &nowhere)
        EACH(contract, its, json_get(campaign, "contracts"), &at)
            if (json_get(contract, "id") == NULL)
                json_set_text(contract, "id", json_get_text(contract, "buyer_id"));
}
