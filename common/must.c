#include "common/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "level=error event=bug at=%s:%d must=\"%s\"\n", file, line, what);
    abort();
}

void *must_alloc(size_t bytes)
{
    void *ptr = malloc(bytes > 0 ? bytes : 1);

    must(ptr != NULL);
    return ptr;
}

void *must_zalloc(size_t bytes)
{
    void *ptr = calloc(1, bytes > 0 ? bytes : 1);

    must(ptr != NULL);
    return ptr;
}

void *must_realloc(void *ptr, size_t bytes)
{
    ptr = realloc(ptr, bytes > 0 ? bytes : 1);
    must(ptr != NULL);
    return ptr;
}

char *must_copy(const char *text, size_t len)
{
    char *copy = must_alloc(len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
