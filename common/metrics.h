/*
 * metrics.h - numbers that Prometheus reads (text exposition format 0.0.4).
 *
 * A process has one registry. Counters and gauges are 64-bit integers that the owner
 * changes directly; histograms have fixed bounds in seconds.
 */
#ifndef LEADLINE_COMMON_METRICS_H
#define LEADLINE_COMMON_METRICS_H

#include "common/buf.h"

#include <stdint.h>

struct metric; /* one time series */

/*
 * Makes a series, for ever. name is complete ("leadline_leads_total"); label is NULL or one pair like
 * "status=\"sold\"" (series of one name are printed together, under one HELP and TYPE); help is one line. All borrowed for ever.
 * Asked for again with the same name and label, it gives the same series.
 */
struct metric *metric_counter(const char *name, const char *label, const char *help);
struct metric *metric_gauge(const char *name, const char *label, const char *help);
struct metric *metric_histogram(const char *name, const char *label, const char *help); /* 0.5 ms to 10 s */

void metric_add(struct metric *metric, int64_t value);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_value(const struct metric *metric);

/* Counts one observation of a histogram. */
void metric_observe_ns(struct metric *metric, int64_t ns);

/* Writes all series behind what out holds. */
void metrics_print(struct buf *out);

#endif
