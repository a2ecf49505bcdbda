#include "dispatcher/answer.h"

#include "common/must.h"

#include <string.h>

static const struct span replacement = {"\xef\xbf\xbd", 3};

/* The first character: its bytes, or 0 when they are none that may be kept. */
static size_t character(struct span text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (span_is_utf8((struct span){text.ptr, len}))
            return text.ptr[0] == '\0' ? 0 : len;
    return 0;
}

struct span answer_text(struct span said, size_t most)
{
    char *text = must_alloc(most + 1);
    size_t len = 0;

    while (said.len > 0) {
        size_t whole = character(said);
        struct span piece = whole > 0 ? (struct span){said.ptr, whole} : replacement;

        if (len + piece.len > most)
            break;
        memcpy(text + len, piece.ptr, piece.len);
        len += piece.len;
        whole += whole == 0;
        said = (struct span){said.ptr + whole, said.len - whole};
    }
    text[len] = '\0';
    return (struct span){must_realloc(text, len + 1), len};
}
