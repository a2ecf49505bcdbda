/*
 * batch.h - the life of one batch after another: take, read and lock, decide, write, tell (DESIGN.md, 3).
 *
 *   idle ──take──▶ reading ──decide──▶ writing ──commit──▶ tell gateways and dispatchers ──▶ idle
 *
 * One batch at a time; it takes whatever waits as soon as it is idle. Any surprise rolls back, puts the leads back to the
 * front of the inbox and begins again:
 *
 *   another configuration      the catalog is read first; leads judged by an older one go back to their gateways
 *   somebody else's change     decided again, after all ids were looked up
 *   connection lost            the same, when it is back; when it does not come back at once all are answered `unavailable`
 *   PostgreSQL cannot now      all are answered `unavailable`
 *   refused data               the batch is halved, until the bad lead stands alone and is refused with 500
 *
 * A kill before the commit leaves nothing; after it, the rows are found by their ids (the gateway sends again) and the
 * deliveries by the dispatchers' sweep.
 */
#ifndef LEADLINE_ROUTER_BATCH_H
#define LEADLINE_ROUTER_BATCH_H

#include "proto/stage.h"
#include "router/inbox.h"
#include "router/keyring.h"
#include "router/tell.h"

struct batch;

/* Opens the connection of the batches. Borrows stage, inbox, keyring and tell. */
struct batch *batch_new(struct stage *stage, struct inbox *inbox, struct keyring *keyring, struct tell *tell, size_t most_leads, size_t most_bytes);

/* A lead for which buyers have to be asked before it is decided: takes the entry, which comes back with their bids. */
typedef void batch_ask_fn(void *ctx, struct entry **entry);
void batch_on_ask(struct batch *batch, batch_ask_fn *ask, void *ctx);
void batch_free(struct batch **batch);

/* Something waits, or could go on: begins a batch unless one is under way. */
void batch_kick(struct batch *batch);

/* The catalog was swapped: what was planned with the old one must not be looked at any more. */
void batch_catalog_changed(struct batch *batch);

/* The keys of ping ids were read. */
void batch_keys_read(struct batch *batch);

bool batch_is_idle(const struct batch *batch);

/* Known to be away: leads are answered `unavailable` at once. */
bool batch_is_away(const struct batch *batch);

#endif
