#include "proto/reason.h"

static const struct {
    const char *word;
    int http;
    bool is_recorded;
    const char *title;
    const char *message;
} reasons[] = {
#define RECORDED true
#define UNRECORDED false
#define REASON(name, word, http, recorded, title, message) {word, http, recorded, title, message},
#include "proto/reason.def"
#undef REASON
};

const char *reason_word(enum reason reason)
{
    return reasons[reason].word;
}

int reason_http(enum reason reason)
{
    return reasons[reason].http;
}

bool reason_is_recorded(enum reason reason)
{
    return reasons[reason].is_recorded;
}

const char *reason_title(enum reason reason)
{
    return reasons[reason].title;
}

const char *reason_message(enum reason reason)
{
    return reasons[reason].message;
}

int reason_of(struct span word)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (span_is(word, reasons[i].word))
            return i;
    return -1;
}
