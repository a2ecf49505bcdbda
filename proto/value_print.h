/*
 * value_print.h - writes the values of a lead for a buyer: in JSON, or as plain text.
 *
 * A value has one form, whoever wrote it, so that every attempt has the same bytes whether the delivery came in a frame or was
 * read from the database: a number is the shortest text of the double that it is. On its way through JSON libraries and the
 * database 0.1 may have become 0.10000000000000001.
 */
#ifndef LEADLINE_PROTO_VALUE_PRINT_H
#define LEADLINE_PROTO_VALUE_PRINT_H

#include "common/buf.h"
#include "proto/field.h"

/* A text as JSON writes it, with its quotes. */
void value_print_text(struct buf *out, struct span text);

/* A number from its decimal text; what is none is written as JSON text. */
void value_print_number(struct buf *out, struct span text);

/* A value as JSON: text, number, true or false. */
void value_print_json(struct buf *out, const struct field *value);

/* The same without quotes and escapes. */
void value_print_plain(struct buf *out, const struct field *value);

#endif
