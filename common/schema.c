#include "common/schema.h"

#include "common/must.h"
#include "common/schema_node.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* Reading a schema ---------------------------------------------------------------------------------------------------- */

enum { REFS_MOST = 16 }; /* one behind the other, for one value */

/* Keywords that hold one schema, a list of schemas, schemas by name, or something else. */
static const char *const single_words[] = {"items", "additionalProperties", NULL};
static const char *const list_words[] = {"anyOf", NULL};
static const char *const named_words[] = {"properties", "$defs", NULL};
static const char *const other_words[] = {
    "$schema",   "$id",       "$ref",          "$comment",      "title",   "description", "default",  "type",
    "required",  "enum",      "const",         "pattern",       "minimum", "maximum",     "minLength", "maxLength",
    "minItems",  "maxItems",  "minProperties", "maxProperties", "uniqueItems", "x-not-supported-yet", NULL,
};

static bool is_word(const char *word, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

struct json *schema_find_ref(const struct schema *schema, struct span ref)
{
    static const struct span prefix = {"#/$defs/", 8};
    struct json *found;
    char *name;

    if (!span_starts(ref, prefix))
        return NULL;
    name = must_copy(ref.ptr + prefix.len, ref.len - prefix.len);
    found = json_get(json_get(schema->root, "$defs"), name);
    free(name);
    return found;
}

static int read_pattern(struct schema *schema, struct span pattern, struct error *err)
{
    regex_t *regex;
    char *text;
    int rc;

    if (map_get(schema->patterns, pattern) != NULL)
        return 0;
    regex = must_zalloc(sizeof *regex);
    text = must_copy(pattern.ptr, pattern.len);
    rc = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
    free(text);
    if (rc != 0) {
        free(regex);
        return error_set(err, "the schema's pattern %.*s does not compile", SPAN_FMT(pattern));
    }
    map_put(schema->patterns, pattern, regex);
    return 0;
}

static int read_ref(const struct schema *schema, const struct json *node, struct error *err)
{
    int refs = 0;

    for (struct json *ref = json_get(node, "$ref"); ref != NULL; ref = json_get(node, "$ref")) {
        node = schema_find_ref(schema, json_text(ref));
        if (node == NULL)
            return error_set(err, "the schema's $ref %.*s leads nowhere", SPAN_FMT(json_text(ref)));
        if (++refs > REFS_MOST)
            return error_set(err, "the schema's $ref %.*s leads back to itself", SPAN_FMT(json_text(ref)));
    }
    return 0;
}

static int read_node(struct schema *schema, struct json *node, struct error *err);

static int read_named(struct schema *schema, struct json *nodes, struct error *err)
{
    struct json *value;
    const char *key;
    void *iter = NULL;

    while (json_each(nodes, &iter, &key, &value))
        if (read_node(schema, value, err) != 0)
            return -1;
    return 0;
}

static int read_keyword(struct schema *schema, const char *word, struct json *value, struct error *err)
{
    if (is_word(word, single_words))
        return read_node(schema, value, err);
    if (is_word(word, named_words))
        return read_named(schema, value, err);
    if (is_word(word, list_words)) {
        for (size_t i = 0; i < json_count(value); i++)
            if (read_node(schema, json_at(value, i), err) != 0)
                return -1;
        return 0;
    }
    if (!is_word(word, other_words))
        return error_set(err, "the schema's keyword %s is not understood", word);
    if (strcmp(word, "pattern") == 0)
        return read_pattern(schema, json_text(value), err);
    return 0;
}

static int read_node(struct schema *schema, struct json *node, struct error *err)
{
    struct json *value;
    const char *key;
    void *iter = NULL;

    if (json_kind(node) == JSON_TRUE || json_kind(node) == JSON_FALSE)
        return 0;
    if (json_kind(node) != JSON_OBJECT)
        return error_set(err, "the schema has a part that is neither an object nor true or false");
    while (json_each(node, &iter, &key, &value))
        if (read_keyword(schema, key, value, err) != 0)
            return -1;
    return read_ref(schema, node, err);
}

struct schema *schema_new(struct span text, struct error *err)
{
    struct schema *schema = must_zalloc(sizeof *schema);

    schema->patterns = map_new();
    schema->root = json_parse(text, err);
    if (schema->root == NULL || read_node(schema, schema->root, err) != 0)
        schema_free(&schema);
    return schema;
}

void schema_free(struct schema **schema)
{
    size_t at = 0;
    regex_t *regex;

    if (*schema == NULL)
        return;
    while ((regex = map_next((*schema)->patterns, &at)) != NULL) {
        regfree(regex);
        free(regex);
    }
    map_free(&(*schema)->patterns);
    if ((*schema)->root != NULL)
        json_free(&(*schema)->root);
    free(*schema);
    *schema = NULL;
}

/* Putting keys in order ----------------------------------------------------------------------------------------------- */

/* What the node, or what it refers to, says under this keyword; NULL when neither does. */
static const struct json *said(const struct schema *schema, const struct json *node, const char *word)
{
    const struct json *value = NULL;

    for (; node != NULL && value == NULL; node = schema_find_ref(schema, json_get_text(node, "$ref")))
        value = json_get(node, word);
    return value;
}

static struct json *arranged(const struct schema *schema, const struct json *node, const struct json *value)
{
    struct json *known = (struct json *)said(schema, node, "properties");
    const struct json *items = said(schema, node, "items");
    struct json *out, *entry;
    const char *key;
    void *iter = NULL;

    switch (json_kind(value)) {
    case JSON_OBJECT:
        out = json_new_object();
        while (json_each(known, &iter, &key, &entry))
            if (json_get(value, key) != NULL)
                json_set(out, key, arranged(schema, entry, json_get(value, key)));
        iter = NULL;
        while (json_each((struct json *)value, &iter, &key, &entry))
            if (json_get(out, key) == NULL)
                json_set(out, key, json_copy(entry));
        return out;
    case JSON_LIST:
        out = json_new_list();
        for (size_t i = 0; i < json_count(value); i++)
            json_push(out, arranged(schema, items, json_at(value, i)));
        return out;
    case JSON_TEXT:
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return json_copy(value);
}

struct json *schema_arranged(const struct schema *schema, const struct json *document)
{
    return arranged(schema, schema->root, document);
}
