/*
 * plan.h - what a lead needs to be decided: its campaign, its candidates, its keys.
 *
 * Pure. The plan borrows lead and catalog, and lives in the arena; it is made anew for every try, because the catalog may change.
 */
#ifndef LEADLINE_ROUTER_PLAN_H
#define LEADLINE_ROUTER_PLAN_H

#include "router/decide.h"

/* left_ms: until the lead's supplier is told 503. */
void plan_make(struct arena *arena, const struct catalog *catalog, const struct lead *lead, int64_t left_ms, struct plan *plan);

#endif
