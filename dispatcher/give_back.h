/*
 * give_back.h - deliveries that this dispatcher has, but will not try: what has no room, what waited too long, what is
 * left at the end. Their leases are ended, so that a sweep takes them again at once.
 *
 * It is only for speed: when that fails, the lease runs out.
 */
#ifndef LEADLINE_DISPATCHER_GIVE_BACK_H
#define LEADLINE_DISPATCHER_GIVE_BACK_H

#include "dispatcher/lanes.h"
#include "dispatcher/store.h"

enum { GIVE_BACK_MOST = 20000, GIVE_BACK_BATCH = 512 };

struct give_back;

struct give_back *give_back_new(struct store *store, struct lanes *lanes);
void give_back_free(struct give_back **back); /* after store_close() */

/* Takes a delivery that is in hand and in no list; forgets it when its row is given back, or too many wait for that. */
void give_back_add(struct give_back *back, struct due *due);

/* Sends what waits, when nothing is on its way. Called at the end of every turn. */
void give_back_flush(struct give_back *back);

size_t give_back_waiting(const struct give_back *back);

#endif
