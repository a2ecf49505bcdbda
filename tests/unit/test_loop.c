/* test_loop.c - common/loop.c: descriptors, timers, signals, the end of a turn. */
#include "common/loop.h"

#include "common/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;

/* What was called, in order, one letter each. */
static char calls[64];
static size_t call_count;

static void called(char letter)
{
    assert_true(call_count < sizeof calls - 1);
    calls[call_count++] = letter;
    calls[call_count] = '\0';
}

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    call_count = 0;
    calls[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(&loop);
    loop_free(&loop); /* NULL is accepted */
    return 0;
}

static void letter(void *ctx)
{
    called(*(const char *)ctx);
}

static void turn_until(size_t count)
{
    int64_t end_ms = clock_mono_ms() + 5000;

    while (call_count < count && clock_mono_ms() < end_ms)
        loop_turn(loop, 50);
    assert_int_equal(call_count, count);
}

/* Timers -------------------------------------------------------------------------------------------------------------- */

static void a_timer_runs_once_and_not_early(void **state)
{
    struct loop_timer *timer = loop_timer_new(loop, letter, "a");
    int64_t begun_ms = clock_mono_ms();

    (void)state;
    assert_false(loop_timer_is_set(timer));
    loop_timer_set(timer, 30, 0);
    assert_true(loop_timer_is_set(timer));
    turn_until(1);
    assert_true(clock_mono_ms() - begun_ms >= 29);
    assert_false(loop_timer_is_set(timer));
    loop_turn(loop, 20);
    assert_string_equal(calls, "a");
    loop_timer_free(&timer);
    assert_null(timer);
    loop_timer_free(&timer);
}

static void a_timer_repeats_until_it_is_stopped(void **state)
{
    struct loop_timer *timer = loop_timer_new(loop, letter, "a");

    (void)state;
    loop_timer_set(timer, 0, 5);
    turn_until(4);
    assert_true(loop_timer_is_set(timer));
    loop_timer_stop(timer);
    loop_turn(loop, 20);
    assert_string_equal(calls, "aaaa");
    loop_timer_free(&timer);
}

static void setting_again_replaces(void **state)
{
    struct loop_timer *late = loop_timer_new(loop, letter, "l"), *early = loop_timer_new(loop, letter, "e");

    (void)state;
    loop_timer_set(late, 0, 0);
    loop_timer_set(late, 40, 0);
    loop_timer_set(early, 3600000, 0);
    loop_timer_set(early, 10, 0);
    turn_until(2);
    assert_string_equal(calls, "el");
    loop_timer_free(&late);
    loop_timer_free(&early);
}

struct killer {
    struct loop_timer *self, *other;
};

static void free_both(void *ctx)
{
    struct killer *killer = ctx;

    called('k');
    loop_timer_free(&killer->self);
    loop_timer_free(&killer->other);
}

static void a_timer_may_free_itself_and_others(void **state)
{
    struct loop_timer *before = loop_timer_new(loop, letter, "b");
    struct killer killer = {NULL, NULL};

    (void)state;
    killer.other = loop_timer_new(loop, letter, "o");
    killer.self = loop_timer_new(loop, free_both, &killer); /* newer ones are called first */
    loop_timer_set(killer.other, 0, 1);
    loop_timer_set(killer.self, 0, 1);
    loop_timer_set(before, 0, 0);
    turn_until(2);
    loop_turn(loop, 10);
    assert_string_equal(calls, "kb");
    loop_timer_free(&before);
}

static void set_again(void *ctx)
{
    struct loop_timer **timer = ctx;

    called('s');
    if (call_count < 3)
        loop_timer_set(*timer, 0, 0);
}

static void a_timer_set_by_itself_comes_in_a_later_turn(void **state)
{
    struct loop_timer *timer = NULL;

    (void)state;
    timer = loop_timer_new(loop, set_again, &timer);
    loop_timer_set(timer, 0, 0);
    loop_turn(loop, 100);
    assert_string_equal(calls, "s");
    turn_until(3);
    loop_timer_free(&timer);
}

/* Descriptors --------------------------------------------------------------------------------------------------------- */

struct watched {
    int fds[2];
    struct loop_io *io, *victim;
    unsigned events;
};

static void open_pair(struct watched *w)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->fds), 0);
}

static void close_pair(struct watched *w)
{
    loop_unwatch(&w->io);
    close(w->fds[0]);
    close(w->fds[1]);
}

static void on_ready(void *ctx, unsigned events)
{
    struct watched *w = ctx;

    called('r');
    w->events = events;
    loop_unwatch(&w->victim);
}

