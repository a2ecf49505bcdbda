/*
 * key.h - the keys by which the database finds equal leads, repeated requests and a supplier's own leads.
 *
 * A key is HMAC-SHA256 under the installation's secret, cut to 16 bytes: fixed in size, and no personal data. What goes in
 * is unambiguous: every part is preceded by its length, and each kind of key begins with its own name, so no two different
 * things have the same bytes. Keys are stored: this encoding never changes.
 *
 * All functions are pure. Fields of a rule are in the catalog's order (sorted), so rules that list the same fields are one.
 */
#ifndef LEADLINE_PROTO_KEY_H
#define LEADLINE_PROTO_KEY_H

#include "common/arena.h"
#include "common/span.h"
#include "common/uuid.h"
#include "proto/catalog.h"
#include "proto/field.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The key of a duplicate rule.
 *
 * against  which earlier leads it looks at; other leads, other keys
 * scope    where leads are compared: the campaign's id; of AGAINST_SOLD the buyer's, or empty: then it is the half that key_for_buyer()
 *          makes whole, because a lead is compared for many buyers at once
 * rule     its fields' names go in, its window does not: two rules of one scope over the same fields have the same keys
 * values   one for each field of the rule, in the rule's order, as normal_match() gives them
 */
struct uuid key_duplicate(const uint8_t secret[32], enum duplicate_against against, struct span scope, const struct duplicate_rule *rule,
                          const struct span *values);

/*
 * The same from a lead's normal forms.
 *
 * campaign  the lead's
 * normal    as the validator made them; fields that the campaign does not define count as absent
 * Returns false, and leaves *key alone, when one of the rule's fields is absent: then the rule does not apply.
 */
bool key_of_lead(const uint8_t secret[32], struct arena *arena, enum duplicate_against against, struct span scope,
                 const struct campaign *campaign, const struct duplicate_rule *rule, const struct field_list *normal, struct uuid *key);

/* The buyer's half of its keys. */
struct uuid key_of_buyer(const uint8_t secret[32], struct span buyer_id);

/* The whole key from its halves. */
struct uuid key_for_buyer(const struct uuid *of_values, const struct uuid *of_buyer);

/* The key under which a supplier finds its leads again. field: "phone" or "email"; value: as normal_match() gives it. */
struct uuid key_lookup(const uint8_t secret[32], struct span supplier_id, struct span field, struct span value);

/* The key of an Idempotency-Key, which belongs to a supplier and a path ("/api/v1/ingest"). text: without its quotes. */
struct uuid key_idempotency(const uint8_t secret[32], struct span supplier_id, struct span path, struct span text);

#endif
