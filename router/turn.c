#include "router/turn.h"

#include <stdlib.h>

/* The eligible contracts of one buyer: a run of the turns while these are sorted by buyer. */
struct part {
    size_t first, count;
    int64_t weight;
};

static int by_buyer(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    int order = span_compare(x->buyer_id, y->buyer_id);

    return order != 0 ? order : span_compare(x->contract_id, y->contract_id);
}

static int by_owed(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    if (x->owed != y->owed)
        return x->owed > y->owed ? -1 : 1;
    return span_compare(x->contract_id, y->contract_id);
}

static int by_weight(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Needs 128 bits: unit, sells and a weight of a million. */
static int64_t share(int64_t sells, int64_t weight, int64_t sum)
{
    return (int64_t)((__int128)TURN_UNIT * sells * weight / sum);
}

static size_t find_parts(const struct turn *turns, size_t count, struct part *parts)
{
    size_t part_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !span_equal(turns[i].buyer_id, turns[i - 1].buyer_id))
            parts[part_count++] = (struct part){.first = i};
        parts[part_count - 1].count++;
        parts[part_count - 1].weight += turns[i].weight;
    }
    return part_count;
}

/* Adds shares of `sells` leads to the contracts of this part. Returns what it gave. */
static int64_t give(struct turn *turns, const struct part *part, int64_t sells, int64_t sum)
{
    int64_t given = 0;

    for (size_t i = part->first; i < part->first + part->count; i++) {
        int64_t units = share(sells, turns[i].weight, sum);

        turns[i].owed = turns[i].credit + units;
        given += units;
    }
    return given;
}

int64_t turn_owe(struct arena *arena, struct turn *turns, size_t count, int64_t sells)
{
    struct part *parts = arena_alloc(arena, count * sizeof *parts);
    size_t part_count, at = 0;
    int64_t sum = 0, owes, left;

    if (count == 0)
        return 0;
    qsort(turns, count, sizeof *turns, by_buyer);
    part_count = find_parts(turns, count, parts);
    qsort(parts, part_count, sizeof *parts, by_weight);
    if (sells > (int64_t)part_count)
        sells = (int64_t)part_count;
    owes = sells;
    for (size_t i = 0; i < part_count; i++)
        sum += parts[i].weight;
    left = sells * TURN_UNIT;
    /* The heaviest first: who would get one lead or more gets one, and the others share the rest. */
    for (; at < part_count && sells * parts[at].weight >= sum; at++) {
        left -= give(turns, &parts[at], 1, parts[at].weight);
        sum -= parts[at].weight;
        sells--;
    }
    for (; at < part_count; at++)
        left -= give(turns, &parts[at], sells, sum);
    for (size_t i = 0; left > 0; i++, left--)
        turns[i].owed++;
    qsort(turns, count, sizeof *turns, by_owed);
    return owes;
}
