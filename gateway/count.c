#include "gateway/count.h"

#include "common/metrics.h"
#include "common/must.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_LEAST = 100, STATUS_MOST = 599 };

static struct metric *answers[ROUTE_COUNT][STATUS_MOST + 1]; /* made when first needed */
static struct metric *seconds[ROUTE_COUNT];
static struct metric *overloads[OVERLOAD_COUNT];
static struct metric *resends, *open_requests, *open_bytes, *connections_now;

static const char *label(const char *format, const char *word, int number)
{
    char text[80];

    snprintf(text, sizeof text, format, word, number);
    return must_copy(text, strlen(text)); /* for ever */
}

void count_init(void)
{
    static const char *const kinds[OVERLOAD_COUNT] = {
        [OVERLOAD_OPEN_BYTES] = "open_bytes", [OVERLOAD_NO_VALIDATOR] = "no_validator", [OVERLOAD_LOOKUPS] = "lookups",
        [OVERLOAD_CONNECTIONS] = "connections", [OVERLOAD_INPUT_BYTES] = "input_bytes",
    };

    for (int i = 0; i < ROUTE_COUNT; i++)
        seconds[i] = metric_histogram("leadline_request_seconds", label("path=\"%s\"", route_word((enum route)i), 0),
                                      "Time from a request's last byte to its answer.");
    for (int i = 0; i < OVERLOAD_COUNT; i++)
        overloads[i] = metric_counter("leadline_overload_total", label("kind=\"%s\"", kinds[i], 0),
                                      "Requests and connections turned away because there was no room.");
    resends = metric_counter("leadline_resends_total", NULL, "Leads that were sent to a validator again.");
    open_requests = metric_gauge("leadline_open_requests", NULL, "Leads that wait for their answer.");
    open_bytes = metric_gauge("leadline_open_bytes", NULL, "Memory of the leads that wait for their answer.");
    connections_now = metric_gauge("leadline_connections", NULL, "HTTP connections.");
}

void count_answer(enum route route, int status, int64_t took_ns)
{
    struct metric **series;

    if (status < STATUS_LEAST || status > STATUS_MOST)
        return;
    series = &answers[route][status];
    if (*series == NULL)
        *series = metric_counter("leadline_requests_total", label("path=\"%s\",status=\"%d\"", route_word(route), status),
                                 "Requests answered.");
    metric_add(*series, 1);
    metric_observe_ns(seconds[route], took_ns);
}

void count_resend(void)
{
    metric_add(resends, 1);
}

void count_overload(enum overload kind)
{
    metric_add(overloads[kind], 1);
}

void count_open(size_t requests, size_t bytes)
{
    metric_set(open_requests, (int64_t)requests);
    metric_set(open_bytes, (int64_t)bytes);
}

void count_connections(size_t connections)
{
    metric_set(connections_now, (int64_t)connections);
}
