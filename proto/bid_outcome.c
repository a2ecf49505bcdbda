#include "proto/bid_outcome.h"

static const struct { const char *word, *meaning; } outcomes[] = {
#define BID_OUTCOME(name, word, meaning) {word, meaning},
#include "proto/bid_outcome.def"
#undef BID_OUTCOME
};

const char *bid_outcome_word(enum bid_outcome outcome)
{
    return outcomes[outcome].word;
}

const char *bid_outcome_meaning(enum bid_outcome outcome)
{
    return outcomes[outcome].meaning;
}

int bid_outcome_of(struct span word)
{
    for (int i = 0; i < BID_OUTCOMES; i++)
        if (span_is(word, outcomes[i].word))
            return i;
    return -1;
}
