/*
 * stored_fields.h - the normal forms of a lead as they stand in its row, read back.
 *
 * What is read must be what a router's frame would have held, so that every attempt to deliver has the same bytes.
 */
#ifndef LEADLINE_PROTO_STORED_FIELDS_H
#define LEADLINE_PROTO_STORED_FIELDS_H

#include "proto/field.h"

/* SQL: lead.fields as text for stored_fields_read(). Numbers become lists of their text, so that reading JSON does not round them. */
#define STORED_FIELDS(fields)                                                                                                  \
    "(CASE WHEN jsonb_path_exists(" fields ", '$.* ? (@.type() == \"number\")') THEN"                                        \
    " (SELECT jsonb_object_agg(f.key, CASE jsonb_typeof(f.value)"                                                              \
    " WHEN 'number' THEN jsonb_build_array(f.value #>> '{}') ELSE f.value END) FROM jsonb_each(" fields ") f)"                \
    " ELSE " fields " END)::text"

/* Reads that text; the list and its texts live in the arena. Returns 0, or -1 when it is no such document. */
int stored_fields_read(struct field_list *fields, struct arena *arena, struct span text);

#endif
