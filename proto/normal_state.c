#include "proto/ascii.h"
#include "proto/normal.h"

#include <string.h>

enum { NAME_BYTES_MOST = 40 };

static const struct {
    const char *code;
    const char *name;
} states[] = {
#define US_STATE(code, name) {#code, name},
#include "proto/us_state.def"
#undef US_STATE
};

/* The letters alone, in lower case. Returns absent when there is anything but letters, blanks, dots and commas, or too much. */
static struct span letters_of(struct span text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.ptr[i]);

        if (c == ' ' || c == '\t' || c == '.' || c == ',')
            continue;
        if (!ascii_is_letter(c) || len == NAME_BYTES_MOST)
            return (struct span){NULL, 0};
        out[len++] = c;
    }
    return (struct span){out, len};
}

struct span normal_state(struct arena *arena, struct span text)
{
    char room[NAME_BYTES_MOST];
    struct span letters = letters_of(span_trim(text), room);

    (void)arena; /* codes are ours, for ever */
    if (letters.len < 2)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (span_is(letters, states[i].name) || span_equal_nocase(letters, (struct span){states[i].code, 2}))
            return (struct span){states[i].code, 2};
    return (struct span){NULL, 0};
}
