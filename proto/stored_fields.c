#include "proto/stored_fields.h"

#include "common/json.h"

/* A normal form as it stands in a row: a text, a boolean, or a number in a list. */
static void read_field(struct field *field, struct arena *arena, const char *name, const struct json *value)
{
    enum json_kind kind = json_kind(value);

    field->name = arena_copy(arena, span_of(name));
    field->kind = kind == JSON_TEXT ? VALUE_TEXT : kind == JSON_LIST ? VALUE_NUMBER : VALUE_BOOL;
    if (kind == JSON_TRUE || kind == JSON_FALSE)
        field->text = kind == JSON_TRUE ? SPAN("true") : SPAN("false");
    else
        field->text = arena_copy(arena, json_text(kind == JSON_LIST ? json_at(value, 0) : value));
}

int stored_fields_read(struct field_list *fields, struct arena *arena, struct span text)
{
    struct json *document = json_parse(text, NULL), *value;
    const char *name;
    void *iter = NULL;

    if (document == NULL || json_kind(document) != JSON_OBJECT) {
        if (document != NULL)
            json_free(&document);
        return -1;
    }
    fields->items = arena_alloc(arena, (json_count(document) + 1) * sizeof *fields->items);
    fields->count = 0;
    while (json_each(document, &iter, &name, &value))
        if (json_kind(value) != JSON_NULL && json_kind(value) != JSON_OBJECT)
            read_field(&fields->items[fields->count++], arena, name, value);
    json_free(&document);
    return 0;
}
