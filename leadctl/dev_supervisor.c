#include "leadctl/dev_supervisor.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/must.h"
#include "leadctl/dev_exec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_DELAY_MS = 250,
    SETTLED_MS = 10000, /* who ran so long starts at once again */
    KILL_WAIT_MS = 5000,
    SAME_STOP_MS = 1000, /* make and timeout pass a signal on that we have already: asking so soon again is the same asking */
};

struct child {
    struct supervisor *supervisor;
    struct child *next;
    struct child_options options;
    pid_t pid;
    int status;   /* of its last end */
    int failures; /* ends in a row, soon after the start */
    bool is_kept;
    int64_t started_ms;
    struct loop_timer *again;
};

struct supervisor {
    struct loop *loop;
    struct loop_timer *tick; /* turns supervisor_wait() */
    const char *run_dir;
    const char *marker;
    struct child *children;
    int signal_fd;
    struct loop_io *signal_io;
    bool hears_hup;
    int stops;
    int64_t stop_ms; /* when the last of them came */
};

static void spawn(struct child *child);

/* The pid file ------------------------------------------------------------------------------------------------------ */

static void pid_path(const struct child *child, struct buf *path)
{
    buf_printf(path, "%s/%s.pid", child->supervisor->run_dir, child->options.name);
}

/* Whoever reads the file finds a whole number in it, or no file. */
static void write_pid(const struct child *child)
{
    struct buf *path = buf_new(128), *draft = buf_new(128);
    FILE *file;
    bool is_written;

    pid_path(child, path);
    buf_printf(draft, "%s.new", buf_text(path));
    file = fopen(buf_text(draft), "we");
    is_written = file != NULL && fprintf(file, "%d\n", (int)child->pid) > 0;
    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (!is_written || rename(buf_text(draft), buf_text(path)) != 0)
        log_event(LOG_WARN, "child.pid_file", "name=%s why=%s", child->options.name, LOG_Q(strerror(errno)));
    buf_free(&draft);
    buf_free(&path);
}

static void remove_pid(const struct child *child)
{
    struct buf *path = buf_new(128);

    pid_path(child, path);
    unlink(buf_text(path));
    buf_free(&path);
}

/* Starting, ending ---------------------------------------------------------------------------------------------------- */

static void start_later(struct child *child)
{
    int64_t delay_ms = 0;

    if (child->failures > 0) {
        delay_ms = FIRST_DELAY_MS << (child->failures > 6 ? 6 : child->failures - 1);
        if (delay_ms > child->options.delay_most_ms)
            delay_ms = child->options.delay_most_ms;
    }
    child->failures++;
    loop_timer_set(child->again, delay_ms, 0);
}

static void on_again(void *ctx)
{
    struct child *child = ctx;

    if (child->is_kept)
        spawn(child);
}

static void spawn(struct child *child)
{
    pid_t parent = getpid();

    if (child->options.before_start != NULL)
        child->options.before_start(child->options.ctx);
    fflush(NULL);
    child->started_ms = clock_mono_ms();
    child->pid = fork();
    if (child->pid == 0)
        dev_exec(&child->options, child->supervisor->marker, parent);
    if (child->pid < 0) {
        child->pid = 0;
        child->status = 127 << 8;
        log_event(LOG_ERROR, "child.no_process", "name=%s why=%s", child->options.name, LOG_Q(strerror(errno)));
        if (child->is_kept)
            start_later(child);
        return;
    }
    setpgid(child->pid, child->pid);
    write_pid(child);
    log_event(LOG_DEBUG, "child.started", "name=%s pid=%d", child->options.name, (int)child->pid);
}

static void on_end(struct child *child, int status)
{
    pid_t pid = child->pid;
    bool was_killed = WIFSIGNALED(status);

    child->pid = 0;
    child->status = status;
    remove_pid(child);
    if (!child->is_kept) {
        if (child->options.is_kept && !was_killed && WEXITSTATUS(status) != 0) /* it was told to end, and ended badly */
            log_event(LOG_WARN, "child.ended", "name=%s pid=%d status=%d", child->options.name, (int)pid, WEXITSTATUS(status));
        return;
    }
    if (clock_mono_ms() - child->started_ms >= SETTLED_MS)
        child->failures = 0;
    log_event(LOG_WARN, "child.ended", "name=%s pid=%d %s=%d", child->options.name, (int)pid, was_killed ? "signal" : "status",
              was_killed ? WTERMSIG(status) : WEXITSTATUS(status));
    start_later(child);
}

static void on_child_signal(void *ctx, unsigned events)
{
    struct supervisor *supervisor = ctx;
    struct signalfd_siginfo info;
    int status;

    (void)events;
    while (read(supervisor->signal_fd, &info, sizeof info) == sizeof info)
        ;
    for (struct child *child = supervisor->children; child != NULL; child = child->next)
        if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            on_end(child, status);
}

