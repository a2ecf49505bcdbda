/*
 * wanted.h - what a batch must lock and read before it can be decided.
 *
 * Pure: the plans say which counters, keys and ids concern them.
 */
#ifndef LEADLINE_ROUTER_WANTED_H
#define LEADLINE_ROUTER_WANTED_H

#include "router/decide.h"

/* What a batch needs to know. Lists live in the batch's arena. */
struct wanted {
    int64_t *counter_ids; /* sorted, each once */
    size_t *counter_zones; /* of each, an index of the catalog's zones */
    size_t counter_count;
    struct uuid *duplicate_keys;
    size_t duplicate_key_count;
    struct uuid *idempotency_keys;
    size_t idempotency_key_count;
    struct uuid *lead_ids; /* that may be recorded already, sorted */
    size_t lead_id_count;
    struct uuid *ping_ids; /* that may be used up already */
    size_t ping_id_count;
};

/*
 * Collects what the plans ask for.
 *
 * reads_all_ids  also ids that were not sent before: after a surprise
 */
void wanted_collect(struct arena *arena, const struct plan *plans, size_t count, bool reads_all_ids, struct wanted *wanted);

#endif
