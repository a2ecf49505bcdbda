/*
 * must.h - what may never be false: our own bugs, and memory that ran out.
 *
 * must() ends the process and systemd starts it again. Nothing that came from
 * outside is ever a must(): that is refused or deferred (STYLE.md, Errors).
 */
#ifndef LEADLINE_COMMON_MUST_H
#define LEADLINE_COMMON_MUST_H

#include <stddef.h>

#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

void must_failed(const char *what, const char *file, int line) __attribute__((noreturn, cold));

/* malloc, calloc, realloc and strndup that cannot fail: the process ends instead. Owned by the caller. */
void *must_alloc(size_t bytes);
void *must_zalloc(size_t bytes);
void *must_realloc(void *ptr, size_t bytes);
char *must_copy(const char *text, size_t len);

#endif
