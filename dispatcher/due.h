/*
 * due.h - one delivery in this dispatcher's hands, from the moment it is taken until its row is written or given back.
 *
 * It waits in its buyer's lane, is under way, then its result waits to be recorded: always in exactly one list. Only one on whose answer a
 * sale depends may be under way while its result is recorded: when its time is over and the buyer may still answer.
 */
#ifndef LEADLINE_DISPATCHER_DUE_H
#define LEADLINE_DISPATCHER_DUE_H

#include "dispatcher/verdict.h"
#include "dispatcher/webhook.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;

enum { ANSWER_KEPT_BYTES = 2048 }; /* of what a buyer said, in table attempt */

/* What the attempt came to. */
struct result {
    enum verdict verdict;
    int http_status;     /* 0: no answer */
    int64_t begun_at_ms; /* wall clock */
    int64_t ended_at_ms; /* monotonic: the wait for the next attempt counts from here */
    int64_t took_ms;
    int64_t retry_in_ms; /* of VERDICT_RETRY */
    struct span answer;  /* owned; UTF-8 without NUL, at most ANSWER_KEPT_BYTES */
    int64_t price_cents; /* that the buyer named in its answer; -1: none */
    struct span reference, redirect_url; /* read from the answer, owned; absent: none */
    bool is_unlogged;    /* the database refuses the attempt's row: only the delivery is written */
};

/* Frees what it holds: no answer. */
void result_clear(struct result *result);

struct due;

/* Of a post on whose answer a sale depends: confirm.h. */
struct ask {
    char router[ID_BYTES_MOST + 1]; /* that waits for the verdict */
    char buyer[ID_BYTES_MOST + 1];
    int64_t until_ms;  /* monotonic: the end of its time */
    bool is_begun;     /* its request is under way */
    bool is_over;      /* its time: a yes is late from now on */
    bool is_recording; /* its result is being written */
    bool has_late;     /* and then this one has to be */
    struct result late;
    bool is_in_line;
    struct due *before, *behind; /* in the line of those whose time runs */
};

struct due {
    struct uuid id; /* the webhook-id */
    struct uuid lead_id;
    int attempt;            /* attempts recorded before this one: what the row must still say when the result is written */
    int attempts_before;    /* of those, before its latest replay */
    int64_t lease_until_ms; /* monotonic */
    int64_t sold_at_ms;
    bool is_event;          /* no lead's delivery */
    struct lane *lane; /* its buyer's; NULL when it is only to be given back */
    struct webhook *webhook; /* owned; NULL once the attempt was made */
    struct result result;
    struct ask *ask;  /* owned; NULL: an ordinary delivery */
    struct due *next; /* in the list that has it */
};

/* A copy of what is needed of the delivery, its webhook made in this format (NULL: the usual one); owned by the caller. */
struct due *due_new(const struct delivery *delivery, int64_t lease_until_ms, struct lane *lane, const struct format *format);
void due_free(struct due **due);

/* Which attempt is next, from 1, by the schedule: that begins anew with a replay. */
int due_turn(const struct due *due);

/* Frees the webhook: no further attempt will be made from here. */
void due_drop_webhook(struct due *due);

/* Where what an attempt comes to belongs: of one that is over, apart from the result that is written already. */
struct result *due_result(struct due *due);

/* The memory that it takes. */
size_t due_bytes(const struct due *due);

/* A list, first in first out. */
struct due_list {
    struct due *first, *last;
    size_t count;
};

void due_append(struct due_list *list, struct due *due);
void due_prepend(struct due_list *list, struct due *due);
struct due *due_shift(struct due_list *list); /* NULL when it is empty */
void due_insert(struct due_list *list, struct due *before, struct due *due); /* behind before, which is in the list; NULL: in front */
void due_remove(struct due_list *list, struct due *due); /* it is in the list */

#endif
