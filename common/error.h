/*
 * error.h - why something did not work, as one sentence for a person.
 *
 * Below the stages a function returns 0, or -1 with a sentence in *err. Whoever
 * turns that into a verdict logs it, once.
 */
#ifndef LEADLINE_COMMON_ERROR_H
#define LEADLINE_COMMON_ERROR_H

struct error {
    char text[512];
};

/* Writes the sentence. Returns -1 always, so that a caller can say `return error_set(…)`. err may be NULL. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, followed by ": " and the text of errno. */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
