#include "common/schema.h"

#include "common/buf.h"
#include "common/schema_node.h"

#include <inttypes.h>
#include <regex.h>

/* One walk through a document. */
struct walk {
    const struct schema *schema;
    struct complaints *list;
};

static const char *const type_words[] = {"object", "array", "string", "integer", "number", "boolean", "null"};
static const char *const type_phrases[] = {"an object", "a list", "text", "a whole number", "a number", "true or false", "null"};
enum { TYPES = sizeof type_words / sizeof *type_words };

static bool is_of_type(const struct json *value, struct span type)
{
    switch (json_kind(value)) {
    case JSON_OBJECT:
        return span_is(type, "object");
    case JSON_LIST:
        return span_is(type, "array");
    case JSON_TEXT:
        return span_is(type, "string");
    case JSON_INTEGER:
        return span_is(type, "integer") || span_is(type, "number");
    case JSON_REAL:
        return span_is(type, "number");
    case JSON_TRUE:
    case JSON_FALSE:
        return span_is(type, "boolean");
    case JSON_NULL:
        return span_is(type, "null");
    }
    return false;
}

static const char *type_phrase(struct span type)
{
    for (int i = 0; i < TYPES; i++)
        if (span_is(type, type_words[i]))
            return type_phrases[i];
    return "something else";
}

/* Is the value of the node's type, or one of its types? Complains when not. */
static bool check_type(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    const struct json *type = json_get(node, "type");
    struct buf *phrase;

    if (type == NULL)
        return true;
    if (json_kind(type) == JSON_TEXT) {
        if (is_of_type(value, json_text(type)))
            return true;
        complain(walk->list, place, "must be %s", type_phrase(json_text(type)));
        return false;
    }
    for (size_t i = 0; i < json_count(type); i++)
        if (is_of_type(value, json_text(json_at(type, i))))
            return true;
    phrase = buf_new(64);
    for (size_t i = 0; i < json_count(type); i++)
        buf_printf(phrase, "%s%s", i == 0 ? "" : " or ", type_phrase(json_text(json_at(type, i))));
    complain(walk->list, place, "must be %s", buf_text(phrase));
    buf_free(&phrase);
    return false;
}

static bool is_listed(const struct json *list, const struct json *value)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (json_equal(json_at(list, i), value))
            return true;
    return false;
}

static bool check_enum(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    const struct json *list = json_get(node, "enum");
    struct buf *words;

    if (list == NULL || is_listed(list, value))
        return true;
    words = buf_new(128);
    for (size_t i = 0; i < json_count(list); i++) {
        buf_add_text(words, i == 0 ? "" : ", ");
        if (json_kind(json_at(list, i)) == JSON_TEXT)
            buf_add_span(words, json_text(json_at(list, i)));
        else
            json_print(json_at(list, i), words);
    }
    complain(walk->list, place, "must be one of %s", buf_text(words));
    buf_free(&words);
    return false;
}

static void check_text(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    struct span text = json_text(value), pattern = json_get_text(node, "pattern");
    int64_t chars = (int64_t)span_chars(text);
    int64_t least = json_get_integer(node, "minLength", 0), most = json_get_integer(node, "maxLength", INT64_MAX);

    if (chars < least)
        complain(walk->list, place, least == 1 ? "must not be empty" : "must have at least %" PRId64 " characters", least);
    else if (chars > most)
        complain(walk->list, place, "must have at most %" PRId64 " characters", most);
    else if (pattern.ptr != NULL && regexec(map_get(walk->schema->patterns, pattern), text.ptr, 0, NULL, 0) != 0)
        complain(walk->list, place, "must match %.*s", SPAN_FMT(pattern));
}

static void check_number(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    const struct json *least = json_get(node, "minimum"), *most = json_get(node, "maximum");
    double number = json_real(value, 0);

    if (least != NULL && number < json_real(least, 0))
        complain(walk->list, place, "must be at least %.15g", json_real(least, 0));
    if (most != NULL && number > json_real(most, 0))
        complain(walk->list, place, "must be at most %.15g", json_real(most, 0));
}

static void check_node(struct walk *walk, const struct json *node, struct json *value, const struct place *place);

static void check_key_count(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    int64_t count = (int64_t)json_count(value);
    int64_t least = json_get_integer(node, "minProperties", 0), most = json_get_integer(node, "maxProperties", INT64_MAX);

    if (least == most && count != least)
        complain(walk->list, place, "must have exactly %" PRId64 " of its keys", least);
    else if (count < least)
        complain(walk->list, place, "must have at least %" PRId64 " of its keys", least);
    else if (count > most)
        complain(walk->list, place, "must have at most %" PRId64 " of its keys", most);
}

static void check_object(struct walk *walk, const struct json *node, struct json *value, const struct place *place)
{
    const struct json *known = json_get(node, "properties"), *required = json_get(node, "required");
    const struct json *others = json_get(node, "additionalProperties");
    struct json *entry;
    const char *key;
    void *iter = NULL;

    for (size_t i = 0; i < json_count(required); i++) {
        struct place missing = {place, json_text(json_at(required, i)).ptr, 0};

        if (json_get(value, missing.key) == NULL)
            complain(walk->list, &missing, "is required");
    }
    while (json_each(value, &iter, &key, &entry)) {
        struct place inner = {place, key, 0};
        const struct json *its = json_get(known, key);

        if (its != NULL)
            check_node(walk, its, entry, &inner);
        else if (others != NULL && json_kind(others) == JSON_FALSE)
            complain(walk->list, &inner, "unknown key");
        else if (others != NULL)
            check_node(walk, others, entry, &inner);
    }
    check_key_count(walk, node, value, place);
}

