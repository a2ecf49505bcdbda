#include "leadctl/document.h"

#include "common/buf.h"
#include "common/cidr.h"
#include "common/digest.h"
#include "common/map.h"
#include "common/must.h"
#include "leadctl/endpoint_url.h"
#include "proto/embed.h"
#include "proto/normal.h"

#include <string.h>

/* What the checks of one document share. Ids are borrowed from the document. */
struct check {
    const struct json *document;
    bool allows_private;
    struct map *suppliers; /* ids that are there */
    struct map *buyers;
    struct map *key_hashes; /* of all suppliers */
    struct arena *arena;
    struct complaints *list;
};

/* Entries of a list: the place and what stands there. Nothing happens when the list is of another kind. */
#define EACH(entry, its_place, entries, above_place)                                                              \
    for (struct place its_place = {above_place, NULL, 0};                                                          \
         ((entry) = is_list(entries) ? json_at(entries, its_place.index) : NULL) != NULL; its_place.index++)

static bool is_list(const struct json *value)
{
    return value != NULL && json_kind(value) == JSON_LIST;
}

const struct schema *document_schema(void)
{
    static struct schema *schema;

    if (schema == NULL) {
        schema = schema_new(embed_find("proto/config.schema.json"), NULL);
        must(schema != NULL);
    }
    return schema;
}

/* Puts an id into the set. Returns false, and complains at the key, when it is there already. */
static bool claim(struct check *check, struct map *set, struct span id, const struct place *place, const char *key, const char *what)
{
    struct place at = {place, key, 0};

    if (id.len == 0)
        return true;
    if (map_get(set, id) != NULL) {
        complain(check->list, &at, "this %s is there twice", what);
        return false;
    }
    map_put(set, id, check);
    return true;
}

static void must_be_known(struct check *check, const struct map *set, struct span id, const struct place *place, const char *key,
                          const char *what)
{
    struct place at = {place, key, 0};

    if (id.len > 0 && map_get(set, id) == NULL)
        complain(check->list, &at, "there is no %s of this id", what);
}

/* Suppliers ------------------------------------------------------------------------------------------------------------- */

/* The lower-case hexadecimal hash of an entry of api_keys; absent when it has none. */
static struct span key_hash(struct arena *arena, const struct json *entry)
{
    struct span key = json_get_text(entry, "key"), given = json_get_text(entry, "sha256");
    char hex[DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];

    if (key.ptr != NULL)
        digest_sha256(key, sha256);
    else if (digest_unhex(given, sha256, sizeof sha256) != 0)
        return (struct span){NULL, 0};
    return arena_copy(arena, span_of(digest_hex(sha256, sizeof sha256, hex)));
}

static void check_supplier(struct check *check, const struct json *supplier, const struct place *place)
{
    struct place keys = {place, "api_keys", 0}, ips = {place, "allowed_ips", 0};
    struct json *entry;
    struct cidr cidr;

    claim(check, check->suppliers, json_get_text(supplier, "id"), place, "id", "supplier");
    EACH(entry, at, json_get(supplier, "api_keys"), &keys) {
        struct span hash = key_hash(check->arena, entry);

        if (hash.len > 0 && map_put(check->key_hashes, hash, check) != NULL)
            complain(check->list, &at, "this key is there twice");
    }
    EACH(entry, at, json_get(supplier, "allowed_ips"), &ips)
        if (json_text(entry).ptr != NULL && cidr_parse(&cidr, json_text(entry)) != 0)
            complain(check->list, &at, "must be an IP address, or a range like 203.0.113.0/24 without host bits");
}

/* Caps ------------------------------------------------------------------------------------------------------------------ */

static void check_caps(struct check *check, const struct json *owner, const struct place *place)
{
    struct place caps = {place, "caps", 0};
    struct json *cap;

    EACH(cap, at, json_get(owner, "caps"), &caps)
        if (json_kind(cap) == JSON_OBJECT && json_get(cap, "leads") == NULL && json_get(cap, "budget") == NULL)
            complain(check->list, &at, "must have leads or a budget");
}

/* Buyers ---------------------------------------------------------------------------------------------------------------- */

enum { SECRET_BYTES_LEAST = 24, SECRET_BYTES_MOST = 64 }; /* Standard Webhooks 1.0 */

static bool is_secret(struct span text)
{
    static const struct span prefix = {"whsec_", 6};
    struct buf *bytes = buf_new(SECRET_BYTES_MOST);
    bool is_good;

    is_good = span_starts(text, prefix) &&
              digest_unbase64((struct span){text.ptr + prefix.len, text.len - prefix.len}, bytes) == 0 &&
              bytes->len >= SECRET_BYTES_LEAST && bytes->len <= SECRET_BYTES_MOST;
    buf_free(&bytes);
    return is_good;
}

