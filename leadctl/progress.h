/*
 * progress.h - how far a long work is, as one line on standard error that is written over; only on a terminal.
 */
#ifndef LEADLINE_LEADCTL_PROGRESS_H
#define LEADLINE_LEADCTL_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress;

enum { PROGRESS_TEXT_BYTES = 192 };

/* How far it is. */
struct progress_state {
    int64_t done, total; /* in whatever unit; total -1: nobody knows */
    int64_t begun;       /* done before this run */
    int64_t count;       /* so many things since this run began */
    int64_t ms;          /* that it has been going on */
};

/* " 42 %  [########            ]  4,200,000 lines  165,000/s  0:35 left"; without a total only number and rate. Returns out. */
const char *progress_text(char out[PROGRESS_TEXT_BYTES], const struct progress_state *state, const char *things);

/* Owned by the caller. things: what is counted, "lines". begun: what an earlier run has done. */
struct progress *progress_new(const char *things, int64_t begun, int64_t total);
void progress_free(struct progress **progress); /* wipes the line */

/* Cheap: the line is written a few times a second. */
void progress_show(struct progress *progress, int64_t done, int64_t count);

#endif
