/*
 * store_confirm.h - rows of leads that are DISTRIBUTING: what a batch reads of them, and writes (confirm.h).
 *
 * Part of store.c's two round trips; the statements are in its table.
 */
#ifndef LEADLINE_ROUTER_STORE_CONFIRM_H
#define LEADLINE_ROUTER_STORE_CONFIRM_H

#include "common/db.h"
#include "router/decide.h"
#include "router/wanted.h"

enum { CONFIRM_READS = 2 }; /* statements that store_read_confirm() adds */

#define STORE_CONFIRM_STATEMENTS                                                                                       \
    {"read_distributing", store_read_distributing}, {"read_tries", store_read_tries}, {"settle_tries", store_settle_tries}, \
    {"end_late", store_end_late}, {"finish_leads", store_finish_leads}, {"finish_sales", store_finish_sales},              \
    {"number_deliveries", store_number_deliveries}, {"keep_earlier", store_keep_earlier}, {"release_keys", store_release_keys}, {"release_pings", store_release_pings},                              \
    {"end_reservations", store_end_reservations}, {"end_distributing", store_end_distributing},                        \
    {"write_distributing", store_write_distributing}, {"write_tries", store_write_tries}, {"write_asked", store_write_asked}

extern const char store_read_distributing[], store_read_tries[], store_settle_tries[], store_end_late[], store_finish_leads[], store_finish_sales[],
    store_number_deliveries[], store_keep_earlier[], store_release_keys[], store_release_pings[], store_end_reservations[], store_end_distributing[], store_write_distributing[],
    store_write_tries[], store_write_asked[];

/* SQL: the counters, by natural key, in which the open tries of these leads (a parameter) hold a place. */
#define STORE_COUNTERS_OF_TRIES(leads)                                                                                   \
    "SELECT c.id FROM reservation r CROSS JOIN LATERAL (VALUES ('contract'::counter_kind, r.campaign_id, r.contract_id),"  \
    " ('buyer'::counter_kind, '', r.buyer_id), ('source'::counter_kind, r.campaign_id, r.supplier_id),"                   \
    " ('supplier'::counter_kind, '', r.supplier_id), ('campaign'::counter_kind, r.campaign_id, r.campaign_id))"           \
    " AS o (kind, campaign_id, owner_id) JOIN counter c ON (c.kind, c.campaign_id, c.owner_id) = (o.kind, o.campaign_id, o.owner_id)" \
    " WHERE r.lead_id = ANY(" leads "::uuid[]) AND r.state = 'OPEN' AND c.is_live"

/* Locks and reads the rows of leads that may be DISTRIBUTING: wanted->lead_ids, of which there is one at least. */
void store_read_confirm(struct db_job *job, const struct wanted *wanted);

/* Makes facts->distributing of the rows of these two statements. */
void store_facts_confirm(struct arena *arena, const struct db_rows *distributing, const struct db_rows *tries, struct facts *facts);

/*
 * Adds what is to be written for these decisions: those that are DISTRIBUTING from now on, and steps. They are sorted by lead id.
 * Comes behind the rows of new leads and before the keys and counters.
 */
void store_write_confirm(struct db_job *job, const struct decision *const *decisions, size_t count, const struct facts *facts);

/* Adds what must come last: keys that nobody holds any more, and the rows of leads that are through. */
void store_end_confirm(struct db_job *job, struct arena *arena, const struct decision *const *decisions, size_t count);

#endif
