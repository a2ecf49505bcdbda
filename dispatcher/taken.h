/*
 * taken.h - reads a due delivery from a row of the database.
 *
 * What is read must be what a router's frame would have held, so that every attempt has the same bytes.
 */
#ifndef LEADLINE_DISPATCHER_TAKEN_H
#define LEADLINE_DISPATCHER_TAKEN_H

#include "common/db.h"
#include "proto/frame.h"

/*
 * Reads one row of the statement TAKE (store.c). Texts are borrowed from it or live in the arena; lease_until_ms is not set.
 * Returns 0, or -1 when the delivery has no sale or its lead no fields, and is no event; its id is set all the same.
 */
int taken_read(struct delivery *delivery, struct arena *arena, const struct db_rows *rows, int row);

#endif
