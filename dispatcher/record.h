/*
 * record.h - what attempts came to, until it is written.
 *
 * Whatever results wait when the connection is free go out as one batch. A result is kept until the database has taken
 * it; while too many wait, no attempt begins (record_has_room()).
 */
#ifndef LEADLINE_DISPATCHER_RECORD_H
#define LEADLINE_DISPATCHER_RECORD_H

#include "dispatcher/lanes.h"
#include "dispatcher/store.h"
#include "proto/stage.h"

enum { RECORDS_MOST = 10000, RECORD_BATCH = 512 };

struct record;

struct record *record_new(struct stage *stage, struct store *store, struct lanes *lanes);
void record_free(struct record **record); /* results that wait are lost: their leases run out. After store_close() */

/*
 * Takes a delivery with its result; forgets it (lanes_forget) when it is written. One on whose answer a sale depends is told to its
 * router then; it stays in hand while its request is under way.
 */
void record_add(struct record *record, struct due *due);

/* The request of one whose result is written has ended: writes a late yes, or forgets it. */
void record_late(struct record *record, struct due *due);

/* Sends what waits, when nothing is on its way. Called at the end of every turn. */
void record_flush(struct record *record);

/* Is there room for the results of so many attempts under way, and one more? */
bool record_has_room(const struct record *record, size_t in_flight);

size_t record_waiting(const struct record *record); /* sent ones, too, until they are answered */
int64_t record_done(const struct record *record);   /* results dealt with since the start */

#endif
