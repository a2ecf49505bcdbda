/*
 * money.h - amounts: decimal with two places outside, whole cents inside.
 */
#ifndef LEADLINE_PROTO_MONEY_H
#define LEADLINE_PROTO_MONEY_H

#include "common/span.h"

#include <stdint.h>

enum { MONEY_TEXT_BYTES = 24 };

/* "25.00" of 2500; out has MONEY_TEXT_BYTES. Returns out. */
const char *money_text(int64_t cents, char *out);

/* Reads "25", "25.5" or "25.00", up to twelve digits before the point, no sign. Returns 0, or -1 when it is no amount. */
int money_parse(struct span text, int64_t *cents);

/* Reads a percentage, "12.5" with up to four places, as millionths: 125000. Returns 0, or -1 when it is none (over 100 too). */
int money_percent(struct span text, int64_t *millionths);

/* So many millionths of an amount, rounded half to even. */
int64_t money_share(int64_t cents, int64_t millionths);

#endif