static void readers_and_writers(void **state)
{
    struct watched w;
    char byte;

    (void)state;
    open_pair(&w);
    w.io = loop_watch(loop, w.fds[0], LOOP_READ, on_ready, &w);
    loop_turn(loop, 10);
    assert_int_equal(call_count, 0);
    assert_int_equal(write(w.fds[1], "x", 1), 1);
    loop_turn(loop, 1000);
    assert_int_equal(w.events, LOOP_READ);
    loop_turn(loop, 1000); /* it was not read: told again */
    assert_int_equal(call_count, 2);
    assert_int_equal(read(w.fds[0], &byte, 1), 1);
    loop_turn(loop, 10);
    assert_int_equal(call_count, 2);
    loop_set_events(w.io, LOOP_READ | LOOP_WRITE);
    loop_turn(loop, 1000);
    assert_int_equal(w.events, LOOP_WRITE);
    loop_set_events(w.io, LOOP_READ);
    loop_turn(loop, 10);
    assert_int_equal(call_count, 3);
    close(w.fds[1]); /* a hang-up is told as both */
    w.fds[1] = dup(w.fds[0]);
    loop_turn(loop, 1000);
    assert_int_equal(w.events, LOOP_READ | LOOP_WRITE);
    close_pair(&w);
}

/* Both are ready in one turn, and whoever is called first ends the other: that one is not called any more. */
static void a_descriptor_may_end_another_of_the_same_turn(void **state)
{
    struct watched one, two;

    (void)state;
    open_pair(&one);
    open_pair(&two);
    one.io = loop_watch(loop, one.fds[0], LOOP_WRITE, on_ready, &two);
    two.io = loop_watch(loop, two.fds[0], LOOP_WRITE, on_ready, &one);
    two.victim = two.io;
    one.victim = one.io;
    loop_turn(loop, 1000);
    assert_int_equal(call_count, 1);
    one.io = one.victim; /* whichever is left */
    two.io = two.victim;
    close_pair(&one);
    close_pair(&two);
}

/* The rest ------------------------------------------------------------------------------------------------------------ */

static void turns_end_in_order(void **state)
{
    struct loop_timer *timer = loop_timer_new(loop, letter, "t");

    (void)state;
    loop_on_turn_end(loop, letter, "1");
    loop_on_turn_end(loop, letter, "2");
    loop_timer_set(timer, 0, 0);
    loop_turn(loop, 1000);
    loop_turn(loop, 0);
    assert_string_equal(calls, "t1212");
    loop_timer_free(&timer);
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 200) == 1;
}

static void an_outer_loop_sees_when_a_turn_is_due(void **state)
{
    struct loop_timer *timer = loop_timer_new(loop, letter, "t");
    struct pollfd now = {.fd = loop_fd(loop), .events = POLLIN};

    (void)state;
    assert_int_equal(poll(&now, 1, 0), 0);
    loop_timer_set(timer, 20, 0); /* outside of a turn */
    assert_true(is_readable(loop_fd(loop)));
    loop_turn(loop, 0);
    assert_string_equal(calls, "t");
    assert_int_equal(poll(&now, 1, 0), 0);
    loop_timer_free(&timer);
}

static void stop(void *ctx)
{
    (void)ctx;
    called('s');
    loop_stop(loop);
}

static void it_runs_until_it_is_stopped(void **state)
{
    struct loop_timer *timer = loop_timer_new(loop, stop, NULL);

    (void)state;
    loop_timer_set(timer, 1, 1);
    assert_false(loop_is_stopped(loop));
    loop_run(loop);
    assert_true(loop_is_stopped(loop));
    assert_string_equal(calls, "s");
    loop_run(loop); /* at once */
    loop_timer_free(&timer);
}

static void on_signal(void *ctx, int number)
{
    (void)ctx;
    called(number == SIGTERM ? 'T' : number == SIGHUP ? 'H' : number == SIGINT ? 'I' : '?');
}

static void signals_come_as_calls(void **state)
{
    (void)state;
    loop_block_signals();
    kill(getpid(), SIGTERM); /* before anybody listens */
    loop_on_signal(loop, on_signal, NULL);
    turn_until(1);
    kill(getpid(), SIGHUP);
    turn_until(2);
    kill(getpid(), SIGINT);
    turn_until(3);
    kill(getpid(), SIGPIPE); /* is ignored */
    loop_turn(loop, 10);
    assert_string_equal(calls, "THI");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_timer_runs_once_and_not_early, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_repeats_until_it_is_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(setting_again_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_may_free_itself_and_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_set_by_itself_comes_in_a_later_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_and_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_descriptor_may_end_another_of_the_same_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(turns_end_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(an_outer_loop_sees_when_a_turn_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(it_runs_until_it_is_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_come_as_calls, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