static void check_unique(struct walk *walk, struct json *value, const struct place *place)
{
    struct arena *arena = arena_new();
    struct buf *printed = buf_new(64);
    struct map *seen = map_new();

    for (size_t i = 0; i < json_count(value); i++) {
        struct place inner = {place, NULL, i};
        struct span text;

        printed->len = 0;
        json_print(json_at(value, i), printed);
        text = buf_span(printed);
        if (map_get(seen, text) != NULL)
            complain(walk->list, &inner, "is there twice");
        else
            map_put(seen, arena_copy(arena, text), value);
    }
    map_free(&seen);
    buf_free(&printed);
    arena_free(&arena);
}

static void check_list(struct walk *walk, const struct json *node, struct json *value, const struct place *place)
{
    const struct json *items = json_get(node, "items");
    int64_t count = (int64_t)json_count(value);
    int64_t least = json_get_integer(node, "minItems", 0), most = json_get_integer(node, "maxItems", INT64_MAX);

    if (count < least)
        complain(walk->list, place, least == 1 ? "must not be empty" : "must have at least %" PRId64 " entries", least);
    if (count > most)
        complain(walk->list, place, "must have at most %" PRId64 " entries", most);
    for (size_t i = 0; items != NULL && i < json_count(value); i++) {
        struct place inner = {place, NULL, i};

        check_node(walk, items, json_at(value, i), &inner);
    }
    if (json_get_bool(node, "uniqueItems", false))
        check_unique(walk, value, place);
}

/* {}, [], "", false, {"all": []} and the default mean nothing. */
static bool means_nothing(const struct json *node, const struct json *value)
{
    const struct json *otherwise = json_get(node, "default");
    const struct json *all = json_get(value, "all");

    if (otherwise != NULL && json_equal(otherwise, value))
        return true;
    switch (json_kind(value)) {
    case JSON_OBJECT:
        return json_count(value) == 0 || (json_count(value) == 1 && all != NULL && json_kind(all) == JSON_LIST && json_count(all) == 0);
    case JSON_LIST:
        return json_count(value) == 0;
    case JSON_TEXT:
        return json_text(value).len == 0;
    case JSON_FALSE:
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_NULL:
        return false;
    }
    return false;
}

/* Says "not supported yet", or that the type is wrong. Is there nothing more to check? */
static bool check_support(struct walk *walk, const struct json *node, const struct json *value, const struct place *place)
{
    const struct json *later = json_get(node, "x-not-supported-yet");
    const struct json *ref = node;

    if (later == NULL)
        return false;
    if (json_kind(later) == JSON_LIST) {
        if (!is_listed(later, value))
            return false;
        complain(walk->list, place, "not supported yet");
        return true;
    }
    if (json_kind(later) != JSON_TRUE)
        return false;
    if (!means_nothing(node, value)) {
        complain(walk->list, place, "not supported yet");
        return true;
    }
    do {
        if (!check_type(walk, ref, value, place))
            return true;
        ref = schema_find_ref(walk->schema, json_get_text(ref, "$ref"));
    } while (ref != NULL);
    return true;
}

static bool check_any(struct walk *walk, const struct json *any, struct json *value, const struct place *place)
{
    for (size_t i = 0; i < json_count(any); i++) {
        struct complaints *tried = complaints_new();
        struct walk inner = {walk->schema, tried};
        bool fits;

        check_node(&inner, json_at(any, i), value, place);
        fits = tried->count == 0;
        complaints_free(&tried);
        if (fits)
            return true;
    }
    complain(walk->list, place, "has none of the forms that it may have");
    return false;
}

static void check_node(struct walk *walk, const struct json *node, struct json *value, const struct place *place)
{
    const struct json *any = json_get(node, "anyOf"), *only = json_get(node, "const"), *ref = json_get(node, "$ref");

    if (json_kind(node) == JSON_FALSE) {
        complain(walk->list, place, "must not be there");
        return;
    }
    if (check_support(walk, node, value, place))
        return;
    if (!check_type(walk, node, value, place) || !check_enum(walk, node, value, place))
        return;
    if (only != NULL && !json_equal(only, value))
        complain(walk->list, place, "has another value than the only one that it may have");
    if (any != NULL && !check_any(walk, any, value, place))
        return;
    switch (json_kind(value)) {
    case JSON_OBJECT:
        check_object(walk, node, value, place);
        break;
    case JSON_LIST:
        check_list(walk, node, value, place);
        break;
    case JSON_TEXT:
        check_text(walk, node, value, place);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        check_number(walk, node, value, place);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    if (ref != NULL)
        check_node(walk, schema_find_ref(walk->schema, json_text(ref)), value, place);
}

void schema_check(const struct schema *schema, const struct json *document, struct complaints *list)
{
    struct walk walk = {schema, list};

    check_node(&walk, schema->root, (struct json *)document, NULL);
}
