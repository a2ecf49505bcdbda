/*
 * verdict.h - what one attempt to deliver came to, and what that makes of the delivery.
 *
 * Pure functions of the answer: no socket, no clock. The words are those of proto/verdict.def and of the
 * SQL type delivery_state.
 */
#ifndef LEADLINE_DISPATCHER_VERDICT_H
#define LEADLINE_DISPATCHER_VERDICT_H

#include "proto/response.h"

enum verdict {
#define VERDICT(name, word, meaning) VERDICT_##name,
#include "proto/verdict.def"
#undef VERDICT
    VERDICT_COUNT
};

enum { ATTEMPTS_MOST = 10 };

/* "ACCEPTED", as it stands in table attempt. */
const char *verdict_word(enum verdict verdict);

/* "DELIVERED": the state of a delivery after an attempt of that verdict. */
const char *verdict_state(enum verdict verdict);

/*
 * Judges an attempt.
 *
 * outcome  of the answer; OUTCOME_RETRY when there was none (not connected, timed out, broken off, refused by us)
 * attempt  which attempt this was, from 1
 */
enum verdict verdict_judge(enum outcome outcome, int attempt);

#endif
