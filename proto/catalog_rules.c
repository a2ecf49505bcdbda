#include "proto/catalog_rules.h"

#include "proto/filter_read.h"
#include "proto/money.h"

/* Offsets of the zones and their changes, from yesterday until well after CLOCKS_MS; zones change at quarters of an hour. */
#define CLOCKS(zones)                                                                                                          \
    "SELECT name, extract(epoch FROM at)::int8, offset_s FROM (SELECT name, at, offset_s, lag(offset_s) OVER (PARTITION BY name ORDER BY at) AS before" \
    " FROM (SELECT name, at, extract(epoch FROM (at AT TIME ZONE name) - (at AT TIME ZONE 'UTC'))::int8 AS offset_s"           \
    " FROM (" zones ") z (name), generate_series(date_trunc('hour', now()) - interval '1 day', now() + interval '9 days',"     \
    " interval '15 minutes') AS at) o) c WHERE before IS DISTINCT FROM offset_s ORDER BY name COLLATE \"C\", at"
#define OWN_ZONE "SELECT coalesce(doc->>'time_zone', 'UTC') FROM installation"

const char catalog_clock_sql[] = CLOCKS(OWN_ZONE);
const char catalog_clocks_sql[] = CLOCKS(OWN_ZONE " UNION SELECT doc->>'time_zone' FROM buyer WHERE doc->>'time_zone' IS NOT NULL");

void catalog_read_clocks(struct catalog *catalog, const struct db_rows *rows)
{
    struct zone_change *changes = arena_alloc(catalog->arena, (size_t)db_count(rows) * sizeof *changes);

    catalog->clocks = arena_alloc(catalog->arena, (size_t)db_count(rows) * sizeof *catalog->clocks);
    for (int i = 0; i < db_count(rows); i++) {
        struct zone *zone = catalog->clock_count > 0 ? &catalog->clocks[catalog->clock_count - 1] : NULL;

        changes[i] = (struct zone_change){db_int(rows, i, 1), db_int(rows, i, 2)};
        if (zone == NULL || !span_equal(zone->name, db_text(rows, i, 0))) {
            zone = &catalog->clocks[catalog->clock_count++];
            zone->name = arena_copy(catalog->arena, db_text(rows, i, 0));
            zone->changes = &changes[i];
        }
        zone->change_count++;
    }
}

/* The filter under that key; NULL when there is none, everybody passes it, or it cannot be read. */
static const struct filter *filter_of(struct catalog *catalog, const struct campaign *campaign, const struct json *doc, const char *key,
                                      struct complaints *list)
{
    struct place place = {NULL, key, 0};
    struct json *its = json_get(doc, key);
    const struct filter *filter = its != NULL ? filter_read(catalog, campaign, its, &place, list) : NULL;

    return filter != NULL && filter->kind == FILTER_ALL && filter->part_count == 0 && filter->schedule == NULL ? NULL : filter;
}

void catalog_read_inbound(struct catalog *catalog, struct campaign *campaign, const struct json *doc, struct complaints *list)
{
    campaign->inbound = filter_of(catalog, campaign, doc, "inbound_filters", list);
}

static void read_prices(struct catalog *catalog, const struct campaign *campaign, struct contract *contract, const struct json *rules,
                        struct complaints *list)
{
    static const struct place prices = {NULL, "price_rules", 0};

    contract->price_rule_count = json_count(rules);
    contract->price_rules = arena_alloc(catalog->arena, contract->price_rule_count * sizeof *contract->price_rules);
    for (size_t i = 0; i < contract->price_rule_count; i++) {
        struct price_rule *rule = &contract->price_rules[i];

        rule->filter = filter_of(catalog, campaign, json_at(rules, i), "filter", list);
        contract->is_timed |= rule->filter != NULL && rule->filter->is_timed;
        if (money_parse(json_get_text(json_at(rules, i), "price"), &rule->price_cents) != 0)
            complain(list, &prices, "unreadable price");
    }
}

void catalog_read_rules(struct catalog *catalog, struct campaign *campaign, struct contract *contract, const struct json *doc,
                        struct complaints *list)
{
    static const struct place place = {NULL, "schedule", 0};
    struct json *schedule = json_get(doc, "schedule");

    contract->filters = filter_of(catalog, campaign, doc, "filters", list);
    contract->is_timed = contract->filters != NULL && contract->filters->is_timed;
    if (json_count(schedule) > 0) {
        contract->schedule = schedule_read(catalog->arena, schedule, &place, list);
        contract->is_timed = true;
    }
    read_prices(catalog, campaign, contract, json_get(doc, "price_rules"), list);
    campaign->has_rules |= contract->filters != NULL || contract->price_rule_count > 0;
    campaign->is_timed |= contract->is_timed;
}
