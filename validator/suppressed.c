#include "validator/suppressed.h"

#include "common/map.h"
#include "common/must.h"

#include <stdlib.h>
#include <string.h>

enum { ERRORS_MOST = 100 };

struct hit {
    struct uuid key;
    int64_t list;
    struct hit *next; /* of the same key */
};

struct hits {
    struct arena *arena;
    struct map *by_key;
};

struct hits *hits_new(struct arena *arena)
{
    struct hits *hits = arena_alloc(arena, sizeof *hits);

    hits->arena = arena;
    hits->by_key = map_new();
    return hits;
}

void hits_free(struct hits **hits)
{
    if (*hits != NULL)
        map_free(&(*hits)->by_key);
    *hits = NULL;
}

void hits_add(struct hits *hits, struct uuid key, int64_t list)
{
    struct hit *hit = arena_alloc(hits->arena, sizeof *hit);

    *hit = (struct hit){.key = key, .list = list};
    hit->next = map_put(hits->by_key, uuid_span(&hit->key), hit);
}

static bool has(const struct hits *hits, const struct uuid *key, int64_t list)
{
    const struct hit *hit = map_get(hits->by_key, uuid_span(key));

    while (hit != NULL && hit->list != list)
        hit = hit->next;
    return hit != NULL;
}

static bool is_on(const struct hits *hits, const struct listed_value *value, int64_t list)
{
    return has(hits, &value->keys.sha256, list) || has(hits, &value->keys.md5, list);
}

void sought_init(struct sought *sought, size_t values)
{
    struct uuid *room = must_alloc(SUPPRESSION_KINDS * (values + 1) * sizeof *room);

    for (size_t kind = 0; kind < SUPPRESSION_KINDS; kind++) {
        sought->keys[kind] = room + kind * (values + 1);
        sought->counts[kind] = 0;
    }
}

void sought_add(struct sought *sought, const struct listed_value *value)
{
    enum suppression_kind md5 = suppression_kind_of(value->type, true), sha256 = suppression_kind_of(value->type, false);

    sought->keys[md5][sought->counts[md5]++] = value->keys.md5;
    sought->keys[sha256][sought->counts[sha256]++] = value->keys.sha256;
}

void sought_free(struct sought *sought)
{
    free(sought->keys[0]);
}

/* Phone or e-mail? Returns false when it is neither. */
static bool type_of(const struct campaign *campaign, struct span name, enum field_type *type)
{
    const struct field_spec *spec = campaign_field(campaign, name);
    const struct system_field *system = system_field_find(name);

    *type = spec != NULL ? spec->type : FIELD_STRING;
    if (*type != FIELD_PHONE && *type != FIELD_EMAIL && system != NULL)
        *type = system->type;
    return *type == FIELD_PHONE || *type == FIELD_EMAIL;
}

size_t suppressed_values(struct arena *arena, const struct verdict *verdict, struct listed_value **values)
{
    const struct field_list *normal = &verdict->normal;
    size_t count = 0;

    *values = NULL;
    if (verdict->reason != REASON_NONE || verdict->campaign == NULL || verdict->campaign->suppression_count == 0)
        return 0;
    for (size_t i = 0; i < normal->count; i++) {
        enum field_type type;

        if (!type_of(verdict->campaign, normal->items[i].name, &type))
            continue;
        if (*values == NULL)
            *values = arena_alloc(arena, (normal->count - i) * sizeof **values);
        (*values)[count].field = normal->items[i].name;
        (*values)[count].type = type;
        count += suppression_keys_of(arena, type, normal->items[i].text, &(*values)[count].keys);
    }
    return count;
}

static void complain(struct arena *arena, struct verdict *verdict, struct span field, struct span list_id)
{
    struct field_errors *errors = &verdict->errors;

    if (errors->count == 0)
        errors->items = arena_alloc(arena, ERRORS_MOST * sizeof *errors->items);
    verdict->reason = REASON_SUPPRESSED;
    if (errors->count < ERRORS_MOST)
        errors->items[errors->count++] = (struct field_error){
            .field = field, .code = SPAN("suppressed"), .op = SPAN("NOT ON LIST"),
            .message = arena_printf(arena, "is on suppression list %.*s", SPAN_FMT(list_id)),
        };
}

struct span suppressed_judge(struct arena *arena, const struct hits *hits, const struct listed_value *values, size_t count,
                             struct verdict *verdict)
{
    const struct campaign *campaign = verdict->campaign;
    struct span others = {NULL, 0};

    for (size_t i = 0; i < campaign->suppression_count; i++) {
        const struct suppression_use *use = &campaign->suppression[i];
        bool is_hit = false;

        for (size_t j = 0; j < count; j++) {
            if (!is_on(hits, &values[j], use->number))
                continue;
            is_hit = true;
            if (use->is_of_campaign)
                complain(arena, verdict, values[j].field, use->list_id);
        }
        if (is_hit && !use->is_of_campaign)
            others = others.len == 0 ? use->list_id :
                arena_printf(arena, "%.*s %.*s", SPAN_FMT(others), SPAN_FMT(use->list_id));
    }
    return verdict->reason == REASON_NONE ? others : (struct span){NULL, 0};
}
