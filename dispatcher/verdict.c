#include "dispatcher/verdict.h"

#include "common/must.h"

const char *verdict_word(enum verdict verdict)
{
    static const char *const words[] = {
#define VERDICT(name, word, meaning) word,
#include "proto/verdict.def"
#undef VERDICT
    };

    return words[verdict];
}

const char *verdict_state(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_ACCEPTED:
        return "DELIVERED";
    case VERDICT_REJECTED:
        return "REJECTED";
    case VERDICT_DUPLICATE:
        return "DUPLICATE";
    case VERDICT_RETRY:
        return "OPEN";
    case VERDICT_FAILED:
    case VERDICT_LATE:
        return "FAILED";
    case VERDICT_COUNT:
        break;
    }
    must(!"a verdict");
    return "";
}

enum verdict verdict_judge(enum outcome outcome, int attempt)
{
    switch (outcome) {
    case OUTCOME_ACCEPTED:
        return VERDICT_ACCEPTED;
    case OUTCOME_REJECTED:
        return VERDICT_REJECTED;
    case OUTCOME_DUPLICATE:
        return VERDICT_DUPLICATE;
    case OUTCOME_RETRY:
        break;
    }
    return attempt < ATTEMPTS_MOST ? VERDICT_RETRY : VERDICT_FAILED;
}
