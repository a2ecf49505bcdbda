#include "proto/event.h"

#include <string.h>

const char *event_word(enum event_type type)
{
    static const char *const words[] = {
#define EVENT(name, word, meaning) word,
#include "proto/event.def"
#undef EVENT
    };

    return words[type];
}

unsigned event_set(struct span words)
{
    unsigned set = 0;

    while (words.len > 0) {
        const char *blank = memchr(words.ptr, ' ', words.len);
        struct span word = {words.ptr, blank != NULL ? (size_t)(blank - words.ptr) : words.len};

        for (int type = 0; type < EVENT_COUNT; type++)
            if (span_is(word, event_word((enum event_type)type)))
                set |= 1u << type;
        words.ptr += word.len + (blank != NULL);
        words.len -= word.len + (blank != NULL);
    }
    return set;
}
