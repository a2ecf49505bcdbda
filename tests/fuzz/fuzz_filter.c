/*
 * fuzz_filter.c - any bytes as a filter, and behind a NUL as the fields that it judges: it compiles or says what is wrong, it can
 * be judged at any moment, always alike, and what failed is one of its rules.
 */
#include "common/must.h"
#include "proto/filter_read.h"
#include "proto/normal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define S(text) {(text), sizeof(text) - 1}

static struct span roofs[] = {S("tile"), S("metal")};
static struct field_spec specs[] = {
    {.name = S("age"), .type = FIELD_NUMBER}, {.name = S("city"), .type = FIELD_STRING},  {.name = S("email"), .type = FIELD_EMAIL},
    {.name = S("moved"), .type = FIELD_DATE}, {.name = S("owner"), .type = FIELD_BOOLEAN}, {.name = S("phone"), .type = FIELD_PHONE},
    {.name = S("roof"), .type = FIELD_LIST, .values = roofs, .value_count = 2}, {.name = S("site"), .type = FIELD_URL},
    {.name = S("state"), .type = FIELD_STATE}, {.name = S("zip_code"), .type = FIELD_ZIP},
};
enum { FIELDS = sizeof specs / sizeof *specs };
static const struct campaign campaign = {.fields = specs, .field_count = FIELDS};

/* The same text for every field that has a normal form of it. */
static struct field_list fields_of(struct arena *arena, struct span text)
{
    struct field_list list = {arena_alloc(arena, FIELDS * sizeof(struct field)), 0};
    struct field sent = {.kind = VALUE_TEXT, .text = text};
    const char *why;

    for (size_t i = 0; i < FIELDS; i++) {
        struct field form = {.name = specs[i].name};

        if (normal_value(arena, &specs[i], &sent, &form, &why) == NORMAL_OK && form.text.len > 0)
            list.items[list.count++] = form;
    }
    return list;
}

static void judge(struct catalog *catalog, const struct filter *filter, struct span text)
{
    struct field_list fields = fields_of(catalog->arena, text);
    struct filter_view view = {.arena = catalog->arena, .values = filter_values(catalog->arena, &campaign, &fields)};
    const struct filter *rules[FILTER_RULES_MOST];

    for (int64_t hour = 0; hour < 7 * 24; hour += 29) {
        struct filter_failures failures = {rules, FILTER_RULES_MOST, 0};
        bool has_passed;

        view.now = moment_at(NULL, hour * INT64_C(3600000000));
        has_passed = filter_judge(filter, &view, &failures);
        must(has_passed == filter_judge(filter, &view, NULL));
        must(has_passed || !filter_matches(filter, &view));
        must(has_passed || failures.count > 0);
        for (size_t i = 0; !has_passed && i < failures.count; i++)
            must(rules[i]->kind == FILTER_RULE && rules[i]->message.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = end != NULL ? (size_t)(end - data) : size;
    struct span text = {(const char *)data + len, size - len};
    struct catalog *catalog = must_zalloc(sizeof *catalog);
    struct complaints *list = complaints_new();
    struct error err;
    struct json *doc = json_parse((struct span){(const char *)data, len}, &err);
    const struct filter *filter = NULL;

    catalog->arena = arena_new();
    if (doc != NULL) {
        filter = filter_read(catalog, &campaign, doc, NULL, list);
        json_free(&doc);
        must((filter != NULL) == (list->count == 0));
    }
    if (filter != NULL)
        judge(catalog, filter, text.len > 0 ? (struct span){text.ptr + 1, text.len - 1} : SPAN("TX"));
    for (size_t i = 0; i < list->count; i++)
        must(list->items[i].sentence[0] != '\0');
    complaints_free(&list);
    catalog_free(&catalog);
    return 0;
}
