/* test_queue.c - common/queue.c: messages come in order, and a writer knows whether anybody reads. */
#include "common/queue.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 5000 };

static struct loop *loop;
static char folder[64], endpoint[96];
static size_t come, bytes_come;
static unsigned next;
static bool is_in_order;
static int odd, ups, downs;

#define TURN_UNTIL(condition)                                                        \
    do {                                                                             \
        int64_t end_ms_ = clock_mono_ms() + WAIT_MS;                                 \
        while (!(condition) && clock_mono_ms() < end_ms_)                            \
            loop_turn(loop, 20);                                                     \
        assert_true(condition);                                                      \
    } while (0)

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    strcpy(folder, "/tmp/leadline-unit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/q.sock", folder);
    come = bytes_come = 0;
    odd = ups = downs = 0;
    next = 0;
    is_in_order = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(&loop);
    unlink(endpoint + strlen("ipc://"));
    return rmdir(folder);
}

static void on_message(void *ctx, struct span message)
{
    unsigned number;

    (void)ctx;
    come++;
    bytes_come += message.len;
    if (message.len >= sizeof number) {
        memcpy(&number, message.ptr, sizeof number);
        is_in_order = is_in_order && number == next;
        next = number + 1;
    }
}

static void on_odd(void *ctx, const char *what, size_t bytes)
{
    (void)ctx, (void)bytes;
    assert_non_null(what);
    odd++;
}

static void on_state(void *ctx, bool is_up)
{
    (void)ctx;
    ups += is_up;
    downs += !is_up;
}

static struct queue_in *bind_queue(void)
{
    struct error err;
    struct queue_in *in = queue_bind(loop, endpoint, on_message, on_odd, NULL, &err);

    assert_non_null(in);
    return in;
}

static int push(struct queue_out *out, unsigned number, size_t bytes)
{
    char *message = calloc(1, bytes);
    int rc;

    memcpy(message, &number, sizeof number);
    rc = queue_push(out, (struct span){message, bytes});
    free(message);
    return rc;
}

static void messages_come_whole_and_in_order(void **state)
{
    struct queue_in *in = bind_queue();
    struct queue_out *out = queue_connect(loop, endpoint, on_state, NULL);

    (void)state;
    assert_false(queue_is_up(out));
    TURN_UNTIL(queue_is_up(out));
    assert_int_equal(ups, 1);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(push(out, i, 4 + i * 1000), 0);
    TURN_UNTIL(come == 50);
    assert_true(is_in_order);
    assert_int_equal(bytes_come, 50 * 4 + 1000 * (49 * 50 / 2));
    assert_int_equal(queue_push(out, SPAN("")), 0); /* an empty one is one */
    TURN_UNTIL(come == 51);
    assert_int_equal(push(out, 50, QUEUE_MESSAGE_MOST), 0);
    TURN_UNTIL(come == 52);
    assert_int_equal(push(out, 51, QUEUE_MESSAGE_MOST + 1), -1); /* too large is not sent */
    assert_int_equal(odd, 0);
    queue_out_close(&out, false);
    assert_null(out);
    queue_out_close(&out, false);
    queue_in_close(&in);
    assert_null(in);
    queue_in_close(&in);
}

static void nobody_reads(void **state)
{
    struct queue_out *out = queue_connect(loop, endpoint, on_state, NULL);
    struct queue_in *in;

    (void)state;
    assert_int_equal(push(out, 0, 10), -1);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 10);
    assert_int_equal(push(out, 0, 10), -1);
    assert_int_equal(ups + downs, 0);
    in = bind_queue(); /* who comes later is found */
    TURN_UNTIL(ups == 1);
    assert_int_equal(push(out, 0, 10), 0);
    TURN_UNTIL(come == 1);
    queue_in_close(&in);
    TURN_UNTIL(downs == 1);
    assert_false(queue_is_up(out));
    assert_int_equal(push(out, 1, 10), -1);
    in = bind_queue();
    TURN_UNTIL(ups == 2);
    assert_int_equal(push(out, 1, 10), 0);
    TURN_UNTIL(come == 2);
    assert_true(is_in_order);
    queue_out_close(&out, false);
    queue_in_close(&in);
}

