/*
 * event.h - what the operator's endpoints are told of a lead (SPEC.md, 9): which events a decision makes, and what they say.
 *
 * Pure. Nothing that the person has sent goes in, and no message that may quote it: the operator has that, and an event may end in a chat.
 */
#ifndef LEADLINE_ROUTER_EVENT_H
#define LEADLINE_ROUTER_EVENT_H

#include "common/buf.h"
#include "proto/event.h"
#include "router/decide.h"

enum { EVENTS_MOST = 2 }; /* of one decision */

/*
 * The events of a decision, in order: lead.created when it makes a row, and how the lead ended when it has. Returns how many. What makes
 * or changes no row makes no event.
 */
size_t event_types(const struct decision *decision, enum event_type types[EVENTS_MOST]);

/* Appends the body of one of them. at_us: the one time of the batch. */
void event_print(const struct decision *decision, enum event_type type, int64_t at_us, struct buf *out);

#endif
