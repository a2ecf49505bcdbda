/* test_neighbour.c - proto/neighbour.c: rendezvous, turns, and frames gathered by turn. */
#include "proto/neighbour.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 3000, NAMES = 5, WAIT_MS = 5000 };

static const struct span all_names[NAMES] = {{"router-1", 8}, {"router-2", 8}, {"router-3", 8}, {"router-4", 8}, {"router-5", 8}};

static struct span key_of(int n, char *out)
{
    sprintf(out, "campaign_%d", n);
    return span_of(out);
}

/* Who of the first `count` names owns the key: exactly one says so. */
static int owner_of(struct span key, const struct span *names, size_t count)
{
    int owner = -1;

    for (size_t i = 0; i < count; i++)
        if (rendezvous_is_mine(key, names[i], names, count)) {
            assert_int_equal(owner, -1);
            owner = (int)i;
        }
    assert_int_not_equal(owner, -1);
    return owner;
}

static void every_key_has_one_owner_and_all_have_alike(void **state)
{
    char text[32];

    (void)state;
    for (size_t count = 1; count <= NAMES; count++) {
        int owned[NAMES] = {0};

        for (int n = 0; n < KEYS; n++)
            owned[owner_of(key_of(n, text), all_names, count)]++;
        for (size_t i = 0; i < count; i++)
            if (abs(owned[i] - KEYS / (int)count) > KEYS / (int)count / 5)
                fail_msg("%zu of %zu owns %d of %d", i, count, owned[i], KEYS);
    }
}

static void only_the_keys_of_the_gone_one_move(void **state)
{
    struct span left[NAMES - 1];
    int moved_to[NAMES] = {0};
    char text[32];

    (void)state;
    for (size_t gone = 0; gone < NAMES; gone++) {
        size_t count = 0;

        for (size_t i = 0; i < NAMES; i++)
            if (i != gone)
                left[count++] = all_names[i];
        for (int n = 0; n < KEYS; n++) {
            struct span key = key_of(n, text);
            struct span before = all_names[owner_of(key, all_names, NAMES)], after = left[owner_of(key, left, count)];

            if (span_equal(before, all_names[gone]))
                moved_to[after.ptr[7] - '1']++;
            else
                assert_true(span_equal(before, after));
        }
    }
    for (size_t i = 0; i < NAMES; i++)
        assert_true(moved_to[i] > KEYS / NAMES / 2); /* they are spread over the others */
}

static void the_order_of_names_does_not_matter(void **state)
{
    struct span reversed[NAMES];
    char text[32];

    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        reversed[NAMES - 1 - i] = all_names[i];
    for (int n = 0; n < 200; n++) {
        struct span key = key_of(n, text);

        assert_int_equal(owner_of(key, all_names, NAMES), NAMES - 1 - owner_of(key, reversed, NAMES));
        assert_true(rendezvous_is_mine(key, all_names[0], NULL, 0)); /* alone, and before its own row is there */
    }
}

/* With sockets: readers in this process ------------------------------------------------------------------------------- */

struct reader {
    struct queue_in *queue;
    char endpoint[96];
    int frames;
    size_t items;
    bool is_in_order;
    int64_t next;
    struct span sender;
    size_t largest;
};

static struct loop *loop;
static char folder[64];
static int ups, downs;

static void on_message(void *ctx, struct span message)
{
    struct reader *reader = ctx;
    struct arena *arena = arena_new();
    struct answer answer;
    struct frame frame;
    struct error err;

    assert_int_equal(frame_open(&frame, message, &err), 0);
    assert_true(span_is(frame.sender, "validator-1"));
    assert_true(frame.kind == FRAME_ANSWERS || frame.kind == FRAME_LEADS);
    for (size_t i = 0; frame.kind == FRAME_ANSWERS && i < frame.count; i++) {
        assert_int_equal(frame_next_answer(&frame, arena, &answer, &err), 0);
        reader->is_in_order = reader->is_in_order && answer.status == reader->next;
        reader->next = answer.status + 1;
    }
    reader->frames++;
    reader->items += frame.count;
    reader->largest = message.len > reader->largest ? message.len : reader->largest;
    frame_close(&frame);
    arena_free(&arena);
}

