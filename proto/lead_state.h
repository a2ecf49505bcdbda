/*
 * lead_state.h - the states of a lead (SPEC.md, 3).
 */
#ifndef LEADLINE_PROTO_LEAD_STATE_H
#define LEADLINE_PROTO_LEAD_STATE_H

enum lead_state {
#define LEAD_STATE(name, meaning) LEAD_##name,
#include "proto/lead_state.def"
#undef LEAD_STATE
    LEAD_STATE_COUNT
};

/* "ACCEPTED", as in answers and in the database. */
const char *lead_state_word(enum lead_state state);

#endif
