/* test_inbox.c - router/inbox.c: in order, each id once, and the frame's memory as long as its leads. */
#include "router/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A lead whose raw text has that many bytes. */
static struct lead lead_of(struct arena *arena, int number, size_t bytes)
{
    struct lead lead = {.raw = {arena_alloc(arena, bytes + 1), bytes}};

    lead.id.bytes[15] = (uint8_t)number;
    return lead;
}

/* Adds leads of one frame. Returns how many were taken. */
static int add(struct inbox *inbox, int from, int to, size_t bytes)
{
    struct arena *arena = arena_new();
    struct arena *own = arena;
    struct hold *hold = hold_new(&arena);
    int taken = 0;

    assert_null(arena);
    for (int i = from; i <= to; i++) {
        struct lead lead = lead_of(own, i, bytes);

        taken += inbox_add(inbox, &lead, hold, 1000 + i);
    }
    hold_release(&hold);
    assert_null(hold);
    return taken;
}

/* The numbers of a list, "1 2 3". */
static const char *numbers(const struct entry *list, char *out)
{
    size_t len = 0;

    out[0] = '\0';
    for (; list != NULL; list = list->next)
        len += (size_t)sprintf(out + len, "%s%d", len > 0 ? " " : "", list->lead.id.bytes[15]);
    return out;
}

static void end_all(struct inbox *inbox, struct entry *list)
{
    struct entry *next;

    for (; list != NULL; list = next) {
        next = list->next;
        inbox_done(inbox, &list);
        assert_null(list);
    }
}

static const struct {
    const char *claim;
    size_t most, most_bytes;
    const char *first, *second; /* what two takings give */
} rows[] = {
    {"all", 10, SIZE_MAX, "1 2 3 4 5", ""},
    {"at most so many", 2, SIZE_MAX, "1 2", "3 4"},
    {"just as many", 5, SIZE_MAX, "1 2 3 4 5", ""},
    {"at most so many bytes", 10, 7000, "1 2", "3 4"},
    {"one at least", 10, 1, "1", "2"},
    {"none", 0, SIZE_MAX, "", ""},
};

static void leads_are_taken_in_order(void **state)
{
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct inbox *inbox = inbox_new();
        struct entry *one, *two;

        assert_int_equal(add(inbox, 1, 3, 1000) + add(inbox, 4, 5, 1000), 5);
        one = inbox_take(inbox, rows[i].most, rows[i].most_bytes);
        two = inbox_take(inbox, rows[i].most, rows[i].most_bytes);
        if (strcmp(numbers(one, text), rows[i].first) != 0 || strcmp(numbers(two, text), rows[i].second) != 0)
            fail_msg("%s: %s", rows[i].claim, text);
        end_all(inbox, one);
        end_all(inbox, two);
        inbox_free(&inbox);
        assert_null(inbox);
    }
}

static void an_id_is_in_hand_once(void **state)
{
    struct inbox *inbox = inbox_new();
    struct entry *taken;

    (void)state;
    assert_int_equal(add(inbox, 1, 3, 10), 3);
    assert_int_equal(add(inbox, 2, 4, 10), 1);
    taken = inbox_take(inbox, 2, SIZE_MAX);
    assert_int_equal(add(inbox, 1, 4, 10), 0); /* in the batch, too */
    end_all(inbox, taken);
    assert_int_equal(add(inbox, 1, 4, 10), 2); /* answered: taken again */
    assert_int_equal(inbox_waiting(inbox), 4);
    inbox_free(&inbox);
}

static void a_batch_goes_back_to_the_front(void **state)
{
    struct inbox *inbox = inbox_new();
    struct entry *taken, *next;
    char text[64];

    (void)state;
    add(inbox, 1, 4, 10);
    taken = inbox_take(inbox, 3, SIZE_MAX);
    assert_int_equal(inbox_waiting(inbox), 1);
    add(inbox, 5, 5, 10);
    inbox_put_back(inbox, taken);
    assert_int_equal(inbox_waiting(inbox), 5);
    inbox_put_back(inbox, NULL);
    taken = inbox_take(inbox, 9, SIZE_MAX);
    assert_string_equal(numbers(taken, text), "1 2 3 4 5");
    next = taken->next;
    inbox_done(inbox, &taken); /* its first one is answered meanwhile */
    inbox_put_back(inbox, next);
    add(inbox, 6, 6, 10); /* the end is still the end */
    taken = inbox_take(inbox, 9, SIZE_MAX);
    assert_string_equal(numbers(taken, text), "2 3 4 5 6");
    end_all(inbox, taken);
    add(inbox, 7, 7, 10);
    assert_string_equal(numbers(inbox_take(inbox, 0, 0), text), "");
    assert_int_equal(inbox_waiting(inbox), 1);
    inbox_free(&inbox);
}

static void bytes_are_those_in_hand(void **state)
{
    struct inbox *inbox = inbox_new();
    struct entry *taken;
    size_t small;

    (void)state;
    assert_int_equal(inbox_bytes(inbox), 0);
    add(inbox, 1, 1, 0);
    small = inbox_bytes(inbox);
    assert_true(small >= sizeof(struct entry));
    add(inbox, 2, 2, 60000);
    assert_true(inbox_bytes(inbox) >= 2 * small + 2 * 60000);
    taken = inbox_take(inbox, 9, SIZE_MAX);
    assert_true(inbox_bytes(inbox) >= 2 * small + 2 * 60000); /* also in a batch */
    end_all(inbox, taken);
    assert_int_equal(inbox_bytes(inbox), 0);
    inbox_free(&inbox);
    inbox_free(&inbox); /* NULL is accepted */
}

/* The sanitizers see it when a lead's text is gone before it, or never. */
static void a_frame_lives_as_long_as_its_last_lead(void **state)
{
    struct inbox *inbox = inbox_new();
    struct arena *arena = arena_new(), *own = arena;
    struct hold *hold = hold_new(&arena);
    struct entry *taken;

    (void)state;
    for (int i = 1; i <= 3; i++) {
        struct lead lead = lead_of(own, i, 0);

        lead.raw = arena_copy(own, SPAN("{\"n\":1}"));
        assert_true(inbox_add(inbox, &lead, hold, 5000));
    }
    hold_release(&hold);
    end_all(inbox, inbox_take(inbox, 2, SIZE_MAX));
    taken = inbox_take(inbox, 1, SIZE_MAX);
    assert_true(span_is(taken->lead.raw, "{\"n\":1}"));
    assert_int_equal(taken->expires_ms, 5000);
    end_all(inbox, taken);
    arena = arena_new(); /* a frame of which nothing was taken */
    hold = hold_new(&arena);
    hold_release(&hold);
    inbox_free(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_are_taken_in_order),
        cmocka_unit_test(an_id_is_in_hand_once),
        cmocka_unit_test(a_batch_goes_back_to_the_front),
        cmocka_unit_test(bytes_are_those_in_hand),
        cmocka_unit_test(a_frame_lives_as_long_as_its_last_lead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
