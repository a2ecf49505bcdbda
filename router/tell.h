/*
 * tell.h - who hears of a decision: the gateway its answer, the dispatchers their deliveries.
 *
 * To which dispatcher a delivery goes is part of its row (the lease), so that is chosen before the write; whoever is told is
 * told after the commit. What is lost on the way costs a delay: the gateway asks again, the sweep finds the row.
 */
#ifndef LEADLINE_ROUTER_TELL_H
#define LEADLINE_ROUTER_TELL_H

#include "proto/stage.h"
#include "router/decide.h"

struct tell;

struct tell *tell_new(struct stage *stage);
void tell_free(struct tell **tell);

/* Before the write: gives each delivery of the decision its id, and the dispatcher that its buyer belongs to; in the arena. */
void tell_prepare(struct tell *tell, struct arena *arena, const struct facts *facts, struct decision *decision);

/* After the commit: sends the answer, deliveries and posts. */
void tell_decision(struct tell *tell, const struct facts *facts, const struct decision *decision);

/* Answers a lead. body is empty where the gateway writes it; least_version: 0, or it is to be judged again by that catalog. */
void tell_answer(struct tell *tell, const struct lead *lead, int status, struct span body, int64_t least_version, bool is_recorded);

/* The same for one that cannot be decided now. */
void tell_unavailable(struct tell *tell, const struct lead *lead);

/* Leads answered since the start. */
int64_t tell_answered(const struct tell *tell);

#endif
