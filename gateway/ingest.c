#include "gateway/ingest.h"

#include "common/buf.h"
#include "gateway/form.h"

#include <string.h>

enum media media_of(struct span content_type)
{
    const char *semicolon = content_type.len > 0 ? memchr(content_type.ptr, ';', content_type.len) : NULL;

    if (semicolon != NULL)
        content_type.len = (size_t)(semicolon - content_type.ptr);
    content_type = span_trim(content_type);
    if (span_equal_nocase(content_type, SPAN("application/json")))
        return MEDIA_JSON;
    if (span_equal_nocase(content_type, SPAN("application/x-www-form-urlencoded")))
        return MEDIA_FORM;
    return MEDIA_OTHER;
}

/* The number as JSON writes it. */
static struct span number_text(struct arena *arena, const struct json *value)
{
    struct buf *text = buf_new(32);
    struct span copy;

    json_print(value, text);
    copy = arena_copy(arena, buf_span(text));
    buf_free(&text);
    return copy;
}

/* One entry of the object as a field. Returns false when it is absent. */
static bool field_of(struct arena *arena, const struct json *value, struct field *field)
{
    switch (json_kind(value)) {
    case JSON_TEXT:
        field->kind = VALUE_TEXT;
        field->text = json_text(value);
        return field->text.len > 0;
    case JSON_INTEGER:
    case JSON_REAL:
        field->kind = VALUE_NUMBER;
        field->text = number_text(arena, value);
        return true;
    case JSON_TRUE:
        field->kind = VALUE_BOOL;
        field->text = SPAN("true");
        return true;
    case JSON_FALSE:
        field->kind = VALUE_BOOL;
        field->text = SPAN("false");
        return true;
    case JSON_OBJECT:
    case JSON_LIST:
        field->kind = VALUE_NESTED;
        field->text = SPAN("");
        return true;
    case JSON_NULL:
        return false;
    }
    return false;
}

static enum reason read_json(struct arena *arena, struct span body, struct lead *lead, struct json **json, struct error *err)
{
    struct field_list *fields = &lead->fields;
    struct json *value;
    const char *name;
    void *iter = NULL;

    *json = json_parse_exact(body, err);
    if (*json == NULL)
        return REASON_INVALID_JSON;
    if (json_kind(*json) != JSON_OBJECT) {
        error_set(err, "the body is not a JSON object");
        json_free(json);
        return REASON_INVALID_JSON;
    }
    fields->items = arena_alloc(arena, (json_count(*json) + 1) * sizeof *fields->items);
    fields->count = 0;
    while (json_each(*json, &iter, &name, &value)) {
        fields->items[fields->count].name = span_of(name);
        if (field_of(arena, value, &fields->items[fields->count]))
            fields->count++;
    }
    lead->raw = body;
    return REASON_NONE;
}

static enum reason read_form(struct arena *arena, struct span body, struct lead *lead, struct error *err)
{
    struct field_list *fields = &lead->fields;
    struct json *object;
    struct buf *raw;
    size_t kept = 0;

    if (form_read(arena, body, fields, err) != 0)
        return REASON_INVALID_FORM;
    object = json_new_object();
    for (size_t i = 0; i < fields->count; i++) {
        json_set_text(object, arena_text(arena, fields->items[i].name), fields->items[i].text);
        if (fields->items[i].text.len > 0)
            fields->items[kept++] = fields->items[i];
    }
    fields->count = kept;
    raw = buf_new(body.len + 64);
    json_print(object, raw);
    lead->raw = arena_copy(arena, buf_span(raw));
    buf_free(&raw);
    json_free(&object);
    return REASON_NONE;
}

enum reason ingest_read(struct arena *arena, enum media media, struct span body, struct lead *lead, struct json **json,
                        struct error *err)
{
    *json = NULL;
    if (media == MEDIA_FORM)
        return read_form(arena, body, lead, err);
    return read_json(arena, body, lead, json, err);
}
