/*
 * deadline.h - how long a supplier waits for the answer to a lead or a ping. Pure.
 *
 * As long as its campaign says, or else the gateway; less when the supplier asks for that (`flo_timeout_ms`). Whether what it sent
 * is right, the validator judges: here what is no number from FLO_TIMEOUT_MS_LEAST on changes nothing.
 */
#ifndef LEADLINE_GATEWAY_DEADLINE_H
#define LEADLINE_GATEWAY_DEADLINE_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/field.h"

/* arena: to work in; fields: as sent; otherwise_ms: the gateway's own. */
int64_t deadline_read(struct arena *arena, const struct catalog *catalog, const struct field_list *fields, int64_t otherwise_ms);

#endif
