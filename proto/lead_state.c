#include "proto/lead_state.h"

static const char *const words[] = {
#define LEAD_STATE(name, meaning) #name,
#include "proto/lead_state.def"
#undef LEAD_STATE
};

const char *lead_state_word(enum lead_state state)
{
    return words[state];
}
