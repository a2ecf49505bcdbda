/*
 * admin.h - the small HTTP server at which operators look into a process (libmicrohttpd).
 *
 *     GET /metrics   numbers for Prometheus
 *     GET /healthz   200 as long as the loop turns
 *     GET /readyz    200 when the process can do its part, else 503 with the reason
 *
 * It is driven by the process's loop and never blocks; a few connections with short timeouts.
 */
#ifndef LEADLINE_COMMON_ADMIN_H
#define LEADLINE_COMMON_ADMIN_H

#include "common/error.h"
#include "common/loop.h"

struct admin;

/* Returns NULL when the process is ready, else why it is not, one line, borrowed until the next call. */
typedef const char *admin_ready_fn(void *ctx);

struct admin_options {
    const char *listen;         /* "127.0.0.1:PORT", "[::1]:PORT" (port 0: any free one) or "unix:/path"; borrowed for the call */
    admin_ready_fn *why_unready;
    loop_fn *before_metrics;    /* brings gauges up to date before they are printed; may be NULL */
    void *ctx;                  /* of both */
};

/* Is the text a place to listen at? Returns 0, or -1 with *err. */
int admin_check(const char *listen, struct error *err);

/*
 * Listens. A socket file that nobody listens at any more is replaced.
 * Returns the server, owned by the caller, or NULL with *err.
 */
struct admin *admin_open(struct loop *loop, const struct admin_options *options, struct error *err);

/* Closes all connections and removes the socket file. */
void admin_close(struct admin **admin);

/* Where it listens: "http://127.0.0.1:N" or "unix:/path". Borrowed. */
const char *admin_url(const struct admin *admin);

#endif
