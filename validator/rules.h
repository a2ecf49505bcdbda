/*
 * rules.h - may this lead go on to be sold? The first half of SPEC.md, 3: campaign and source, then the fields.
 *
 * Pure: an answer from the catalog and the fields as sent. Whether a campaign, a source or a supplier is paused or capped is not
 * looked at: that is known only when selling (router).
 *
 * In this order, the first that applies decides:
 *
 *   flo_campaign_id absent or malformed             VALIDATION_FAILED, all fields judged as on a campaign that says nothing
 *   flo_supplier_id sent and not the key's          FORBIDDEN
 *   no such campaign                                CAMPAIGN_NOT_FOUND
 *   the supplier has no source on it                FORBIDDEN
 *   more than FIELDS_MOST fields                    VALIDATION_FAILED, with one error that names the first field too many
 *   a field wrong, or required and absent and       VALIDATION_FAILED, with one error for each such field
 *   without a default
 *   otherwise                                       NONE
 *
 * Errors are in the order of the fields as sent, then those of the absent ones by name. A field's name comes from the sender: it is
 * cut at FIELD_NAME_BYTES_MOST, between characters. Values are in no error.
 *
 * Every value sent is looked at, also of fields that the campaign does not define: one value, at most VALUE_BYTES_MOST, UTF-8.
 * Those that it defines have to have a normal form that passes the field's options (proto/field_judge.h), and may be sent only
 * once. White space alone counts as absent, and so does what the field's transforms leave nothing of; then its default holds.
 */
#ifndef LEADLINE_VALIDATOR_RULES_H
#define LEADLINE_VALIDATOR_RULES_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/field.h"
#include "proto/reason.h"

#include <stdbool.h>

struct verdict {
    enum reason reason;
    const char *message;             /* more precise than the reason's own, static; NULL: that one */
    struct field_errors errors;      /* of VALIDATION_FAILED: one or more */
    struct field_list normal;        /* normal forms of the good fields that are defined and no control fields, in the order sent; then
                                        the defaults of absent ones, by name */
    struct field_list undefined;     /* good fields that the campaign does not define, trimmed, in the order sent */
    struct span campaign_id;         /* as sent, when there is such a campaign; absent otherwise */
    const struct campaign *campaign; /* NULL when there is none */
    const struct source *source;     /* the supplier's place there; NULL when there is none */
    bool is_test;                    /* the supplier is in test mode, or the body says so */
    struct span ping_id, wanted_buyer_id; /* flo_ping_id and flo_buyer_id; absent when not sent */
    bool is_full;                    /* flo_mode: ping and post in one call */
};

/*
 * Judges one lead. Cannot fail.
 *
 * catalog   with CATALOG_CAMPAIGNS; the verdict's campaign and source are borrowed from it
 * supplier  whose key it was, not NULL
 * sent      the lead's fields, no two names alike save by the sender's mistake
 * is_ping   it is a ping: nothing is required but flo_campaign_id and flo_supplier_id, and no default is filled in
 * out       overwritten; its lists live in arena, its texts in arena, catalog or sent
 */
void rules_judge(struct arena *arena, const struct catalog *catalog, const struct supplier *supplier, const struct field_list *sent,
                 bool is_ping, struct verdict *out);

#endif
