/*
 * cost.h - what a supplier gets for a sold lead (SPEC.md, 7).
 */
#ifndef LEADLINE_ROUTER_COST_H
#define LEADLINE_ROUTER_COST_H

#include "proto/catalog.h"

/* Cents for a lead that was sold for price_cents in all; a share is rounded half to even. */
int64_t cost_cents(const struct cost *cost, int64_t price_cents);

/* The least that a sold lead costs, whatever its price. */
int64_t cost_least(const struct cost *cost);

#endif
