/*
 * endpoints.h - what endpoints have shown, told to the database: those that answered 410 are switched off there, for routers and
 * dispatchers alike, and pauses of breakers are noted for `leadctl endpoint list`.
 *
 * A 410 holds here at once (lane.is_gone), from the next catalog everywhere. When it cannot be written it is tried again until it is;
 * should this process die meanwhile, the next attempt hears the same.
 */
#ifndef LEADLINE_DISPATCHER_ENDPOINTS_H
#define LEADLINE_DISPATCHER_ENDPOINTS_H

#include "dispatcher/lanes.h"
#include "dispatcher/store.h"
#include "proto/stage.h"

struct endpoints;

struct endpoints *endpoints_new(struct stage *stage, struct store *store, struct lanes *lanes);
void endpoints_free(struct endpoints **endpoints); /* after store_close() */

/* The lane's endpoint has answered 410. */
void endpoints_gone(struct endpoints *endpoints, struct lane *lane);

/* Sends what is to be told, when nothing is on its way. Called at the end of every turn. */
void endpoints_flush(struct endpoints *endpoints);

/* A second has passed: looks at the breakers. */
void endpoints_tick(struct endpoints *endpoints);

/* The catalog changed: an endpoint that was switched on begins with a clean sheet, also one that was only paused. */
void endpoints_on_catalog(struct endpoints *endpoints, const struct catalog *old);

#endif
