/*
 * plan.h - what a lead needs to be decided: its campaign, its candidates, its keys.
 *
 * Pure. The plan borrows lead and catalog, and lives in the arena; it is made anew for every try, because the catalog may change.
 */
#ifndef LEADLINE_ROUTER_PLAN_H
#define LEADLINE_ROUTER_PLAN_H

#include "router/decide.h"

void plan_make(struct arena *arena, const struct catalog *catalog, const struct lead *lead, struct plan *plan);

#endif
