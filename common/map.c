#include "common/map.h"

#include "common/must.h"

#include <stdlib.h>

struct slot {
    struct span key;
    uint64_t hash;
    void *value; /* NULL: free */
};

struct map {
    struct slot *slots;
    size_t room; /* a power of two */
    size_t count;
};

uint64_t map_hash(struct span key, uint64_t seed)
{
    uint64_t hash = 0xcbf29ce484222325u ^ seed;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (uint8_t)key.ptr[i]) * 0x100000001b3u;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ hash >> 33;
}

struct map *map_new(void)
{
    struct map *map = must_zalloc(sizeof *map);

    map->room = 16;
    map->slots = must_zalloc(map->room * sizeof *map->slots);
    return map;
}

void map_free(struct map **map)
{
    if (*map != NULL) {
        free((*map)->slots);
        free(*map);
        *map = NULL;
    }
}

/* Where the key is, or the free slot where it would go. */
static struct slot *find(const struct map *map, struct span key, uint64_t hash)
{
    size_t at = hash & (map->room - 1);

    while (map->slots[at].value != NULL && (map->slots[at].hash != hash || !span_equal(map->slots[at].key, key)))
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

static void grow(struct map *map)
{
    struct slot *old = map->slots;
    size_t room = map->room;

    map->room = room * 2;
    map->slots = must_zalloc(map->room * sizeof *map->slots);
    for (size_t i = 0; i < room; i++)
        if (old[i].value != NULL)
            *find(map, old[i].key, old[i].hash) = old[i];
    free(old);
}

void *map_get(const struct map *map, struct span key)
{
    return map->count > 0 ? find(map, key, map_hash(key, 0))->value : NULL;
}

void *map_put(struct map *map, struct span key, void *value)
{
    uint64_t hash = map_hash(key, 0);
    struct slot *slot;
    void *before;

    must(value != NULL);
    if (map->count * 2 >= map->room)
        grow(map);
    slot = find(map, key, hash);
    before = slot->value;
    map->count += before == NULL;
    *slot = (struct slot){key, hash, value};
    return before;
}

void *map_remove(struct map *map, struct span key)
{
    struct slot *slot = find(map, key, map_hash(key, 0));
    void *before = slot->value;
    size_t hole = (size_t)(slot - map->slots), at = hole;

    if (before == NULL)
        return NULL;
    map->count--;
    for (;;) { /* close the hole: move back whoever would not be found any more */
        map->slots[hole].value = NULL;
        for (;;) {
            size_t home;

            at = (at + 1) & (map->room - 1);
            if (map->slots[at].value == NULL)
                return before;
            home = map->slots[at].hash & (map->room - 1);
            if (((at - home) & (map->room - 1)) >= ((at - hole) & (map->room - 1)))
                break;
        }
        map->slots[hole] = map->slots[at];
        hole = at;
    }
}

size_t map_count(const struct map *map)
{
    return map->count;
}

void *map_next(const struct map *map, size_t *at)
{
    while (*at < map->room) {
        struct slot *slot = &map->slots[(*at)++];

        if (slot->value != NULL)
            return slot->value;
    }
    return NULL;
}
