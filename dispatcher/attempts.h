/*
 * attempts.h - attempts under way: takes from the lanes what may begin, posts it, judges the answer.
 *
 * Buyers are looked up at every attempt, so a new url, secret or limit holds at once.
 */
#ifndef LEADLINE_DISPATCHER_ATTEMPTS_H
#define LEADLINE_DISPATCHER_ATTEMPTS_H

#include "dispatcher/confirm.h"
#include "dispatcher/endpoints.h"
#include "dispatcher/give_back.h"
#include "dispatcher/lanes.h"
#include "dispatcher/record.h"
#include "proto/stage.h"

struct attempts;

/* connections: requests at once, over all buyers. Results go to record, what cannot be tried to back; of posts on whose answer a sale depends, both to confirm. */
struct attempts *attempts_new(struct stage *stage, struct lanes *lanes, struct record *record, struct give_back *back, struct confirm *confirm,
                              struct endpoints *endpoints, size_t connections);
void attempts_free(struct attempts **attempts); /* breaks off what is under way: those leases run out */

/* Begins whatever may begin. Called at the end of every turn. */
void attempts_begin(struct attempts *attempts);

/* Begins nothing any more but what a sale depends on; what else waits in the lanes is given back, in a lane with such posts behind them. */
void attempts_stop(struct attempts *attempts);

/* The catalog changed. */
void attempts_on_catalog(struct attempts *attempts);

size_t attempts_under_way(const struct attempts *attempts);

#endif
