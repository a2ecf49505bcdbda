#include "common/loop.h"

#include "common/clock.h"
#include "common/must.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64, TURN_ENDS_MOST = 8 };

struct loop_io {
    struct loop *loop;
    struct loop_io *next_dead;
    int fd;
    bool is_dead; /* unwatched: freed at the end of the turn, because epoll may have told of it already */
    loop_io_fn *fn;
    void *ctx;
};

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    int64_t due_ns; /* 0: not set */
    int64_t repeat_ns;
    loop_fn *fn;
    void *ctx;
};

struct loop {
    int epoll_fd;
    int timer_fd;
    int signal_fd;
    int64_t armed_ns; /* what timer_fd is set to, 0: nothing */
    bool is_stopped;
    struct loop_io *dead;
    struct loop_timer *timers;
    struct loop_timer *next_timer; /* of the walk that is under way */
    struct loop_io *timer_io, *signal_io;
    loop_signal_fn *on_signal;
    void *signal_ctx;
    struct {
        loop_fn *fn;
        void *ctx;
    } turn_ends[TURN_ENDS_MOST];
    int turn_end_count;
};

static uint32_t to_epoll(unsigned events)
{
    return (events & LOOP_READ ? EPOLLIN : 0u) | (events & LOOP_WRITE ? EPOLLOUT : 0u);
}

struct loop_io *loop_watch(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *ctx)
{
    struct loop_io *io = must_zalloc(sizeof *io);
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = io};

    io->loop = loop;
    io->fd = fd;
    io->fn = fn;
    io->ctx = ctx;
    must(epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
    return io;
}

void loop_set_events(struct loop_io *io, unsigned events)
{
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = io};

    must(epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) == 0);
}

void loop_unwatch(struct loop_io **io)
{
    if (*io == NULL)
        return;
    epoll_ctl((*io)->loop->epoll_fd, EPOLL_CTL_DEL, (*io)->fd, NULL);
    (*io)->is_dead = true;
    (*io)->next_dead = (*io)->loop->dead;
    (*io)->loop->dead = *io;
    *io = NULL;
}

static void bury(struct loop *loop)
{
    struct loop_io *io;

    while ((io = loop->dead) != NULL) {
        loop->dead = io->next_dead;
        free(io);
    }
}

/* Sets timer_fd to the next timer, so that loop_fd() is readable then. */
static void arm(struct loop *loop)
{
    int64_t first = 0;
    struct itimerspec spec = {0};

    for (struct loop_timer *t = loop->timers; t != NULL; t = t->next)
        if (t->due_ns != 0 && (first == 0 || t->due_ns < first))
            first = t->due_ns;
    if (first == loop->armed_ns)
        return;
    loop->armed_ns = first;
    spec.it_value.tv_sec = first / 1000000000;
    spec.it_value.tv_nsec = first % 1000000000;
    must(timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
}

static void on_timer_fd(void *ctx, unsigned events)
{
    struct loop *loop = ctx;
    int64_t now = clock_mono_ns();
    uint64_t ticks;

    (void)events;
    if (read(loop->timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
        must(errno == EINTR);
    loop->armed_ns = 0;
    for (struct loop_timer *t = loop->timers; t != NULL; t = loop->next_timer) {
        loop->next_timer = t->next;
        if (t->due_ns == 0 || t->due_ns > now)
            continue;
        t->due_ns = t->repeat_ns > 0 ? now + t->repeat_ns : 0;
        t->fn(t->ctx); /* may free t */
    }
    loop->next_timer = NULL;
}

static void on_signal_fd(void *ctx, unsigned events)
{
    struct loop *loop = ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(loop->signal_fd, &info, sizeof info) == sizeof info)
        if (loop->on_signal != NULL)
            loop->on_signal(loop->signal_ctx, (int)info.ssi_signo);
}

static void our_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void loop_block_signals(void)
{
    sigset_t set;

    our_signals(&set);
    must(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
}

void loop_on_signal(struct loop *loop, loop_signal_fn *fn, void *ctx)
{
    sigset_t set;

    our_signals(&set);
    loop->on_signal = fn;
    loop->signal_ctx = ctx;
    loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    must(loop->signal_fd >= 0);
    loop->signal_io = loop_watch(loop, loop->signal_fd, LOOP_READ, on_signal_fd, loop);
}

struct loop *loop_new(void)
{
    struct loop *loop = must_zalloc(sizeof *loop);

    loop->signal_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    must(loop->epoll_fd >= 0 && loop->timer_fd >= 0);
    loop->timer_io = loop_watch(loop, loop->timer_fd, LOOP_READ, on_timer_fd, loop);
    return loop;
}

void loop_free(struct loop **loop)
{
    if (*loop == NULL)
        return;
    loop_unwatch(&(*loop)->timer_io);
    loop_unwatch(&(*loop)->signal_io);
    bury(*loop);
    close((*loop)->timer_fd);
    close((*loop)->epoll_fd);
    if ((*loop)->signal_fd >= 0)
        close((*loop)->signal_fd);
    free(*loop);
    *loop = NULL;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *ctx)
{
    struct loop_timer *timer = must_zalloc(sizeof *timer);

    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    timer->next = loop->timers;
    loop->timers = timer;
    return timer;
}

void loop_timer_free(struct loop_timer **timer)
{
    struct loop_timer **at;

    if (*timer == NULL)
        return;
    for (at = &(*timer)->loop->timers; *at != *timer; at = &(*at)->next)
        must(*at != NULL);
    *at = (*timer)->next;
    if ((*timer)->loop->next_timer == *timer)
        (*timer)->loop->next_timer = (*timer)->next;
    free(*timer);
    *timer = NULL;
}

void loop_timer_set(struct loop_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    struct loop *loop = timer->loop;

    timer->due_ns = clock_mono_ns() + (delay_ms > 0 ? delay_ms : 0) * 1000000;
    timer->repeat_ns = repeat_ms * 1000000;
    if (loop->armed_ns == 0 || timer->due_ns < loop->armed_ns)
        arm(loop);
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->due_ns = 0;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->due_ns != 0;
}

void loop_on_turn_end(struct loop *loop, loop_fn *fn, void *ctx)
{
    must(loop->turn_end_count < TURN_ENDS_MOST);
    loop->turn_ends[loop->turn_end_count].fn = fn;
    loop->turn_ends[loop->turn_end_count++].ctx = ctx;
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, timeout_ms);

    must(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        struct loop_io *io = events[i].data.ptr;
        uint32_t got = events[i].events;
        bool is_broken = got & (EPOLLERR | EPOLLHUP);

        if (!io->is_dead)
            io->fn(io->ctx, (got & EPOLLIN || is_broken ? LOOP_READ : 0u) | (got & EPOLLOUT || is_broken ? LOOP_WRITE : 0u));
    }
    for (int i = 0; i < loop->turn_end_count; i++)
        loop->turn_ends[i].fn(loop->turn_ends[i].ctx);
    bury(loop);
    arm(loop);
}

void loop_run(struct loop *loop)
{
    while (!loop->is_stopped)
        loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}

bool loop_is_stopped(const struct loop *loop)
{
    return loop->is_stopped;
}

int loop_fd(const struct loop *loop)
{
    return loop->epoll_fd;
}
