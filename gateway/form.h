/*
 * form.h - reads application/x-www-form-urlencoded (WHATWG URL, 5.1), strictly. Pure; fuzzed.
 *
 * Refused are a name that comes twice, an empty name, a broken %-escape, bytes that are not UTF-8, and NUL.
 */
#ifndef LEADLINE_GATEWAY_FORM_H
#define LEADLINE_GATEWAY_FORM_H

#include "common/arena.h"
#include "common/error.h"
#include "common/span.h"
#include "proto/field.h"

/*
 * Reads name=value&…; empty pieces are passed over, empty values stay.
 *
 * body    borrowed for the call
 * fields  the pairs in order, all VALUE_TEXT; lives in arena
 * Returns 0, or -1 with *err, which names the position of what is wrong and never quotes it.
 */
int form_read(struct arena *arena, struct span body, struct field_list *fields, struct error *err);

#endif
