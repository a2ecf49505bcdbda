#include "proto/cap.h"

static const char *const words[] = {"hour", "day", "week", "month", "total"};

int window_of(struct span word)
{
    for (int i = 0; i < WINDOW_COUNT; i++)
        if (span_is(word, words[i]))
            return i;
    return -1;
}

const char *window_word(enum window window)
{
    return words[window];
}
