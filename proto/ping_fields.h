/*
 * ping_fields.h - what of a lead goes out to buyers' ping endpoints: the fields that the campaign marks `ping`, and no others (SPEC.md, 8).
 *
 * A hash is the lower-case hexadecimal SHA-256 of
 *
 *     phone       ten digits for a US number, else + and country code, as suppression lists have it (SPEC.md, 5)
 *     email       the whole address in lower case
 *     first_name, last_name   in lower case, without white space at its ends
 *     any other   its normal form
 *
 * in UTF-8: what a buyer that knows the person already can compute, too.
 */
#ifndef LEADLINE_PROTO_PING_FIELDS_H
#define LEADLINE_PROTO_PING_FIELDS_H

#include "common/arena.h"
#include "proto/catalog.h"
#include "proto/field.h"

/*
 * Gives the fields of a question.
 *
 * fields  normal forms, as the validator made them, borrowed; what is absent or empty does not go out
 * out     sorted by name; lives in arena, in the catalog and in fields
 */
void ping_fields(struct arena *arena, const struct campaign *campaign, const struct field_list *fields, struct field_list *out);

#endif
