#include "proto/catalog.h"

#include "common/arena.h"
#include "common/must.h"

#include <stdlib.h>
#include <string.h>

void catalog_free(struct catalog **catalog)
{
    if (*catalog == NULL)
        return;
    for (size_t i = 0; i < (*catalog)->pattern_count; i++)
        pattern_free(&(*catalog)->patterns[i]);
    free((*catalog)->patterns);
    arena_free(&(*catalog)->arena);
    free(*catalog);
    *catalog = NULL;
}

void catalog_keep_pattern(struct catalog *catalog, struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    if (catalog->pattern_count == catalog->pattern_room) {
        catalog->pattern_room = catalog->pattern_room > 0 ? 2 * catalog->pattern_room : 16;
        catalog->patterns = must_realloc(catalog->patterns, catalog->pattern_room * sizeof *catalog->patterns);
    }
    catalog->patterns[catalog->pattern_count++] = pattern;
}

int distribution_of(struct span word)
{
    static const char *const words[] = {
        [DISTRIBUTION_WATERFALL] = "WATERFALL", [DISTRIBUTION_ROUND_ROBIN] = "ROUND_ROBIN", [DISTRIBUTION_WEIGHTED] = "WEIGHTED",
        [DISTRIBUTION_HIGHEST_BID] = "HIGHEST_BID",
    };

    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
        if (span_is(word, words[i]))
            return i;
    return -1;
}

bool distribution_has_turns(enum distribution distribution)
{
    return distribution == DISTRIBUTION_ROUND_ROBIN || distribution == DISTRIBUTION_WEIGHTED;
}

/* All lists begin their entries with a span that they are sorted by. */
static const void *find(const void *list, size_t count, size_t size, struct span id)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct span *entry = (const struct span *)((const char *)list + middle * size);
        int order = span_compare(id, *entry);

        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct supplier *catalog_supplier(const struct catalog *catalog, struct span id)
{
    return find(catalog->suppliers, catalog->supplier_count, sizeof *catalog->suppliers, id);
}

const struct buyer *catalog_buyer(const struct catalog *catalog, struct span id)
{
    return find(catalog->buyers, catalog->buyer_count, sizeof *catalog->buyers, id);
}

const struct campaign *catalog_campaign(const struct catalog *catalog, struct span id)
{
    return find(catalog->campaigns, catalog->campaign_count, sizeof *catalog->campaigns, id);
}

const struct source *campaign_source(const struct campaign *campaign, struct span supplier_id)
{
    return find(campaign->sources, campaign->source_count, sizeof *campaign->sources, supplier_id);
}

const struct zone *catalog_clock(const struct catalog *catalog, struct span name)
{
    return find(catalog->clocks, catalog->clock_count, sizeof *catalog->clocks, name);
}

const struct field_spec *campaign_field(const struct campaign *campaign, struct span name)
{
    return find(campaign->fields, campaign->field_count, sizeof *campaign->fields, name);
}

static int by_hash(const void *key, const void *entry)
{
    return memcmp(key, ((const struct api_key *)entry)->sha256, 32);
}

const struct supplier *catalog_key(const struct catalog *catalog, const uint8_t sha256[32])
{
    const struct api_key *key = catalog->key_count == 0 ? NULL :
        bsearch(sha256, catalog->keys, catalog->key_count, sizeof *catalog->keys, by_hash);

    return key != NULL ? key->supplier : NULL;
}
