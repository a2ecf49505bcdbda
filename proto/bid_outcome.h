/*
 * bid_outcome.h - what asking a buyer for a live bid came to, in words of bid_outcome.def.
 */
#ifndef LEADLINE_PROTO_BID_OUTCOME_H
#define LEADLINE_PROTO_BID_OUTCOME_H

#include "common/span.h"

enum bid_outcome {
#define BID_OUTCOME(name, word, meaning) BID_OUTCOME_##name,
#include "proto/bid_outcome.def"
#undef BID_OUTCOME
    BID_OUTCOMES
};

/* "NO_BID", as it stands in frames and in the trail. */
const char *bid_outcome_word(enum bid_outcome outcome);

/* "it does not want the lead". */
const char *bid_outcome_meaning(enum bid_outcome outcome);

/* The outcome of that word, or -1. */
int bid_outcome_of(struct span word);

#endif