static void on_signal(void *ctx, int number)
{
    struct supervisor *supervisor = ctx;
    int64_t now_ms = clock_mono_ms();

    if (number == SIGHUP && !supervisor->hears_hup)
        return;
    if (supervisor->stops > 0 && now_ms - supervisor->stop_ms < SAME_STOP_MS)
        return;
    supervisor->stops++;
    supervisor->stop_ms = now_ms;
}

static void on_tick(void *ctx)
{
    (void)ctx; /* the turn that it makes is all */
}

struct supervisor *supervisor_new(const char *run_dir, const char *marker)
{
    struct supervisor *supervisor = must_zalloc(sizeof *supervisor);
    struct sigaction hup;
    sigset_t signals;

    must(sigaction(SIGHUP, NULL, &hup) == 0);
    supervisor->hears_hup = hup.sa_handler != SIG_IGN; /* nohup */
    loop_block_signals();
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    must(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it */

    supervisor->run_dir = run_dir;
    supervisor->marker = marker;
    supervisor->loop = loop_new();
    supervisor->tick = loop_timer_new(supervisor->loop, on_tick, NULL);
    supervisor->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    must(supervisor->signal_fd >= 0);
    supervisor->signal_io = loop_watch(supervisor->loop, supervisor->signal_fd, LOOP_READ, on_child_signal, supervisor);
    loop_on_signal(supervisor->loop, on_signal, supervisor);
    return supervisor;
}

void supervisor_free(struct supervisor **supervisor)
{
    struct supervisor *self = *supervisor;
    struct child *child;

    if (self == NULL)
        return;
    while ((child = self->children) != NULL) {
        must(child->pid == 0);
        self->children = child->next;
        loop_timer_free(&child->again);
        free(child);
    }
    loop_unwatch(&self->signal_io);
    loop_timer_free(&self->tick);
    loop_free(&self->loop);
    close(self->signal_fd);
    free(self);
    *supervisor = NULL;
}

struct loop *supervisor_loop(struct supervisor *supervisor)
{
    return supervisor->loop;
}

int supervisor_stops(const struct supervisor *supervisor)
{
    return supervisor->stops;
}

bool supervisor_wait(struct supervisor *supervisor, int64_t timeout_ms, int stops, supervisor_done_fn *is_done, void *ctx)
{
    int64_t end_ms = clock_mono_ms() + timeout_ms;
    bool done;

    loop_timer_set(supervisor->tick, 20, 20);
    while (!(done = is_done(ctx)) && clock_mono_ms() < end_ms && supervisor->stops <= stops)
        loop_turn(supervisor->loop, 1000);
    loop_timer_stop(supervisor->tick);
    return done;
}

void supervisor_run(struct supervisor *supervisor)
{
    while (supervisor->stops == 0)
        loop_turn(supervisor->loop, -1);
}

struct child *child_start(struct supervisor *supervisor, const struct child_options *options)
{
    struct child *child = must_zalloc(sizeof *child);

    child->supervisor = supervisor;
    child->options = *options;
    child->is_kept = options->is_kept;
    child->again = loop_timer_new(supervisor->loop, on_again, child);
    child->next = supervisor->children;
    supervisor->children = child;
    spawn(child);
    return child;
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

const char *child_name(const struct child *child)
{
    return child->options.name;
}

void child_stop(struct child *child, int number)
{
    child->is_kept = false;
    loop_timer_stop(child->again);
    if (child->pid > 0)
        kill(child->pid, number);
}

bool child_is_over(const struct child *child)
{
    return child->pid == 0 && !child->is_kept;
}

int child_failures(const struct child *child)
{
    return child->failures;
}

static bool is_over(void *ctx)
{
    return child_is_over(ctx);
}

static void forget(struct child *child)
{
    struct child **at = &child->supervisor->children;

    while (*at != child)
        at = &(*at)->next;
    *at = child->next;
    loop_timer_free(&child->again);
    free(child);
}

int child_run(struct supervisor *supervisor, const struct child_options *options, int64_t timeout_ms, struct error *err)
{
    struct child *child = child_start(supervisor, options);
    const char *name = options->name;
    int rc = -1;

    if (!supervisor_wait(supervisor, timeout_ms, 0, is_over, child)) {
        if (supervisor->stops > 0)
            error_set(err, "asked to stop during %s", name);
        else
            error_set(err, "%s did not end within %lld s", name, (long long)timeout_ms / 1000);
        kill(-child->pid, SIGKILL); /* its group: initdb's own children, too */
        child_stop(child, SIGKILL);
        must(supervisor_wait(supervisor, KILL_WAIT_MS, INT32_MAX, is_over, child));
    } else if (WIFSIGNALED(child->status)) {
        error_set(err, "%s was ended by signal %d", name, WTERMSIG(child->status));
    } else if (WEXITSTATUS(child->status) != 0) {
        error_set(err, "%s failed with status %d", name, WEXITSTATUS(child->status));
    } else {
        rc = 0;
    }
    forget(child);
    return rc;
}
