/*
 * look_up.h - the leads that wait until the database has said on which suppression lists they are.
 *
 * One query is under way at a time, and the next one takes all that came meanwhile: the more comes, the larger it gets; when much
 * comes there is a short rest between them, because small queries would cost the database more than the leads themselves. When the
 * database is away, or too much waits already (LOOK_UP_BYTES_MOST), their suppliers are told at once: nobody is let through
 * unchecked. A connection that was lost is asked again when it is back; leads whose time is up meanwhile are dropped.
 */
#ifndef LEADLINE_VALIDATOR_LOOK_UP_H
#define LEADLINE_VALIDATOR_LOOK_UP_H

#include "proto/stage.h"
#include "validator/suppressed.h"

enum { LOOK_UP_BYTES_MOST = 16 << 20 };

/* A lead that waits. */
struct looked_up {
    struct lead lead; /* as it came: judged anew when the catalog changes meanwhile */
    struct verdict verdict;
    struct listed_value *values;
    size_t value_count;
};

/* Those of one frame, in its arena. */
struct parcel {
    struct parcel *next;
    struct arena *arena;
    struct looked_up *leads;
    size_t count, value_count;
    int64_t catalog_turn; /* of the catalog that the verdicts borrow from, as the owner counts them */
    int64_t since_ms;     /* monotonic */
    int64_t until_ms;     /* then all their suppliers have been told 503 */
    size_t bytes;
};

struct look_up;

/* The answer: parcel is borrowed for the call, its arena may be taken over (set it to NULL); hits is NULL when there is none. */
typedef void look_up_fn(void *ctx, struct parcel *parcel, const struct hits *hits);

struct look_up *look_up_new(struct stage *stage, look_up_fn *fn, void *ctx);
void look_up_free(struct look_up **look_up); /* who still waits is forgotten */

/* An empty parcel with room for so many leads in the arena. */
struct parcel *parcel_new(struct arena *arena, size_t room, int64_t catalog_turn);
void parcel_add(struct parcel *parcel, const struct lead *lead, const struct verdict *verdict, struct listed_value *values, size_t count);

/* Takes a parcel and its arena. fn may be called inside. */
void look_up_send(struct look_up *look_up, struct parcel **parcel, struct arena **arena);

/* To be called every second: drops who is not waited for any more, and gives up a query that takes too long. */
void look_up_sweep(struct look_up *look_up);

/* Leads that wait. */
size_t look_up_waiting(const struct look_up *look_up);

#endif
