/*
 * cap.h - how many leads, or how much money, per window; and what was counted so far.
 *
 * The rules are agreed here, because the catalog holds them; router/cap.h decides with them.
 * Windows are hour, day, week (from Monday), month, total, in the owner's time zone. When a window
 * began is the database's business (DESIGN.md, 3).
 */
#ifndef LEADLINE_PROTO_CAP_H
#define LEADLINE_PROTO_CAP_H

#include "common/span.h"

#include <stddef.h>
#include <stdint.h>

enum window { WINDOW_HOUR, WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH, WINDOW_TOTAL, WINDOW_COUNT };

/* The window of that word ("day"), or -1. */
int window_of(struct span word);
const char *window_word(enum window window);

struct cap {
    enum window window;
    int64_t leads; /* at most; -1: no limit on leads */
    int64_t cents; /* at most; -1: no budget */
};

/* Who has caps: a contract, a buyer, a campaign, a source, a supplier. */
struct cap_owner {
    struct cap *caps;
    size_t cap_count;
    int64_t counter_id; /* row of table counter; 0 when nothing is counted: no caps and no turns */
    size_t zone;        /* index in the catalog's zones */
};

#endif
