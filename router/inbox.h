/*
 * inbox.h - the leads that this router has in hand: waiting, or in the batch under way.
 *
 * A lead waits in line, is in a batch, or stands aside until a moment (because a buyer is asked, or an equal lead is undecided).
 * A lead is in hand once: a second frame with its id is ignored, its answer will serve both. Leads of one frame share the
 * frame's arena, which goes with the last of them.
 */
#ifndef LEADLINE_ROUTER_INBOX_H
#define LEADLINE_ROUTER_INBOX_H

#include "common/arena.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stddef.h>

struct inbox;
struct hold; /* an arena and how many leads live in it */

struct quotes; /* router/quote.h */

struct entry {
    struct entry *next;
    struct lead lead;
    struct hold *hold;
    int64_t expires_ms; /* monotonic: its supplier is told 503 then */
    bool is_distributing; /* recorded as DISTRIBUTING by us: it is gone on with, whatever its supplier was told */
    struct entry *before, *behind; /* while it stands aside */
    int64_t wake_ms;
    bool is_aside;
    size_t bytes;
    const struct quotes *quotes; /* what buyers have bid, in the hold's arena; NULL: nobody was asked */
    int64_t came_ns, waited_ns;  /* monotonic; how much of the time since it waited for buyers */
};

struct inbox *inbox_new(void);
void inbox_free(struct inbox **inbox);

/* Takes the arena over, for the leads that follow. Give it back when all were added: it ends with the last lead. */
struct hold *hold_new(struct arena **arena);
void hold_release(struct hold **hold);

/* Its arena, borrowed: for what lives as long as its leads. */
struct arena *hold_arena(struct hold *hold);

/* Adds a lead that lives in the hold. Returns false when its id is in hand already. */
bool inbox_add(struct inbox *inbox, const struct lead *lead, struct hold *hold, int64_t expires_ms);

/* The same for a lead that is recorded as DISTRIBUTING, and that nobody goes on with. */
bool inbox_adopt(struct inbox *inbox, const struct lead *lead, struct hold *hold);

/* The first of those that wait, at most so many and so many bytes (but one at least), in order; NULL when none waits. */
struct entry *inbox_take(struct inbox *inbox, size_t most, size_t most_bytes);

/* Puts a list back to the front, in its order. */
void inbox_put_back(struct inbox *inbox, struct entry *list);

/* Lets one that was taken stand aside until that moment (monotonic). */
void inbox_set_aside(struct inbox *inbox, struct entry *entry, int64_t wake_ms);

/* Puts the lead of that id back in line if it stands aside; all whose moment has come. */
void inbox_wake(struct inbox *inbox, const struct uuid *lead_id);
void inbox_wake_due(struct inbox *inbox, int64_t now_ms);

/* When the next one wakes; INT64_MAX: none stands aside. */
int64_t inbox_next_wake_ms(const struct inbox *inbox);

/* The lead is answered: forgets and frees it. */
void inbox_done(struct inbox *inbox, struct entry **entry);

/* Is a lead of this id in hand? */
bool inbox_has(const struct inbox *inbox, const struct uuid *id);

/* One that was taken from here waits there from now on, or is forgotten when its id is in hand there already. */
void inbox_move(struct inbox *inbox, struct entry **entry, struct inbox *to);

size_t inbox_waiting(const struct inbox *inbox); /* not in a batch */
size_t inbox_aside(const struct inbox *inbox);
size_t inbox_bytes(const struct inbox *inbox);   /* of all in hand */

#endif
