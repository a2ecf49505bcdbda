/* test_schema.c - common/schema.c: every keyword that we use, all errors at once, each at its place; the order of keys. */
#include "common/schema.h"
#include "leadctl/document.h"
#include "proto/embed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Everything that is wrong, as "pointer: sentence; pointer: sentence". */
static const char *judge(const char *schema_text, const char *document_text)
{
    static struct buf *out;
    struct error err;
    struct schema *schema = schema_new(span_of(schema_text), &err);
    struct complaints *list = complaints_new();
    struct json *document = json_parse(span_of(document_text), &err);

    if (out == NULL)
        out = buf_new(256);
    if (schema == NULL || document == NULL)
        fail_msg("%s with %s: %s", schema_text, document_text, err.text);
    schema_check(schema, document, list);
    out->len = 0;
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%s: %s", i > 0 ? "; " : "", list->items[i].pointer, list->items[i].sentence);
    json_free(&document);
    complaints_free(&list);
    schema_free(&schema);
    return buf_text(out);
}

#define LATER "{\"properties\":{\"a\":{\"x-not-supported-yet\":true,\"type\":\"object\",\"required\":[\"b\"]}}}"
#define LATER_LIST "{\"properties\":{\"a\":{\"x-not-supported-yet\":true,\"$ref\":\"#/$defs/l\"}},\"$defs\":{\"l\":{\"type\":\"array\"}}}"
#define LATER_VALUE "{\"properties\":{\"a\":{\"x-not-supported-yet\":[\"C\"],\"enum\":[\"A\",\"B\",\"C\"]}}}"
#define LATER_DEFAULT "{\"properties\":{\"a\":{\"x-not-supported-yet\":true,\"default\":5}}}"
#define TREE "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"v\":{\"type\":\"integer\"},\"c\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}}," \
    "\"$defs\":{\"t\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"v\":{\"type\":\"integer\"},\"c\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}}}}}"

