/* document_fields.c - a campaign's fields, and the duplicate rules over them. */
#include "leadctl/document_check.h"

#include "common/buf.h"
#include "proto/field.h"

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
    bool has_values = document_entry(values, 0) != NULL;
    bool is_phone = type.ptr != NULL ? span_is(type, "phone") : system != NULL && system->type == FIELD_PHONE;

    document_claim(check, names, name, place, "name", "field");
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

void document_check_fields(struct check *check, const struct json *campaign, const struct place *place)
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
