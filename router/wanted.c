#include "router/wanted.h"

#include "common/must.h"

#include <stdlib.h>
#include <string.h>

struct counter_wish {
    int64_t id;
    size_t zone;
};

static void wish(struct counter_wish *wishes, size_t *count, const struct cap_owner *owner)
{
    if (owner->counter_id != 0)
        wishes[(*count)++] = (struct counter_wish){owner->counter_id, owner->zone};
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct counter_wish *)a)->id, y = ((const struct counter_wish *)b)->id;

    return (x > y) - (x < y);
}

static int by_uuid(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

static void collect_counters(struct arena *arena, const struct plan *plans, size_t count, struct wanted *wanted)
{
    size_t most = 0, wish_count = 0;
    struct counter_wish *wishes;

    for (size_t i = 0; i < count; i++)
        most += 3 + 2 * plans[i].eligible_count;
    wishes = must_alloc(most * sizeof *wishes);
    for (size_t i = 0; i < count; i++) {
        if (plans[i].verdict != REASON_NONE || plans[i].ping_fault != REASON_NONE)
            continue;
        wish(wishes, &wish_count, &plans[i].source->caps);
        wish(wishes, &wish_count, &plans[i].source->supplier->caps);
        wish(wishes, &wish_count, &plans[i].campaign->caps);
        for (size_t j = 0; j < plans[i].eligible_count; j++) {
            wish(wishes, &wish_count, &plans[i].candidates[j].contract->caps);
            wish(wishes, &wish_count, &plans[i].candidates[j].contract->buyer->caps);
        }
    }
    qsort(wishes, wish_count, sizeof *wishes, by_id);
    wanted->counter_ids = arena_alloc(arena, wish_count * sizeof *wanted->counter_ids);
    wanted->counter_zones = arena_alloc(arena, wish_count * sizeof *wanted->counter_zones);
    for (size_t i = 0; i < wish_count; i++)
        if (i == 0 || wishes[i].id != wishes[i - 1].id) {
            wanted->counter_ids[wanted->counter_count] = wishes[i].id;
            wanted->counter_zones[wanted->counter_count++] = wishes[i].zone;
        }
    free(wishes);
}

static void collect_sold_keys(const struct plan *plan, struct wanted *wanted)
{
    for (size_t i = 0; i < plan->sold_keys_count; i++)
        for (size_t j = 0; j < plan->sold_keys[i].buyer->duplicate_count; j++)
            if (!uuid_is_nil(&plan->sold_keys[i].keys[j].key))
                wanted->duplicate_keys[wanted->duplicate_key_count++] = plan->sold_keys[i].keys[j].key;
}

void wanted_collect(struct arena *arena, const struct plan *plans, size_t count, bool reads_all_ids, struct wanted *wanted)
{
    size_t keys = 0;

    memset(wanted, 0, sizeof *wanted);
    collect_counters(arena, plans, count, wanted);
    for (size_t i = 0; i < count; i++) {
        keys += plans[i].key_count;
        for (size_t j = 0; j < plans[i].sold_keys_count; j++)
            keys += plans[i].sold_keys[j].buyer->duplicate_count;
    }
    wanted->duplicate_keys = arena_alloc(arena, keys * sizeof *wanted->duplicate_keys);
    wanted->idempotency_keys = arena_alloc(arena, count * sizeof *wanted->idempotency_keys);
    wanted->lead_ids = arena_alloc(arena, count * sizeof *wanted->lead_ids);
    wanted->ping_ids = arena_alloc(arena, count * sizeof *wanted->ping_ids);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < plans[i].key_count; j++)
            wanted->duplicate_keys[wanted->duplicate_key_count++] = plans[i].keys[j].key;
        collect_sold_keys(&plans[i], wanted);
        if (!uuid_is_nil(&plans[i].lead->idempotency_key))
            wanted->idempotency_keys[wanted->idempotency_key_count++] = plans[i].lead->idempotency_key;
        if (plans[i].ping != NULL)
            wanted->ping_ids[wanted->ping_id_count++] = plans[i].ping->ping_id;
        if (reads_all_ids || plans[i].lead->is_resent)
            wanted->lead_ids[wanted->lead_id_count++] = plans[i].lead->id;
    }
    qsort(wanted->lead_ids, wanted->lead_id_count, sizeof *wanted->lead_ids, by_uuid);
}
