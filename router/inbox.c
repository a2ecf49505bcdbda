#include "router/inbox.h"

#include "common/clock.h"
#include "common/map.h"
#include "common/must.h"

#include <stdlib.h>

struct hold {
    struct arena *arena;
    size_t users;
};

struct inbox {
    struct map *in_hand; /* entries by id */
    struct entry *first, **last;
    size_t waiting;
    size_t bytes;
};

struct inbox *inbox_new(void)
{
    struct inbox *inbox = must_zalloc(sizeof *inbox);

    inbox->in_hand = map_new();
    inbox->last = &inbox->first;
    return inbox;
}

void inbox_free(struct inbox **inbox)
{
    struct entry *entry;

    if (*inbox == NULL)
        return;
    while ((entry = inbox_take(*inbox, 1, 0)) != NULL)
        inbox_done(*inbox, &entry);
    map_free(&(*inbox)->in_hand);
    free(*inbox);
    *inbox = NULL;
}

struct hold *hold_new(struct arena **arena)
{
    struct hold *hold = must_zalloc(sizeof *hold);

    hold->arena = *arena;
    hold->users = 1;
    *arena = NULL;
    return hold;
}

void hold_release(struct hold **hold)
{
    if (--(*hold)->users == 0) {
        arena_free(&(*hold)->arena);
        free(*hold);
    }
    *hold = NULL;
}

struct arena *hold_arena(struct hold *hold)
{
    return hold->arena;
}

/* Puts it behind those that wait. */
static void append(struct inbox *inbox, struct entry *entry)
{
    map_put(inbox->in_hand, uuid_span(&entry->lead.id), entry);
    entry->next = NULL;
    *inbox->last = entry;
    inbox->last = &entry->next;
    inbox->waiting++;
    inbox->bytes += entry->bytes;
}

bool inbox_add(struct inbox *inbox, const struct lead *lead, struct hold *hold, int64_t expires_ms)
{
    struct entry *entry;

    if (map_get(inbox->in_hand, uuid_span(&lead->id)) != NULL)
        return false;
    entry = must_zalloc(sizeof *entry);
    entry->lead = *lead;
    entry->hold = hold;
    hold->users++;
    entry->expires_ms = expires_ms;
    entry->came_ns = clock_mono_ns();
    entry->bytes = sizeof *entry + 3 * lead->raw.len; /* raw, and what is made of it */
    for (size_t i = 0; i < lead->fields.count; i++) /* the normal forms, which may be the campaign's defaults, and their decoding */
        entry->bytes += sizeof(struct field) + lead->fields.items[i].text.len;
    append(inbox, entry);
    return true;
}

struct entry *inbox_take(struct inbox *inbox, size_t most, size_t most_bytes)
{
    struct entry *list = inbox->first, **end = &list;
    size_t bytes = 0;

    for (size_t taken = 0; *end != NULL && taken < most; taken++) {
        bytes += (*end)->bytes;
        if (taken > 0 && bytes > most_bytes)
            break;
        end = &(*end)->next;
        inbox->waiting--;
    }
    inbox->first = *end;
    if (inbox->first == NULL)
        inbox->last = &inbox->first;
    *end = NULL;
    return list;
}

void inbox_put_back(struct inbox *inbox, struct entry *list)
{
    struct entry **end = &list;

    if (list == NULL)
        return;
    for (; *end != NULL; end = &(*end)->next)
        inbox->waiting++;
    *end = inbox->first;
    if (inbox->first == NULL)
        inbox->last = end;
    inbox->first = list;
}

void inbox_done(struct inbox *inbox, struct entry **entry)
{
    map_remove(inbox->in_hand, uuid_span(&(*entry)->lead.id));
    inbox->bytes -= (*entry)->bytes;
    hold_release(&(*entry)->hold);
    free(*entry);
    *entry = NULL;
}

bool inbox_has(const struct inbox *inbox, const struct uuid *id)
{
    return map_get(inbox->in_hand, uuid_span(id)) != NULL;
}

void inbox_move(struct inbox *inbox, struct entry **entry, struct inbox *to)
{
    struct entry *moved = *entry;

    if (inbox_has(to, &moved->lead.id)) {
        inbox_done(inbox, entry);
        return;
    }
    map_remove(inbox->in_hand, uuid_span(&moved->lead.id));
    inbox->bytes -= moved->bytes;
    append(to, moved);
    *entry = NULL;
}

size_t inbox_waiting(const struct inbox *inbox)
{
    return inbox->waiting;
}

size_t inbox_bytes(const struct inbox *inbox)
{
    return inbox->bytes;
}