static void who_does_not_read_is_full_at_last(void **state)
{
    struct queue_in *in = bind_queue();
    struct queue_out *out = queue_connect(loop, endpoint, on_state, NULL);
    unsigned sent = 0;

    (void)state;
    TURN_UNTIL(queue_is_up(out));
    queue_pause(in);
    for (int tries = 0; tries < 2000 && sent < 100000; tries++)
        if (push(out, sent, 60000) == 0)
            sent++;
        else
            loop_turn(loop, 1);
    assert_true(sent >= QUEUE_MESSAGES_MOST && sent < 6 * QUEUE_MESSAGES_MOST);
    assert_true(queue_is_up(out)); /* full is not gone */
    assert_true(come < sent);
    queue_resume(in);
    TURN_UNTIL(come == sent);
    assert_true(is_in_order);
    assert_int_equal(push(out, sent, 10), 0);
    TURN_UNTIL(come == sent + 1);
    queue_resume(in); /* twice is once */
    queue_out_close(&out, false);
    queue_in_close(&in);
}

static void what_was_pushed_still_leaves(void **state)
{
    struct queue_in *in = bind_queue();
    struct queue_out *out = queue_connect(loop, endpoint, on_state, NULL);

    (void)state;
    TURN_UNTIL(queue_is_up(out));
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(push(out, i, 50000), 0);
    queue_out_close(&out, true);
    TURN_UNTIL(come == 40);
    assert_true(is_in_order);
    queue_in_close(&in);
}

static void several_writers(void **state)
{
    struct queue_in *in = bind_queue();
    struct queue_out *outs[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        outs[i] = queue_connect(loop, endpoint, on_state, NULL);
    TURN_UNTIL(ups == 5);
    for (int i = 0; i < 5; i++)
        for (unsigned n = 0; n < 20; n++)
            assert_int_equal(push(outs[i], n, 100), 0);
    TURN_UNTIL(come == 100);
    for (int i = 0; i < 5; i++)
        queue_out_close(&outs[i], false);
    queue_in_close(&in);
}

static void a_socket_is_its_groups(void **state)
{
    struct queue_in *in = bind_queue();
    struct stat info;

    (void)state;
    assert_int_equal(stat(endpoint + strlen("ipc://"), &info), 0);
    assert_int_equal(info.st_mode & 0007, 0);
    assert_int_equal(info.st_mode & 0770, 0770);
    queue_in_close(&in);
}

static void a_wrong_endpoint_is_told(void **state)
{
    static const char begins[] = "cannot bind ipc:///tmp/leadline-no-such-folder/q.sock: ";
    struct error err = {""};

    (void)state;
    assert_null(queue_bind(loop, "ipc:///tmp/leadline-no-such-folder/q.sock", on_message, on_odd, NULL, &err));
    assert_true(strncmp(err.text, begins, strlen(begins)) == 0 && strlen(err.text) > strlen(begins));
    assert_null(queue_bind(loop, "nonsense", on_message, on_odd, NULL, &err));
}

/* Bytes that are no ZMTP, and somebody who says nothing at all. */
static void strangers_change_nothing(void **state)
{
    struct queue_in *in = bind_queue();
    struct queue_out *out;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int mute = socket(AF_UNIX, SOCK_STREAM, 0), noisy = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint + strlen("ipc://"));
    assert_int_equal(connect(mute, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(connect(noisy, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(write(noisy, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\nand more and more and more", 60) == 60);
    out = queue_connect(loop, endpoint, on_state, NULL);
    TURN_UNTIL(queue_is_up(out));
    assert_int_equal(push(out, 0, 10), 0);
    TURN_UNTIL(come == 1);
    close(mute);
    close(noisy);
    queue_out_close(&out, false);
    queue_in_close(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_come_whole_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_full_at_last, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_pushed_still_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(several_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_is_its_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_endpoint_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(strangers_change_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
