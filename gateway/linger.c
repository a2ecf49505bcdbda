#include "gateway/linger.h"

#include "common/clock.h"
#include "common/must.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_A_TURN = 4 };

struct lingering {
    struct linger_set *set;
    struct lingering *before, *behind; /* oldest first */
    struct loop_io *io;
    int fd;
    int64_t until_ms;
};

struct linger_set {
    struct loop *loop;
    struct loop_timer *timer;
    struct lingering *first, *last;
    size_t count;
};

/* Throws away what came. Returns whether the client may still be there. */
static bool drain(int fd)
{
    static char rubbish[64 * 1024];
    ssize_t got = 1;

    for (int i = 0; i < READS_A_TURN && got > 0; i++)
        got = recv(fd, rubbish, sizeof rubbish, MSG_DONTWAIT);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void end(struct lingering *one)
{
    struct linger_set *set = one->set;

    loop_unwatch(&one->io);
    close(one->fd);
    *(one->before != NULL ? &one->before->behind : &set->first) = one->behind;
    *(one->behind != NULL ? &one->behind->before : &set->last) = one->before;
    set->count--;
    free(one);
}

static void on_readable(void *ctx, unsigned events)
{
    struct lingering *one = ctx;

    (void)events;
    if (!drain(one->fd))
        end(one);
}

static void on_timer(void *ctx)
{
    struct linger_set *set = ctx;
    int64_t now_ms = clock_mono_ms();

    while (set->first != NULL && set->first->until_ms <= now_ms)
        end(set->first);
    if (set->first != NULL)
        loop_timer_set(set->timer, set->first->until_ms - now_ms, 0);
}

struct linger_set *linger_new(struct loop *loop)
{
    struct linger_set *set = must_zalloc(sizeof *set);

    set->loop = loop;
    set->timer = loop_timer_new(loop, on_timer, set);
    return set;
}

void linger_free(struct linger_set **set)
{
    if (*set == NULL)
        return;
    while ((*set)->first != NULL)
        end((*set)->first);
    loop_timer_free(&(*set)->timer);
    free(*set);
    *set = NULL;
}

void linger_close(struct linger_set *set, int fd)
{
    struct lingering *one;

    if (set->count >= LINGER_MOST || shutdown(fd, SHUT_WR) != 0 || !drain(fd)) {
        close(fd);
        return;
    }
    one = must_zalloc(sizeof *one);
    one->set = set;
    one->fd = fd;
    one->until_ms = clock_mono_ms() + LINGER_MS;
    one->before = set->last;
    *(set->last != NULL ? &set->last->behind : &set->first) = one;
    set->last = one;
    set->count++;
    one->io = loop_watch(set->loop, fd, LOOP_READ, on_readable, one);
    if (!loop_timer_is_set(set->timer))
        loop_timer_set(set->timer, LINGER_MS, 0);
}

size_t linger_count(const struct linger_set *set)
{
    return set->count;
}
