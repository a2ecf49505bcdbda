/*
 * body.h - what a buyer reads: the JSON body of a webhook (SPEC.md, 9).
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

/* Appends the fields, in order of their names, as a JSON object. */
void body_put_fields(struct buf *out, const struct field_list *fields);

#endif
