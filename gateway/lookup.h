/*
 * lookup.h - GET /leads/{id} and GET /leads/lookup: a supplier's own leads, read from the database.
 *
 * On a connection of its own, without blocking. So many at a time; further ones are answered 503 at once, as all are while the
 * database is known to be away.
 */
#ifndef LEADLINE_GATEWAY_LOOKUP_H
#define LEADLINE_GATEWAY_LOOKUP_H

#include "gateway/request.h"
#include "proto/catalog.h"

#include <stddef.h>

struct lookups;

enum { LOOKUPS_MOST = 64, LOOKUP_ROWS_MOST = 100, LOOKUP_DEADLINE_MS = 5000 };

struct lookups *lookups_new(struct gateway *gateway);
void lookups_free(struct lookups **all); /* who still waits is told 503 */

/* Answers the request, now or when the database has. */
void lookup_handle(struct lookups *all, struct request *request, const struct supplier *supplier);

/* Requests that wait. */
size_t lookups_count(const struct lookups *all);

#endif
