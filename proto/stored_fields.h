/*
 * stored_fields.h - a lead's normal forms, read back from its row as a frame would have held them.
 */
#ifndef LEADLINE_PROTO_STORED_FIELDS_H
#define LEADLINE_PROTO_STORED_FIELDS_H

#include "common/arena.h"
#include "proto/field.h"

/* SQL, of a column `fields` of the table or alias: numbers become lists of their text, so that reading the document does not round them. */
#define STORED_FIELDS(lead)                                                                                            \
    "(CASE WHEN jsonb_path_exists(" lead ".fields, '$.* ? (@.type() == \"number\")') THEN"                             \
    " (SELECT jsonb_object_agg(f.key, CASE jsonb_typeof(f.value)"                                                      \
    "   WHEN 'number' THEN jsonb_build_array(f.value #>> '{}') ELSE f.value END) FROM jsonb_each(" lead ".fields) f)"   \
    " ELSE " lead ".fields END)::text"

/*
 * Reads what STORED_FIELDS() gave.
 *
 * fields  set to a list in the arena, nothing of it borrowed from text
 * Returns 0, or -1 when the text is no object.
 */
int stored_fields_read(struct field_list *fields, struct arena *arena, struct span text);

#endif
