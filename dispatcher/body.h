/*
 * body.h - what a buyer reads that has no template of its own: the body of a webhook (SPEC.md, 9).
 *
 * A pure function of the delivery. The bytes are the same on every attempt, whether the delivery came in a frame or was
 * read from the database: fields stand in order of their names, and a number has one form.
 */
#ifndef LEADLINE_DISPATCHER_BODY_H
#define LEADLINE_DISPATCHER_BODY_H

#include "common/buf.h"
#include "proto/frame.h"

/* Appends the body to out. */
void body_print(const struct delivery *delivery, struct buf *out);

/*
 * Appends the same as a form, application/x-www-form-urlencoded: id, campaign_id, buyer_id, price, is_test and timestamp, then the
 * fields; a field that has one of these six names is not in it.
 */
void body_print_form(const struct delivery *delivery, struct buf *out);

#endif
