/* document_filters.c - filters, price rules and schedules: whatever compiles here can be read by the stages. */
#include "leadctl/document_check.h"

#include "common/must.h"
#include "proto/field_options.h"
#include "proto/filter_read.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    return span_compare(((const struct field_spec *)a)->name, ((const struct field_spec *)b)->name);
}

/* The values of a list, in the forms that its leads have. What is wrong with its options is told elsewhere. */
static void read_values(struct arena *arena, const struct json *field, struct field_spec *spec)
{
    struct complaints *told = complaints_new();

    if (spec->type == FIELD_LIST)
        field_options_read(arena, field, spec, told, NULL);
    pattern_free(&spec->pattern);
    complaints_free(&told);
}

/* The campaign's fields as far as filters need them; what is wrong with them is told elsewhere. */
static void read_fields(struct arena *arena, const struct json *list, struct campaign *campaign)
{
    size_t system_count, own_count = list != NULL && json_kind(list) == JSON_LIST ? json_count(list) : 0;
    const struct system_field *system = system_fields(&system_count);

    campaign->fields = arena_alloc(arena, (system_count + own_count) * sizeof *campaign->fields);
    for (size_t i = 0; i < system_count; i++)
        campaign->fields[i] = (struct field_spec){.name = span_of(system[i].name), .type = system[i].type};
    campaign->field_count = system_count;
    for (size_t i = 0; i < own_count; i++) {
        const struct json *field = json_at(list, i);
        int type = field_type_of(json_get_text(field, "type"));
        struct field_spec *spec = NULL;

        for (size_t j = 0; j < system_count && spec == NULL; j++)
            if (span_equal(campaign->fields[j].name, json_get_text(field, "name")))
                spec = &campaign->fields[j];
        if (spec == NULL) {
            spec = &campaign->fields[campaign->field_count++];
            *spec = (struct field_spec){.name = json_get_text(field, "name"), .type = FIELD_STRING};
        }
        spec->type = type >= 0 ? (enum field_type)type : spec->type;
        read_values(arena, field, spec);
    }
    qsort(campaign->fields, campaign->field_count, sizeof *campaign->fields, by_name);
}

static void check_filter(struct catalog *into, const struct campaign *campaign, const struct json *owner, const char *key,
                         const struct place *above, struct complaints *list)
{
    struct place place = {above, key, 0};
    struct json *filter = json_get(owner, key);

    if (filter != NULL)
        filter_read(into, campaign, filter, &place, list);
}

static void check_contract(struct catalog *into, const struct campaign *campaign, const struct json *contract, const struct place *place,
                           struct complaints *list)
{
    struct place rules = {place, "price_rules", 0}, schedule = {place, "schedule", 0};
    struct json *rule;

    check_filter(into, campaign, contract, "filters", place, list);
    EACH(rule, at, json_get(contract, "price_rules"), &rules)
        check_filter(into, campaign, rule, "filter", &at, list);
    if (json_get(contract, "schedule") != NULL)
        schedule_read(into->arena, json_get(contract, "schedule"), &schedule, list);
}

void document_check_filters(struct check *check, const struct json *campaign, const struct place *place)
{
    struct place contracts = {place, "contracts", 0};
    struct catalog *into = must_zalloc(sizeof *into);
    struct complaints *list = complaints_new();
    struct campaign fields = {.field_count = 0};
    struct json *contract;

    into->arena = arena_new();
    read_fields(into->arena, json_get(campaign, "fields"), &fields);
    check_filter(into, &fields, campaign, "inbound_filters", place, list);
    EACH(contract, at, json_get(campaign, "contracts"), &contracts)
        check_contract(into, &fields, contract, &at, list);
    complaints_merge(check->list, list);
    complaints_free(&list);
    catalog_free(&into);
}
