/*
 * cap.h - how many more leads, or how much more money, an owner takes in a window.
 *
 * All of it is arithmetic on a counter that router/store.c has read and locked; when a window began is the
 * database's business (DESIGN.md, 3). Moments are microseconds since 1970 UTC, as PostgreSQL counts them.
 */
#ifndef LEADLINE_ROUTER_CAP_H
#define LEADLINE_ROUTER_CAP_H

#include "proto/cap.h"

#include <stdbool.h>
#include <stdint.h>

/* One row of table counter, in memory. start_us of WINDOW_TOTAL is not used. */
struct counter {
    int64_t id;
    int64_t start_us[WINDOW_COUNT];
    int64_t leads[WINDOW_COUNT];
    int64_t cents[WINDOW_COUNT];
    int64_t turn_credit; /* of a contract, see router/turn.h */
    bool is_changed; /* must be written */
};

/*
 * Makes the counter's windows current: one that has ended begins anew with nothing counted.
 *
 * start_us  when the present windows began, in the counter's time zone
 * A window never moves backwards: one that begins later than the clock says is kept as it is.
 */
void counter_roll(struct counter *counter, const int64_t start_us[WINDOW_COUNT]);

/*
 * How much room does this cap leave?
 *
 * counter  the owner's locked counter, borrowed; its windows are current
 * Returns leads for a cap on leads, cents for a budget; 0 when full. Cannot fail.
 */
int64_t cap_room(const struct cap *cap, const struct counter *counter);

/*
 * Is there room in every cap of the owner for so much more? Returns the first cap that is full, or NULL.
 *
 * leads  1; 0 when only the amount of a lead grows that is counted already
 */
const struct cap *caps_full(const struct cap_owner *owner, const struct counter *counter, int64_t leads, int64_t cents);

#define COUNTED_NOW INT64_MAX

/*
 * Counts so many leads and cents, or takes them back when they are negative.
 *
 * at_us  COUNTED_NOW: in every window, also in one that begins later than the clock says; else when they were counted first: in the
 *        windows in which that moment lies, those that have turned since keep what they have
 */
void counter_change(struct counter *counter, int64_t leads, int64_t cents, int64_t at_us);

#endif