static const struct {
    const char *claim, *schema, *document, *want;
} rows[] = {
    {"true takes everything", "true", "[1]", ""},
    {"false takes nothing", "false", "1", ": must not be there"},
    {"no keyword takes everything", "{}", "null", ""},
    {"text", "{\"type\":\"string\"}", "\"a\"", ""},
    {"no text", "{\"type\":\"string\"}", "1", ": must be text"},
    {"no object", "{\"type\":\"object\"}", "[]", ": must be an object"},
    {"no list", "{\"type\":\"array\"}", "{}", ": must be a list"},
    {"a whole number is a number", "{\"type\":\"number\"}", "1", ""},
    {"a number need not be whole", "{\"type\":\"integer\"}", "1.0", ": must be a whole number"},
    {"a word is not true", "{\"type\":\"boolean\"}", "\"true\"", ": must be true or false"},
    {"null is no text", "{\"type\":\"string\"}", "null", ": must be text"},
    {"one of two types", "{\"type\":[\"string\",\"integer\"]}", "7", ""},
    {"none of two types", "{\"type\":[\"string\",\"integer\"]}", "[]", ": must be text or a whole number"},
    {"one of the words", "{\"enum\":[\"A\",\"B\"]}", "\"B\"", ""},
    {"none of the words", "{\"enum\":[\"A\",\"B\"]}", "\"b\"", ": must be one of A, B"},
    {"the constant", "{\"const\":{\"a\":[1]}}", "{\"a\":[1]}", ""},
    {"not the constant", "{\"const\":1}", "2", ": has another value than the only one that it may have"},
    {"pattern holds", "{\"pattern\":\"^[a-z]{1,3}$\"}", "\"abc\"", ""},
    {"pattern fails", "{\"pattern\":\"^[a-z]{1,3}$\"}", "\"abcd\"", ": must match ^[a-z]{1,3}$"},
    {"an anchor is not at a line's end", "{\"pattern\":\"^a$\"}", "\"a\\nb\"", ": must match ^a$"},
    {"pattern is for text", "{\"pattern\":\"^a$\"}", "5", ""},
    {"at least", "{\"minimum\":1}", "1", ""},
    {"below", "{\"minimum\":1}", "0", ": must be at least 1"},
    {"at most", "{\"maximum\":1000000}", "1000000", ""},
    {"above", "{\"maximum\":1000000}", "1000000.5", ": must be at most 1000000"},
    {"length is in characters", "{\"maxLength\":2}", "\"\xc3\xa4\xc3\xb6\"", ""},
    {"too long", "{\"maxLength\":2}", "\"abc\"", ": must have at most 2 characters"},
    {"empty", "{\"minLength\":1}", "\"\"", ": must not be empty"},
    {"too short", "{\"minLength\":2}", "\"a\"", ": must have at least 2 characters"},
    {"entries are looked at", "{\"items\":{\"type\":\"integer\"}}", "[1,\"a\",2,null]", "/1: must be a whole number; /3: must be a whole number"},
    {"too few entries", "{\"minItems\":1}", "[]", ": must not be empty"},
    {"too many entries", "{\"maxItems\":1}", "[1,2]", ": must have at most 1 entries"},
    {"an entry twice", "{\"uniqueItems\":true}", "[1,{\"a\":1},1,{\"a\":1}]", "/2: is there twice; /3: is there twice"},
    {"text and number differ", "{\"uniqueItems\":true}", "[1,\"1\"]", ""},
    {"required", "{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "/b: is required"},
    {"unknown key", "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":1,\"c\":1}", "/b: unknown key; /c: unknown key"},
    {"others have a schema", "{\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":\"x\",\"b\":1}", "/b: must be text"},
    {"others are welcome", "{\"properties\":{\"a\":true}}", "{\"b\":1}", ""},
    {"exactly one key", "{\"minProperties\":1,\"maxProperties\":1}", "{\"a\":1,\"b\":1}", ": must have exactly 1 of its keys"},
    {"too few keys", "{\"minProperties\":1}", "{}", ": must have at least 1 of its keys"},
    {"a pointer is escaped", "{\"additionalProperties\":false}", "{\"a/b~c\":1}", "/a~1b~0c: unknown key"},
    {"a reference", "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/x\"}},\"$defs\":{\"x\":{\"type\":\"integer\"}}}", "{\"a\":\"\"}", "/a: must be a whole number"},
    {"beside a reference both hold", "{\"minimum\":5,\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"maximum\":7}}}", "9", ": must be at most 7"},
    {"a recursive reference", TREE, "{\"c\":[{\"v\":1,\"c\":[{\"v\":\"x\"}]},{\"w\":1}]}", "/c/0/c/0/v: must be a whole number; /c/1/w: unknown key"},
    {"any of two", "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "6", ""},
    {"none of two", "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "4", ": has none of the forms that it may have"},
    {"later: absent", LATER, "{}", ""},
    {"later: empty", LATER, "{\"a\":{}}", ""},
    {"later: an empty filter", LATER, "{\"a\":{\"all\":[]}}", ""},
    {"later: another empty group is none", LATER, "{\"a\":{\"any\":[]}}", "/a: not supported yet"},
    {"later: not empty, and not looked into", LATER, "{\"a\":{\"c\":1}}", "/a: not supported yet"},
    {"later: empty, but of another type", LATER, "{\"a\":[]}", "/a: must be an object"},
    {"later: null is not empty", LATER, "{\"a\":null}", "/a: not supported yet"},
    {"later: the type of a reference", LATER_LIST, "{\"a\":{}}", "/a: must be a list"},
    {"later: an empty list", LATER_LIST, "{\"a\":[]}", ""},
    {"later: a list", LATER_LIST, "{\"a\":[1]}", "/a: not supported yet"},
    {"later: the default", LATER_DEFAULT, "{\"a\":5}", ""},
    {"later: another value", LATER_DEFAULT, "{\"a\":6}", "/a: not supported yet"},
    {"later: zero is a value", LATER_DEFAULT, "{\"a\":0}", "/a: not supported yet"},
    {"later: a value that is known", LATER_VALUE, "{\"a\":\"C\"}", "/a: not supported yet"},
    {"later: a value of today", LATER_VALUE, "{\"a\":\"B\"}", ""},
    {"later: no value at all", LATER_VALUE, "{\"a\":\"D\"}", "/a: must be one of A, B, C"},
};

static void keywords_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = judge(rows[i].schema, rows[i].document);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: got \"%s\", not \"%s\"", rows[i].claim, got, rows[i].want);
    }
}

