/* document_fields.c - a campaign's fields, and the duplicate rules over them, its contracts' too. */
#include "leadctl/document_check.h"

#include "common/buf.h"
#include "proto/field.h"
#include "proto/field_options.h"

/* Returns the bytes of the default. */
static size_t check_options(struct check *check, const struct json *field, const struct system_field *system, const struct place *place)
{
    struct span type_word = json_get_text(field, "type");
    struct field_spec spec = {.name = json_get_text(field, "name"), .is_strict = json_get_bool(field, "strict", false)};
    int type = type_word.ptr != NULL ? field_type_of(type_word) : system != NULL ? (int)system->type : FIELD_STRING;

    if (type < 0)
        return 0; /* the schema complains */
    spec.type = (enum field_type)type;
    field_options_read(check->arena, field, &spec, check->list, place);
    pattern_free(&spec.pattern);
    return spec.otherwise.text.len;
}

/* Returns the bytes of its default. */
static size_t check_field(struct check *check, const struct json *field, struct map *names, const struct place *place)
{
    struct place name_at = {place, "name", 0}, values_at = {place, "values", 0}, strict_at = {place, "strict", 0};
    struct span name = json_get_text(field, "name"), type = json_get_text(field, "type");
    const struct system_field *system = system_field_find(name);
    bool is_phone = type.ptr != NULL ? span_is(type, "phone") : system != NULL && system->type == FIELD_PHONE;

    document_claim(check, names, name, place, "name", "field");
    if (system != NULL && system->is_control)
        complain(check->list, &name_at, "this field is Leadline's own and cannot be changed");
    if (span_is(type, "list") && document_entry(json_get(field, "values"), 0) == NULL)
        complain(check->list, &values_at, "a list needs values");
    if (json_get_bool(field, "strict", false) && !is_phone)
        complain(check->list, &strict_at, "is for phones only");
    return check_options(check, field, system, place);
}

enum {
    RULE_FIELDS_MOST = 20,          /* the schema says so, too */
    DEFAULT_BYTES_MOST = 32 * 1024, /* of all fields of a campaign: each lead may carry them */
};

/* The names of a rule's fields in one text, sorted, so that equal sets have equal texts. */
static struct span rule_text(struct arena *arena, const struct json *fields)
{
    size_t count = json_count(fields) <= RULE_FIELDS_MOST ? json_count(fields) : 0;
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
    document_claim(check, rules, rule_text(check->arena, json_get(rule, "fields")), place, "fields", "set of fields");
}

/* The rules of a campaign or of one of its contracts. */
static void check_rules(struct check *check, const struct json *owner, const struct map *fields, const struct place *place)
{
    struct place rules = {place, "duplicates", 0};
    struct map *seen = map_new();
    struct json *rule;

    EACH(rule, at, json_get(owner, "duplicates"), &rules)
        check_rule(check, rule, fields, seen, &at);
    map_free(&seen);
}

void document_check_fields(struct check *check, const struct json *campaign, const struct place *place)
{
    struct place fields = {place, "fields", 0}, contracts = {place, "contracts", 0};
    struct map *names = map_new();
    size_t default_bytes = 0;
    struct json *entry;

    EACH(entry, at, json_get(campaign, "fields"), &fields)
        default_bytes += check_field(check, entry, names, &at);
    if (default_bytes > DEFAULT_BYTES_MOST)
        complain(check->list, &fields, "must have defaults of at most %d bytes in all", DEFAULT_BYTES_MOST);
    check_rules(check, campaign, names, place);
    EACH(entry, at, json_get(campaign, "contracts"), &contracts)
        check_rules(check, entry, names, &at);
    map_free(&names);
}
