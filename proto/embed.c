#include "proto/embed.h"

#include <string.h>

/* Each file stands between two labels in the read-only data; embed_list.inc is made by the Makefile. */
#define LABEL_(name, line) name##line
#define LABEL(name, line) LABEL_(name, line)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#define EMBED(path)                                                                                                     \
    __asm__(".pushsection .rodata\n"                                                                                   \
            "leadline_embed_begin_" TEXT(__LINE__) ":\n"                                                               \
            ".incbin \"" path "\"\n"                                                                                   \
            "leadline_embed_end_" TEXT(__LINE__) ":\n"                                                                 \
            ".byte 0\n"                                                                                                \
            ".popsection\n");                                                                                          \
    extern const char LABEL(leadline_embed_begin_, __LINE__)[], LABEL(leadline_embed_end_, __LINE__)[];
#include "embed_list.inc"
#undef EMBED

static const struct {
    const char *path, *begin, *end;
} files[] = {
#define EMBED(path) {path, LABEL(leadline_embed_begin_, __LINE__), LABEL(leadline_embed_end_, __LINE__)},
#include "embed_list.inc"
#undef EMBED
};

struct span embed_find(const char *path)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].path, path) == 0)
            return (struct span){files[i].begin, (size_t)(files[i].end - files[i].begin)};
    return (struct span){NULL, 0};
}

const char *embed_path(size_t i)
{
    return i < sizeof files / sizeof *files ? files[i].path : NULL;
}
