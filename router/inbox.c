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
    struct entry *next_aside, *last_aside; /* sorted by wake_ms */
    size_t waiting, aside;
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
    inbox_wake_due(*inbox, INT64_MAX);
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

static void join_line(struct inbox *inbox, struct entry *entry)
{
    entry->next = NULL;
    *inbox->last = entry;
    inbox->last = &entry->next;
    inbox->waiting++;
}

/* NULL when it is in hand already. */
static struct entry *add(struct inbox *inbox, const struct lead *lead, struct hold *hold, int64_t expires_ms)
{
    struct entry *entry;

    if (map_get(inbox->in_hand, uuid_span(&lead->id)) != NULL)
        return NULL;
    entry = must_zalloc(sizeof *entry);
    entry->lead = *lead;
    entry->hold = hold;
    hold->users++;
    entry->expires_ms = expires_ms;
    entry->came_ns = clock_mono_ns();
    entry->bytes = sizeof *entry + 3 * lead->raw.len; /* raw, and what is made of it */
    for (size_t i = 0; i < lead->fields.count; i++) /* the normal forms, which may be the campaign's defaults, and their decoding */
        entry->bytes += sizeof(struct field) + lead->fields.items[i].text.len;
    for (size_t i = 0; i < lead->undefined.count; i++)
        entry->bytes += sizeof(struct field) + lead->undefined.items[i].text.len;
    map_put(inbox->in_hand, uuid_span(&entry->lead.id), entry);
    inbox->bytes += entry->bytes;
    join_line(inbox, entry);
    return entry;
}

bool inbox_add(struct inbox *inbox, const struct lead *lead, struct hold *hold, int64_t expires_ms)
{
    return add(inbox, lead, hold, expires_ms) != NULL;
}

bool inbox_adopt(struct inbox *inbox, const struct lead *lead, struct hold *hold)
{
    struct entry *entry = add(inbox, lead, hold, INT64_MAX);

    if (entry == NULL)
        return false;
    entry->is_distributing = true;
    entry->lead.is_resent = true;
    return true;
}

/* Nearly always who comes last wakes last. */
void inbox_set_aside(struct inbox *inbox, struct entry *entry, int64_t wake_ms)
{
    struct entry *before = inbox->last_aside;

    while (before != NULL && before->wake_ms > wake_ms)
        before = before->before;
    entry->wake_ms = wake_ms;
    entry->is_aside = true;
    entry->before = before;
    entry->behind = before != NULL ? before->behind : inbox->next_aside;
    if (entry->behind != NULL)
        entry->behind->before = entry;
    else
        inbox->last_aside = entry;
    if (before != NULL)
        before->behind = entry;
    else
        inbox->next_aside = entry;
    inbox->aside++;
}

static void wake(struct inbox *inbox, struct entry *entry)
{
    if (entry->before != NULL)
        entry->before->behind = entry->behind;
    else
        inbox->next_aside = entry->behind;
    if (entry->behind != NULL)
        entry->behind->before = entry->before;
    else
        inbox->last_aside = entry->before;
    entry->before = entry->behind = NULL;
    entry->is_aside = false;
    inbox->aside--;
    join_line(inbox, entry);
}

void inbox_wake(struct inbox *inbox, const struct uuid *lead_id)
{
    struct entry *entry = map_get(inbox->in_hand, uuid_span(lead_id));

    if (entry != NULL && entry->is_aside)
        wake(inbox, entry);
}

void inbox_wake_due(struct inbox *inbox, int64_t now_ms)
{
    while (inbox->next_aside != NULL && inbox->next_aside->wake_ms <= now_ms)
        wake(inbox, inbox->next_aside);
}

int64_t inbox_next_wake_ms(const struct inbox *inbox)
{
    return inbox->next_aside != NULL ? inbox->next_aside->wake_ms : INT64_MAX;
}

size_t inbox_aside(const struct inbox *inbox)
{
    return inbox->aside;
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
    map_put(to->in_hand, uuid_span(&moved->lead.id), moved);
    to->bytes += moved->bytes;
    join_line(to, moved);
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
