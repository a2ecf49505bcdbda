/*
 * response.h - what a buyer's answer means: `responses`, first match wins (SPEC.md, 9).
 *
 * All that a rule names must hold:
 *
 *   status          the HTTP status is one of these
 *   pointer         the answer is JSON and something stands there; null is something
 *   equals          … and is equal to this. Numbers are compared as such; a text is equal to a number or a boolean written alike
 *   value_contains  … and its text contains this; of an object or a list, its compact JSON
 *   contains        the answer contains this text, JSON or not. Both without regard to the case of A-Z
 *   matches         the pattern is found in the answer, without regard to case; not in bytes that are no UTF-8, nor when the search
 *                   gives up (common/pattern.h)
 *
 * A rule may read price, reference and redirect_url from the answer by pointer. When no rule matches, 2xx is ACCEPTED and anything
 * else RETRY. Pure functions of the answer; compiled by proto/response_read.h. An answer is judged by what was read of it
 * (HTTP_ANSWER_BYTES): JSON that was cut is no JSON. A byte order mark in front of it, keys that are there twice and numbers of any
 * length do no harm (json_parse_loose()).
 */
#ifndef LEADLINE_PROTO_RESPONSE_H
#define LEADLINE_PROTO_RESPONSE_H

#include "common/arena.h"
#include "common/pattern.h"
#include "common/span.h"

#include <stdbool.h>
#include <stdint.h>

enum outcome {
#define OUTCOME(name, word, meaning) OUTCOME_##name,
#include "proto/outcome.def"
#undef OUTCOME
};

enum { REFERENCE_BYTES_MOST = 256, REDIRECT_BYTES_MOST = 2048 };

struct status_range {
    int from, until; /* both inside */
};

struct response {
    struct status_range *statuses; /* none: any */
    size_t status_count;
    struct span pointer;        /* absent, with NULL: none is asked for. So are these: */
    struct span equals;         /* the JSON text */
    struct span value_contains, contains; /* as response_lower() gives them */
    const struct pattern *matches;
    enum outcome outcome;
    struct span price, reference, redirect_url; /* pointers; absent: nothing is read */
};

struct responses {
    struct response *rules;
    size_t rule_count;
};

/* What an answer came to. */
struct judged {
    enum outcome outcome;
    int rule;                 /* its index; -1: none matched */
    int64_t price_cents;      /* -1: none was read, or what stood there is no amount */
    struct span reference;    /* the buyer's own id; absent when there was none, or one that is longer than REFERENCE_BYTES_MOST */
    struct span redirect_url; /* http or https, else absent */
    int gave_up;              /* patterns whose search took too long */
};

/*
 * Judges an answer.
 *
 * responses    the buyer's; NULL: none
 * http_status  above 0: without an answer there is nothing to judge
 * out          its texts live in the arena
 */
void response_judge(const struct responses *responses, int http_status, struct span body, struct arena *arena, struct judged *out);

/* The text with A-Z in lower case, in the arena. */
struct span response_lower(struct arena *arena, struct span text);

const char *outcome_word(enum outcome outcome);

/* The outcome of that word, or -1. */
int outcome_of(struct span word);

#endif