static const struct {
    const char *claim, *schema, *part;
} bad_schemas[] = {
    {"not JSON", "{", "expected"},
    {"a keyword that we do not understand", "{\"oneOf\":[]}", "oneOf"},
    {"one deep inside", "{\"properties\":{\"a\":{\"items\":{\"contains\":1}}}}", "contains"},
    {"a reference that leads nowhere", "{\"$ref\":\"#/$defs/x\"}", "#/$defs/x"},
    {"a reference to elsewhere", "{\"$ref\":\"http://example.com/\"}", "leads nowhere"},
    {"a reference to itself", "{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"$ref\":\"#/$defs/x\"}}}", "back to itself"},
    {"a pattern that does not compile", "{\"pattern\":\"(\"}", "does not compile"},
    {"a schema that is a number", "{\"items\":5}", "neither"},
};

static void bad_schemas_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_schemas / sizeof *bad_schemas; i++) {
        struct error err = {""};

        if (schema_new(span_of(bad_schemas[i].schema), &err) != NULL || strstr(err.text, bad_schemas[i].part) == NULL)
            fail_msg("%s: got \"%s\"", bad_schemas[i].claim, err.text);
    }
}

static void keys_follow_the_schema(void **state)
{
    static const char schema_text[] = "{\"properties\":{\"id\":true,\"list\":{\"items\":{\"$ref\":\"#/$defs/x\"}},\"a\":true},"
                                      "\"$defs\":{\"x\":{\"properties\":{\"z\":true,\"y\":true}}}}";
    static const char document_text[] = "{\"other\":{\"q\":1,\"p\":2},\"a\":1,\"list\":[{\"y\":1,\"z\":2},5],\"id\":\"i\"}";
    struct schema *schema = schema_new(span_of(schema_text), NULL);
    struct json *document = json_parse(span_of(document_text), NULL), *arranged;
    struct buf *out = buf_new(64);

    (void)state;
    arranged = schema_arranged(schema, document);
    json_print(arranged, out);
    assert_string_equal(buf_text(out), "{\"id\":\"i\",\"list\":[{\"z\":2,\"y\":1},5],\"a\":1,\"other\":{\"q\":1,\"p\":2}}");
    buf_free(&out);
    json_free(&arranged);
    json_free(&document);
    schema_free(&schema);
}

/* Our own schema is right, whole, and every key of it says what it is for. */
static void each_key_is_explained(struct json *node, const char *above)
{
    struct json *value;
    const char *key;
    void *iter = NULL;

    while (json_each(json_get(node, "properties"), &iter, &key, &value)) {
        if (json_get(value, "title") == NULL && json_get(value, "$ref") == NULL && json_get(value, "items") == NULL &&
            json_get(value, "enum") == NULL && json_get(value, "type") == NULL)
            fail_msg("%s/%s says nothing", above, key);
        each_key_is_explained(value, key);
        if (json_get(value, "items") != NULL)
            each_key_is_explained(json_get(value, "items"), key);
    }
}

static void our_schema_is_right(void **state)
{
    struct complaints *list = complaints_new();
    struct json *empty = json_new_object();

    (void)state;
    assert_non_null(document_schema());
    schema_check(document_schema(), empty, list);
    assert_int_equal(list->count, 0);
    json_free(&empty);
    complaints_free(&list);
}

static void our_keys_are_explained(void **state)
{
    struct json *root = json_parse(embed_find("proto/config.schema.json"), NULL), *node;
    const char *key;
    void *iter = NULL;

    (void)state;
    assert_non_null(root);
    each_key_is_explained(root, "");
    while (json_each(json_get(root, "$defs"), &iter, &key, &node))
        each_key_is_explained(node, key);
    json_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keywords_hold),       cmocka_unit_test(bad_schemas_are_refused), cmocka_unit_test(keys_follow_the_schema),
        cmocka_unit_test(our_schema_is_right), cmocka_unit_test(our_keys_are_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