static void check_delivery(struct check *check, const struct json *delivery, const struct place *place)
{
    struct place url = {place, "url", 0}, secrets = {place, "secrets", 0}, legacy = {place, "legacy_signature", 0};
    struct span address = json_get_text(delivery, "url");
    const char *fault = address.len > 0 ? endpoint_url_fault(address, check->allows_private) : NULL;
    struct json *secret;

    if (fault != NULL)
        complain(check->list, &url, "%s", fault);
    EACH(secret, at, json_get(delivery, "secrets"), &secrets)
        if (json_text(secret).ptr != NULL && !is_secret(json_text(secret)))
            complain(check->list, &at, "must be whsec_ and the base64 of 24 to 64 bytes");
    if (json_get_bool(delivery, "legacy_signature", false) && json_count(json_get(delivery, "secrets")) == 0)
        complain(check->list, &legacy, "needs a secret");
}

static void check_buyer(struct check *check, const struct json *buyer, const struct place *place)
{
    struct place delivery = {place, "delivery", 0};

    claim(check, check->buyers, json_get_text(buyer, "id"), place, "id", "buyer");
    check_caps(check, buyer, place);
    check_delivery(check, json_get(buyer, "delivery"), &delivery);
}

/* Campaigns: fields and duplicate rules ----------------------------------------------------------------------------------- */

static void check_values(struct check *check, const struct json *values, const struct place *place)
{
    struct map *seen = map_new();
    struct json *value;

    EACH(value, at, values, place) {
        struct span text = json_text(value);
        char *lower = arena_alloc(check->arena, text.len + 1);

        for (size_t i = 0; i < text.len; i++)
            lower[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] + ('a' - 'A') : text.ptr[i]);
        if (text.len > 0 && span_trim(text).len != text.len)
            complain(check->list, &at, "must not begin or end with a blank");
        else if (text.len > 0 && map_put(seen, (struct span){lower, text.len}, check) != NULL)
            complain(check->list, &at, "is there twice, without regard to case");
    }
    map_free(&seen);
}

static void check_field(struct check *check, const struct json *field, struct map *names, const struct place *place)
{
    struct place name_at = {place, "name", 0}, values_at = {place, "values", 0}, strict_at = {place, "strict", 0};
    struct span name = json_get_text(field, "name"), type = json_get_text(field, "type");
    const struct system_field *system = system_field_find(name);
    const struct json *values = json_get(field, "values");
    bool has_values = is_list(values) && json_count(values) > 0;
    bool is_phone = type.ptr != NULL ? span_is(type, "phone") : system != NULL && system->type == FIELD_PHONE;

    claim(check, names, name, place, "name", "field");
    if (system != NULL && system->is_control)
        complain(check->list, &name_at, "this field is Leadline's own and cannot be changed");
    if (span_is(type, "list") && !has_values)
        complain(check->list, &values_at, "a list needs values");
    if (!span_is(type, "list") && has_values)
        complain(check->list, &values_at, "not supported yet for other types than list");
    if (json_get_bool(field, "strict", false) && !is_phone)
        complain(check->list, &strict_at, "is for phones only");
    check_values(check, values, &values_at);
}

enum { RULE_FIELDS_MOST = 20 }; /* the schema says so, too */

/* The names of a rule's fields in one text, sorted, so that equal sets have equal texts. */
static struct span rule_text(struct arena *arena, const struct json *fields)
{
    size_t count = is_list(fields) && json_count(fields) <= RULE_FIELDS_MOST ? json_count(fields) : 0;
    struct span *names = arena_alloc(arena, (count + 1) * sizeof *names);
    struct buf *text = buf_new(64);
    struct span copy;

    for (size_t i = 0; i < count; i++) {
        struct span name = json_text(json_at(fields, i));
        size_t at = i;

        for (; at > 0 && span_compare(name, names[at - 1]) < 0; at--)
            names[at] = names[at - 1];
        names[at] = name;
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_u32(text, (uint32_t)names[i].len);
        buf_add_span(text, names[i]);
    }
    copy = arena_copy(arena, buf_span(text));
    buf_free(&text);
    return copy;
}

static void check_rule(struct check *check, const struct json *rule, const struct map *fields, struct map *rules, const struct place *place)
{
    struct place names = {place, "fields", 0};
    struct json *name;

    EACH(name, at, json_get(rule, "fields"), &names) {
        const struct system_field *system = system_field_find(json_text(name));

        if (json_text(name).len > 0 && map_get(fields, json_text(name)) == NULL && (system == NULL || system->is_control))
            complain(check->list, &at, "the campaign defines no such field");
    }
    claim(check, rules, rule_text(check->arena, json_get(rule, "fields")), place, "fields", "set of fields");
}

static void check_fields(struct check *check, const struct json *campaign, const struct place *place)
{
    struct place fields = {place, "fields", 0}, rules = {place, "duplicates", 0};
    struct map *names = map_new(), *rule_texts = map_new();
    struct json *entry;

    EACH(entry, at, json_get(campaign, "fields"), &fields)
        check_field(check, entry, names, &at);
    EACH(entry, at, json_get(campaign, "duplicates"), &rules)
        check_rule(check, entry, names, rule_texts, &at);
    map_free(&names);
    map_free(&rule_texts);
}

