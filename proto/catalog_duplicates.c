#include "proto/catalog_duplicates.h"

#include "proto/key.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static struct duplicate_rule read_rule(struct arena *arena, const struct json *doc)
{
    const struct json *names = json_get(doc, "fields");
    struct duplicate_rule rule = {.field_count = json_count(names), .window_days = json_get_integer(doc, "window_days", 30)};

    rule.fields = arena_alloc(arena, rule.field_count * sizeof *rule.fields);
    for (size_t i = 0; i < rule.field_count; i++)
        rule.fields[i] = arena_copy(arena, json_text(json_at(names, i)));
    qsort(rule.fields, rule.field_count, sizeof *rule.fields, by_text);
    return rule;
}

void catalog_read_duplicates(struct catalog *catalog, struct campaign *campaign, const struct json *doc)
{
    const struct json *list = json_get(doc, "duplicates");

    campaign->duplicates_against = span_is(json_get_text(doc, "duplicates_against"), "all") ? AGAINST_ALL : AGAINST_ACCEPTED;
    campaign->duplicate_count = json_count(list);
    campaign->duplicates = arena_alloc(catalog->arena, campaign->duplicate_count * sizeof *campaign->duplicates);
    for (size_t i = 0; i < campaign->duplicate_count; i++)
        campaign->duplicates[i] = read_rule(catalog->arena, json_at(list, i));
}

bool duplicate_rule_has_fields_of(const struct duplicate_rule *a, const struct duplicate_rule *b)
{
    for (size_t i = 0; a->field_count == b->field_count && i < a->field_count; i++)
        if (!span_equal(a->fields[i], b->fields[i]))
            return false;
    return a->field_count == b->field_count;
}

/* The buyer's rule over these fields, which looks back as far as this one at least: its index. */
static size_t rule_of_buyer(struct arena *arena, struct buyer *buyer, const struct duplicate_rule *rule)
{
    struct duplicate_rule *rules;

    for (size_t i = 0; i < buyer->duplicate_count; i++) {
        if (!duplicate_rule_has_fields_of(&buyer->duplicates[i], rule))
            continue;
        if (rule->window_days > buyer->duplicates[i].window_days)
            buyer->duplicates[i].window_days = rule->window_days;
        return i;
    }
    rules = arena_alloc(arena, (buyer->duplicate_count + 1) * sizeof *rules);
    if (buyer->duplicate_count > 0)
        memcpy(rules, buyer->duplicates, buyer->duplicate_count * sizeof *rules);
    rules[buyer->duplicate_count] = *rule;
    buyer->duplicates = rules;
    return buyer->duplicate_count++;
}

void catalog_read_sold_duplicates(struct catalog *catalog, struct contract *contract, const struct json *doc)
{
    struct buyer *buyer = (struct buyer *)(uintptr_t)contract->buyer;
    const struct json *list = json_get(doc, "duplicates");

    contract->duplicate_count = json_count(list);
    if (contract->duplicate_count > 0 && buyer->duplicate_count == 0)
        buyer->duplicate_key = key_of_buyer(catalog->secret, buyer->id);
    contract->duplicates = arena_alloc(catalog->arena, contract->duplicate_count * sizeof *contract->duplicates);
    for (size_t i = 0; i < contract->duplicate_count; i++) {
        struct duplicate_rule rule = read_rule(catalog->arena, json_at(list, i));

        contract->duplicates[i] = (struct contract_duplicate){rule_of_buyer(catalog->arena, buyer, &rule), rule.window_days};
    }
}
