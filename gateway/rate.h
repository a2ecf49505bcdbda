/*
 * rate.h - a token bucket in one 64-bit word (the generic cell rate algorithm), and what a supplier is told about it.
 *
 * The bucket holds burst + per_second tokens and is refilled at per_second. The word is the moment, in nanoseconds of
 * clock_host_ns(), at which the bucket will be full again; 0, and every moment that is past, is a full bucket. So the word
 * means the same to every process of the host, and taking a token is one addition. Pure functions.
 */
#ifndef LEADLINE_GATEWAY_RATE_H
#define LEADLINE_GATEWAY_RATE_H

#include "proto/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one look at a bucket came to. */
struct rate_look {
    struct rate rate;      /* the limits that were applied */
    bool is_allowed;       /* a token was taken */
    int64_t left;          /* tokens that are left behind it */
    int64_t retry_after_s; /* when refused: whole seconds until there is a token again, at least 1 */
};

/*
 * Takes a token, if there is one.
 *
 * word    what the bucket holds; now_ns is of clock_host_ns()
 * Returns the bucket's new word: the same as before when the token was refused.
 */
uint64_t rate_take(uint64_t word, const struct rate *rate, int64_t now_ns, struct rate_look *look);

/* A host's part of a rate, percent of it, at least one a second. */
struct rate rate_share(const struct rate *rate, int64_t percent);

enum { RATE_TEXT_BYTES = 128 };

/* The values of RateLimit-Policy and RateLimit; name is "ingest", say. out has RATE_TEXT_BYTES. Return the length. */
size_t rate_policy_text(const struct rate *rate, const char *name, char *out);
size_t rate_left_text(const struct rate_look *look, const char *name, char *out);

#endif
