#include "gateway/loop.h"

#include "common/must.h"

#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <stdlib.h>

enum { WAIT_MS = 1000 };

struct outer_loop {
    struct loop *inner;
    h2o_evloop_t *h2o;
    h2o_socket_t *wake; /* readable when the inner loop has something to do */
};

static void on_wake(h2o_socket_t *socket, const char *err)
{
    (void)socket;
    (void)err; /* nothing: that the round ends is all that is wanted */
}

struct outer_loop *outer_loop_new(struct loop *inner)
{
    struct outer_loop *outer = must_zalloc(sizeof *outer);
    int fd = fcntl(loop_fd(inner), F_DUPFD_CLOEXEC, 0);

    must(fd >= 0);
    outer->inner = inner;
    outer->h2o = h2o_evloop_create();
    outer->wake = h2o_evloop_socket_create(outer->h2o, fd, H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(outer->wake, on_wake);
    return outer;
}

void outer_loop_free(struct outer_loop **outer)
{
    if (*outer == NULL)
        return;
    h2o_socket_close((*outer)->wake);
    outer_loop_settle(*outer);
    h2o_evloop_destroy((*outer)->h2o);
    free(*outer);
    *outer = NULL;
}

struct st_h2o_evloop_t *outer_loop_h2o(struct outer_loop *outer)
{
    return outer->h2o;
}

/* What the inner turn answered has left h2o with callbacks to run: then it must not wait. */
static bool has_pending(const h2o_evloop_t *h2o)
{
    return h2o->_pending_as_server != NULL || h2o->_pending_as_client != NULL;
}

static void round_of_h2o(struct outer_loop *outer, int32_t wait_ms)
{
    must(h2o_evloop_run(outer->h2o, has_pending(outer->h2o) ? 0 : wait_ms) == 0 || errno == EINTR);
}

void outer_loop_run(struct outer_loop *outer)
{
    while (!loop_is_stopped(outer->inner)) {
        round_of_h2o(outer, WAIT_MS);
        loop_turn(outer->inner, 0);
    }
}

void outer_loop_settle(struct outer_loop *outer)
{
    round_of_h2o(outer, 0);
}
