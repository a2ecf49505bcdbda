/*
 * adopt.h - leads that are DISTRIBUTING and that nobody goes on with, because their router is gone.
 *
 * A look a second, at most one under way: what is past its deadline by ADOPT_AFTER_MS is read from its rows and put in line, as if its gateway
 * had sent it again; the batch settles it (confirm.h). Its supplier has been told 503; a repeat finds the answer in the row. Several
 * routers may adopt one lead: the row's lock lets one of them settle it.
 */
#ifndef LEADLINE_ROUTER_ADOPT_H
#define LEADLINE_ROUTER_ADOPT_H

#include "proto/stage.h"
#include "router/inbox.h"

struct adopt;

/* found: called when leads were put in line. */
struct adopt *adopt_new(struct stage *stage, struct inbox *inbox, void (*found)(void *ctx), void *ctx);
void adopt_free(struct adopt **adopt); /* after the stage's control connection has nothing under way for it, or at the end */

/* Looks, on the stage's control connection, unless a look is under way. */
void adopt_tick(struct adopt *adopt);

#endif
