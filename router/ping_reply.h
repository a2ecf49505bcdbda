/*
 * ping_reply.h - what a ping is answered (SPEC.md, 8). Pure, but for the nonce of its id.
 */
#ifndef LEADLINE_ROUTER_PING_REPLY_H
#define LEADLINE_ROUTER_PING_REPLY_H

#include "router/decide.h"

struct ping_reply {
    int status;
    struct span body; /* empty with 503: the gateway writes it */
    const char *word; /* for the count: "accepted", a reason of SPEC.md, 8, or "refused" */
};

/*
 * Answers a ping that decide_ping() has decided.
 *
 * keys    none: the answer is 503
 * now_ms  of the database's clock: the id lasts from then on
 * Texts live in the arena.
 */
struct ping_reply ping_reply(struct arena *arena, const struct ping_keys *keys, const struct decision *decision, int64_t now_ms);

#endif
