/*
 * decimal.h - compares decimal numbers by their text, so that nothing is rounded.
 */
#ifndef LEADLINE_PROTO_DECIMAL_H
#define LEADLINE_PROTO_DECIMAL_H

#include "common/span.h"

/* Below, equal to or above 0. Both are normal forms of normal_number(): no plus sign, exponent or needless zero. */
int decimal_compare(struct span a, struct span b);

#endif