static void on_odd(void *ctx, const char *what, size_t bytes)
{
    (void)ctx, (void)bytes;
    fail_msg("odd: %s", what);
}

static void on_state(void *ctx, struct neighbour *neighbour, bool is_up)
{
    (void)ctx, (void)neighbour;
    ups += is_up;
    downs += !is_up;
}

static void open_reader(struct reader *reader, int number)
{
    struct error err;

    memset(reader, 0, sizeof *reader);
    reader->is_in_order = true;
    snprintf(reader->endpoint, sizeof reader->endpoint, "ipc://%s/r%d.sock", folder, number);
    reader->queue = queue_bind(loop, reader->endpoint, on_message, on_odd, reader, &err);
    assert_non_null(reader->queue);
}

static struct neighbour_row row_of(const struct reader *reader, int number, bool is_stopping, bool is_fresh)
{
    return (struct neighbour_row){all_names[number], span_of(reader->endpoint), is_stopping, is_fresh};
}

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
    log_set_level("error");
    loop = loop_new();
    strcpy(folder, "/tmp/leadline-unit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    ups = downs = 0;
    return 0;
}

static int teardown(void **state)
{
    char path[96];

    (void)state;
    loop_free(&loop);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/r%d.sock", folder, i);
        unlink(path);
    }
    return rmdir(folder);
}

static int give(struct neighbour *neighbour, int number, size_t bytes)
{
    static char filler[1 << 16];
    struct answer answer = {.status = number, .body = {filler, bytes}};
    struct buf *item = buf_new(64);
    int rc;

    memset(filler, 'x', sizeof filler);
    answer.id.bytes[0] = 1;
    frame_put_answer(item, &answer);
    rc = neighbour_add(neighbour, FRAME_ANSWERS, buf_span(item));
    buf_free(&item);
    return rc;
}

static void one_turn_makes_one_frame(void **state)
{
    struct neighbours *all = neighbours_new(loop, "router", "validator-1", on_state, NULL);
    struct neighbour_row rows[1];
    struct reader reader;
    struct neighbour *n;

    (void)state;
    open_reader(&reader, 0);
    rows[0] = row_of(&reader, 0, false, true);
    neighbours_update(all, rows, 1);
    assert_null(neighbours_by_name(all, all_names[0])); /* introduced is not up */
    assert_null(neighbours_by_turn(all));
    assert_null(neighbours_by_key(all, SPAN("x")));
    TURN_UNTIL(ups == 1);
    assert_int_equal(neighbours_up(all), 1);
    n = neighbours_by_name(all, all_names[0]);
    assert_true(n != NULL && neighbours_by_turn(all) == n && neighbours_by_key(all, SPAN("x")) == n);
    assert_true(span_equal(neighbour_name(n), all_names[0]));
    for (int i = 0; i < 100; i++)
        assert_int_equal(give(n, i, 10), 0);
    TURN_UNTIL(reader.items == 100);
    assert_int_equal(reader.frames, 1);
    assert_true(reader.is_in_order);
    reader.next = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(give(n, i, 60000), 0); /* a large turn is cut */
    TURN_UNTIL(reader.items == 120);
    assert_true(reader.frames > 5 && reader.is_in_order && reader.largest < 3 * FRAME_BYTES_WANTED / 2);
    assert_int_equal(neighbours_waiting(all), 0);
    neighbours_free(&all);
    assert_null(all);
    queue_in_close(&reader.queue);
}

static void a_full_neighbour_takes_no_more(void **state)
{
    struct neighbours *all = neighbours_new(loop, "router", "validator-1", on_state, NULL);
    struct neighbour_row rows[1];
    struct reader reader;
    struct neighbour *n;
    int given = 0;

    (void)state;
    open_reader(&reader, 0);
    rows[0] = row_of(&reader, 0, false, true);
    neighbours_update(all, rows, 1);
    TURN_UNTIL(ups == 1);
    n = neighbours_by_name(all, all_names[0]);
    queue_pause(reader.queue);
    while (given < 5000 && give(n, given, 60000) == 0) {
        given++;
        if (given % 4 == 0)
            loop_turn(loop, 0);
    }
    assert_true(given < 5000);
    assert_true(neighbours_waiting(all) >= OUTBOX_BYTES && neighbours_waiting(all) < OUTBOX_BYTES + 8 * FRAME_BYTES_WANTED);
    assert_null(neighbours_by_turn(all));                        /* full ones are passed over by turn */
    assert_ptr_equal(neighbours_by_key(all, SPAN("x")), n);      /* but keep their keys */
    queue_resume(reader.queue);
    TURN_UNTIL(reader.items == (size_t)given && neighbours_waiting(all) == 0); /* and in order */
    assert_true(reader.is_in_order);
    assert_int_equal(give(n, given, 10), 0);
    TURN_UNTIL(reader.items == (size_t)given + 1);
    neighbours_free(&all);
    queue_in_close(&reader.queue);
}