/* Campaigns: sources and contracts ---------------------------------------------------------------------------------------- */

static void check_cost(struct check *check, const struct json *cost, const struct place *place)
{
    static const struct { const char *mode, *needs; } rows[] = {{"FIXED", "amount"}, {"REVENUE_SHARE", "percent"}};
    struct span mode = json_get_text(cost, "mode");

    if (mode.ptr == NULL)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place at = {place, rows[i].needs, 0};
        bool is_needed = span_is(mode, rows[i].mode), is_there = json_get(cost, rows[i].needs) != NULL;

        if (is_needed && !is_there)
            complain(check->list, &at, "is required by mode %s", rows[i].mode);
        if (!is_needed && is_there)
            complain(check->list, &at, "is for mode %s only", rows[i].mode);
    }
}

static void check_sources(struct check *check, const struct json *campaign, const struct place *place)
{
    struct place sources = {place, "sources", 0};
    struct map *seen = map_new();
    struct json *source;

    EACH(source, at, json_get(campaign, "sources"), &sources) {
        struct place cost = {&at, "cost", 0};

        claim(check, seen, json_get_text(source, "supplier_id"), &at, "supplier_id", "supplier's source");
        must_be_known(check, check->suppliers, json_get_text(source, "supplier_id"), &at, "supplier_id", "supplier");
        check_cost(check, json_get(source, "cost"), &cost);
        check_caps(check, source, &at);
    }
    map_free(&seen);
}

static void check_states(struct check *check, const struct json *contract, const struct place *place)
{
    struct place states = {place, "states", 0};
    struct json *state;

    EACH(state, at, json_get(contract, "states"), &states) {
        struct span text = json_text(state);

        if (text.ptr != NULL && (text.len != 2 || !span_equal(normal_state(check->arena, text), text)))
            complain(check->list, &at, "must be the two upper-case letters of a state, DC or a territory");
    }
}

/* How many contracts has this buyer here? */
static size_t contracts_of(const struct json *contracts, struct span buyer_id)
{
    size_t count = 0;

    for (size_t i = 0; i < json_count(contracts); i++)
        count += span_equal(json_get_text(json_at(contracts, i), "buyer_id"), buyer_id);
    return count;
}

static void check_contracts(struct check *check, const struct json *campaign, const struct place *place)
{
    const struct json *contracts = json_get(campaign, "contracts");
    struct place above = {place, "contracts", 0};
    struct map *ids = map_new();
    struct json *contract;

    EACH(contract, at, contracts, &above) {
        struct place id = {&at, "id", 0};
        struct span buyer_id = json_get_text(contract, "buyer_id");

        if (json_get(contract, "id") != NULL)
            claim(check, ids, json_get_text(contract, "id"), &at, "id", "contract's id");
        else if (buyer_id.len > 0 && contracts_of(contracts, buyer_id) > 1)
            complain(check->list, &id, "is required, because the buyer has several contracts on this campaign");
        else
            claim(check, ids, buyer_id, &at, "buyer_id", "contract's id");
        must_be_known(check, check->buyers, buyer_id, &at, "buyer_id", "buyer");
        check_states(check, contract, &at);
        check_caps(check, contract, &at);
    }
    map_free(&ids);
}

static void check_campaign(struct check *check, const struct json *campaign, struct map *ids, const struct place *place)
{
    claim(check, ids, json_get_text(campaign, "id"), place, "id", "campaign");
    check_fields(check, campaign, place);
    check_sources(check, campaign, place);
    check_contracts(check, campaign, place);
}

/* The whole --------------------------------------------------------------------------------------------------------------- */

static void check_all(struct check *check)
{
    static const struct place suppliers = {NULL, "suppliers", 0}, buyers = {NULL, "buyers", 0}, campaigns = {NULL, "campaigns", 0};
    struct map *campaign_ids = map_new();
    struct json *entry;

    EACH(entry, at, json_get(check->document, "suppliers"), &suppliers)
        check_supplier(check, entry, &at);
    EACH(entry, at, json_get(check->document, "buyers"), &buyers)
        check_buyer(check, entry, &at);
    EACH(entry, at, json_get(check->document, "campaigns"), &campaigns)
        check_campaign(check, entry, campaign_ids, &at);
    map_free(&campaign_ids);
}

struct json *document_read(struct span text, struct complaints *list)
{
    struct check check = {.list = list};
    struct error err;
    struct json *document = json_parse(text, &err);

    if (document == NULL) {
        complain(list, NULL, "is not JSON: %s", err.text);
        return NULL;
    }
    schema_check(document_schema(), document, list);
    check.document = document;
    check.allows_private = json_get_bool(document, "allow_private_endpoints", false);
    check.suppliers = map_new();
    check.buyers = map_new();
    check.key_hashes = map_new();
    check.arena = arena_new();
    check_all(&check);
    arena_free(&check.arena);
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
        struct span hash = key_hash(arena, entry);

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
