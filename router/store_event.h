/*
 * store_event.h - rows of the events that a batch makes (event.h): one for each endpoint that wants to know.
 */
#ifndef LEADLINE_ROUTER_STORE_EVENT_H
#define LEADLINE_ROUTER_STORE_EVENT_H

#include "common/db.h"
#include "router/decide.h"

extern const char store_write_events_sql[];

/* Adds what is to be written, if anything: nobody listens, nothing is done. */
void store_write_events(struct db_job *job, const struct decision *const *decisions, size_t count, const struct facts *facts);

#endif