static void neighbours_come_and_go(void **state)
{
    struct neighbours *all = neighbours_new(loop, "router", "validator-1", on_state, NULL);
    struct neighbour_row rows[3];
    struct reader readers[3];
    int owned[3] = {0};
    char text[32];

    (void)state;
    for (int i = 0; i < 3; i++) {
        open_reader(&readers[i], i);
        rows[i] = row_of(&readers[i], i, false, i < 2); /* the third has not beaten for long */
    }
    neighbours_update(all, rows, 3);
    TURN_UNTIL(ups == 2);
    assert_int_equal(neighbours_up(all), 2);
    for (int i = 0; i < 6; i++)
        give(neighbours_by_turn(all), i, 10);
    TURN_UNTIL(readers[0].items == 3 && readers[1].items == 3); /* by turns */
    for (int n = 0; n < 300; n++)
        owned[neighbour_name(neighbours_by_key(all, key_of(n, text))).ptr[7] - '1']++;
    assert_true(owned[0] > 100 && owned[1] > 100 && owned[2] == 0);
    for (int n = 0; n < 300; n++) /* as everybody else finds it */
        assert_true(span_equal(neighbour_name(neighbours_by_key(all, key_of(n, text))), all_names[owner_of(key_of(n, text), all_names, 2)]));

    rows[0].is_stopping = true;
    neighbours_update(all, rows, 3);
    assert_int_equal(neighbours_up(all), 1);
    assert_true(span_equal(neighbour_name(neighbours_by_turn(all)), all_names[1]));
    assert_true(span_equal(neighbour_name(neighbours_by_key(all, key_of(1, text))), all_names[1]));
    assert_non_null(neighbours_by_name(all, all_names[0])); /* what is its own still reaches it */
    rows[0].is_stopping = false;

    queue_in_close(&readers[1].queue); /* dies without a word; its row stays */
    TURN_UNTIL(downs == 1);
    assert_null(neighbours_by_name(all, all_names[1]));
    neighbours_update(all, rows, 3);
    assert_true(span_equal(neighbour_name(neighbours_by_key(all, key_of(2, text))), all_names[0]));
    open_reader(&readers[1], 1);
    TURN_UNTIL(ups == 3);

    rows[0].is_fresh = false; /* no beat, but a connection: the registry only introduces */
    neighbours_update(all, rows, 3);
    assert_non_null(neighbours_by_name(all, all_names[0]));
    neighbours_update(all, NULL, 0);
    assert_int_equal(neighbours_up(all), 2);
    queue_in_close(&readers[0].queue);
    TURN_UNTIL(downs == 2);
    neighbours_update(all, rows, 3);
    assert_null(neighbours_by_name(all, all_names[0]));

    rows[1].endpoint = span_of(readers[2].endpoint); /* the name moved */
    neighbours_update(all, rows, 3);
    assert_int_equal(downs, 3);
    TURN_UNTIL(ups == 4);
    give(neighbours_by_name(all, all_names[1]), 0, 10);
    TURN_UNTIL(readers[2].items == 1);
    neighbours_free(&all);
    queue_in_close(&readers[1].queue);
    queue_in_close(&readers[2].queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_one_owner_and_all_have_alike),
        cmocka_unit_test(only_the_keys_of_the_gone_one_move),
        cmocka_unit_test(the_order_of_names_does_not_matter),
        cmocka_unit_test_setup_teardown(one_turn_makes_one_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_neighbour_takes_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(neighbours_come_and_go, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
