/*
 * field_judge.h - does a value pass what the campaign says about its field? (SPEC.md, 5)
 *
 * Pure functions of the value and the spec. In this order, and the first that refuses decides:
 *
 *   transforms, then the type's normal form    codes of proto/normal.h
 *   max_length                                 too_long
 *   min_length                                 invalid_format
 *   min, max                                   out_of_range
 *   pattern                                    invalid_format, also when the search gave up
 *   values                                     not_allowed
 *
 * All but the transforms see the normal form: a length counts its characters, a pattern is searched for in it (anchored by ^ and
 * $, minding case), and numbers are compared digit by digit, so nothing is rounded. What is absent passes everything here.
 */
#ifndef LEADLINE_PROTO_FIELD_JUDGE_H
#define LEADLINE_PROTO_FIELD_JUDGE_H

#include "proto/field.h"

/* Why a value is refused. */
struct field_fault {
    const char *code;    /* of a field error, static */
    struct span message; /* what is wanted, never the value; static or in the arena */
};

/*
 * Judges one value as it was sent.
 *
 * out    kind and text of the normal form, as from normal_value(); an empty text counts as absent
 * fault  set when it is refused
 * Returns whether it passes. Cannot fail.
 */
bool field_judge(struct arena *arena, const struct field_spec *spec, const struct field *value, struct field *out, struct field_fault *fault);

/* The same of a normal form that is there: only the options behind the normal form. */
bool field_judge_form(struct arena *arena, const struct field_spec *spec, struct span form, struct field_fault *fault);

#endif
