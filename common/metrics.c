#include "common/metrics.h"

#include "common/must.h"

#include <inttypes.h>
#include <string.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Upper bounds of a histogram's buckets, in nanoseconds and as Prometheus reads them. */
static const struct {
    int64_t ns;
    const char *text;
} bounds[] = {
    {500000, "0.0005"},     {1000000, "0.001"},     {2500000, "0.0025"},     {5000000, "0.005"},   {10000000, "0.01"},
    {25000000, "0.025"},    {50000000, "0.05"},     {100000000, "0.1"},      {250000000, "0.25"},  {500000000, "0.5"},
    {1000000000, "1"},      {2500000000, "2.5"},    {5000000000, "5"},       {10000000000, "10"},
};

enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

struct metric {
    struct metric *next; /* series of one name stand together, names in the order in which they were made */
    const char *name, *label, *help;
    enum kind kind;
    int64_t value;   /* of a histogram: how many observations */
    int64_t sum_ns;  /* of a histogram, as its buckets */
    int64_t *buckets; /* [BOUNDS], each with its own observations only */
};

static struct metric *first;

static struct metric *make(enum kind kind, const char *name, const char *label, const char *help)
{
    struct metric **at = &first, **behind = NULL;
    struct metric *metric;

    for (; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0) {
            must((*at)->kind == kind);
            if (strcmp((*at)->label != NULL ? (*at)->label : "", label != NULL ? label : "") == 0)
                return *at; /* asked for again: the same series */
            behind = &(*at)->next;
        }
    if (behind == NULL)
        behind = at;
    metric = must_zalloc(sizeof *metric);
    *metric = (struct metric){.next = *behind, .name = name, .label = label, .help = help, .kind = kind};
    if (kind == HISTOGRAM)
        metric->buckets = must_zalloc(BOUNDS * sizeof *metric->buckets);
    *behind = metric;
    return metric;
}

struct metric *metric_counter(const char *name, const char *label, const char *help)
{
    return make(COUNTER, name, label, help);
}

struct metric *metric_gauge(const char *name, const char *label, const char *help)
{
    return make(GAUGE, name, label, help);
}

struct metric *metric_histogram(const char *name, const char *label, const char *help)
{
    return make(HISTOGRAM, name, label, help);
}

void metric_add(struct metric *metric, int64_t value)
{
    metric->value += value;
}

void metric_set(struct metric *metric, int64_t value)
{
    must(metric->kind == GAUGE);
    metric->value = value;
}

int64_t metric_value(const struct metric *metric)
{
    return metric->value;
}

void metric_observe_ns(struct metric *metric, int64_t ns)
{
    size_t i = 0;

    must(metric->kind == HISTOGRAM);
    while (i < BOUNDS && ns > bounds[i].ns)
        i++;
    if (i < BOUNDS)
        metric->buckets[i]++;
    metric->value++;
    metric->sum_ns += ns;
}

static void print_name(const struct metric *metric, const char *suffix, const char *le, struct buf *out)
{
    const char *label = metric->label != NULL ? metric->label : "";

    buf_printf(out, "%s%s", metric->name, suffix);
    if (le != NULL)
        buf_printf(out, "{%s%sle=\"%s\"} ", label, *label != '\0' ? "," : "", le);
    else if (*label != '\0')
        buf_printf(out, "{%s} ", label);
    else
        buf_add_text(out, " ");
}

static void print_histogram(const struct metric *metric, struct buf *out)
{
    int64_t sum_ns = metric->sum_ns;
    int64_t so_far = 0;

    for (size_t i = 0; i < BOUNDS; i++) {
        so_far += metric->buckets[i];
        print_name(metric, "_bucket", bounds[i].text, out);
        buf_printf(out, "%" PRId64 "\n", so_far);
    }
    print_name(metric, "_bucket", "+Inf", out);
    buf_printf(out, "%" PRId64 "\n", metric->value);
    print_name(metric, "_sum", NULL, out);
    buf_printf(out, "%" PRId64 ".%09" PRId64 "\n", sum_ns / 1000000000, sum_ns % 1000000000);
    print_name(metric, "_count", NULL, out);
    buf_printf(out, "%" PRId64 "\n", metric->value);
}

void metrics_print(struct buf *out)
{
    static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    const char *name = "";

    for (const struct metric *metric = first; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) != 0) {
            name = metric->name;
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, metric->help, name, kinds[metric->kind]);
        }
        if (metric->kind == HISTOGRAM) {
            print_histogram(metric, out);
        } else {
            print_name(metric, "", NULL, out);
            buf_printf(out, "%" PRId64 "\n", metric->value);
        }
    }
}
