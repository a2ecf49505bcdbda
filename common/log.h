/*
 * log.h - one event, one line of key=value to standard error.
 *
 *     log_event(LOG_INFO, "neighbour.up", "stage=%s name=%s", stage, name);
 *     level=info event=neighbour.up stage=router name=router-2
 *
 * Numbers and ids only, never people: no name, phone, mail address, key or body.
 * An event that repeats is counted, not repeated: at most LOG_BURST lines of one event in ten seconds,
 * then one line with repeated=N. Debug lines are not counted: who switches them on wants every one.
 * Where the journal does not write the time itself, time=… ends the line.
 */
#ifndef LEADLINE_COMMON_LOG_H
#define LEADLINE_COMMON_LOG_H

#include "common/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum { LOG_BURST = 10 };

/* Lines below this level are not written. The level is one of the words debug, info, warn, error. Returns 0 or -1. */
int log_set_level(const char *level);

/* Every line carries this, "stage=router name=router-1 "; borrowed for ever. */
void log_set_origin(const char *origin);

/* Is this level written? */
int log_is_on(enum log_level level);

/* Writes the line. A value with blanks is the caller's to quote: use LOG_Q(text) with "%s". */
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes the repeated=N of events whose ten seconds are over; for a timer, because the next such event may never come. */
void log_tell_repeated(void);

/* The text in double quotes, control characters and quotes escaped, cut at 300 bytes; in one of eight turning buffers. */
const char *log_quote(struct span text);
#define LOG_Q(text) log_quote(span_of(text))

#endif
