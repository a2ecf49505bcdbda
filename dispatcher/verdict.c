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

enum verdict verdict_judge(int http_status, int attempt)
{
    if (http_status >= 200 && http_status <= 299)
        return VERDICT_ACCEPTED;
    return attempt < ATTEMPTS_MOST ? VERDICT_RETRY : VERDICT_FAILED;
}
