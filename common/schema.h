/*
 * schema.h - checks a JSON document against a JSON Schema (2020-12, the part of it that we use).
 *
 * Understood: type (a word or a list), properties, required, additionalProperties (false or a schema), minProperties,
 * maxProperties, enum, const, pattern, minimum, maximum, minLength, maxLength (in characters), items, minItems, maxItems,
 * uniqueItems, anyOf, $ref to #/$defs/…; default, title, description and $comment mean nothing here. Any other keyword is an
 * error of the schema. Two things differ: an integer is written without a fraction, and a pattern is a POSIX extended
 * regular expression (write those that mean the same to both).
 *
 * Our own keyword x-not-supported-yet is true, or a list of values: what is marked so may only be empty ({}, [], "", false,
 * {"all": []}) or the default; anything else is one complaint, "not supported yet", and is not looked into.
 */
#ifndef LEADLINE_COMMON_SCHEMA_H
#define LEADLINE_COMMON_SCHEMA_H

#include "common/complaint.h"
#include "common/error.h"
#include "common/json.h"
#include "common/span.h"

struct schema;

/* Reads a schema. Returns it, owned by the caller, or NULL with *err. */
struct schema *schema_new(struct span text, struct error *err);
void schema_free(struct schema **schema);

/* Adds everything that is wrong with the document to the list; nothing is added when it is right. */
void schema_check(const struct schema *schema, const struct json *document, struct complaints *list);

/* A copy whose objects have their keys in the schema's order, what the schema does not know behind; owned by the caller. */
struct json *schema_arranged(const struct schema *schema, const struct json *document);

#endif
