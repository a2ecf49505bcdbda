/*
 * decimal.h - the order of numbers as text, so that nothing is rounded.
 */
#ifndef LEADLINE_PROTO_DECIMAL_H
#define LEADLINE_PROTO_DECIMAL_H

#include "common/span.h"

/* Below, equal to or above 0. Both are normal forms of numbers (proto/normal.h): "-12.5", "0", "1000". */
int decimal_compare(struct span a, struct span b);

#endif
