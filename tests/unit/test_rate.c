/* Token buckets and what suppliers are told about them: gateway/rate.h, and shared by processes: gateway/ratefile.h. */
#include "common/error.h"
#include "gateway/rate.h"
#include "gateway/ratefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const int64_t SECOND = 1000000000, START = 1234567890123456789;
static const struct rate INGEST = {100, 1000};

/* Takes until refused; returns how many were allowed. */
static int64_t drain(uint64_t *word, const struct rate *rate, int64_t now_ns)
{
    struct rate_look look;

    for (int64_t count = 0;; count++) {
        *word = rate_take(*word, rate, now_ns, &look);
        if (!look.is_allowed)
            return count;
    }
}

static void a_full_bucket_holds_burst_and_a_second(void **state)
{
    uint64_t word = 0;

    (void)state;
    assert_int_equal(drain(&word, &INGEST, START), 1100);
    assert_int_equal(drain(&word, &INGEST, START), 0);
}

static void it_is_refilled_at_the_rate(void **state)
{
    uint64_t word = 0;

    (void)state;
    drain(&word, &INGEST, START);
    assert_int_equal(drain(&word, &INGEST, START + SECOND / 100 - 1), 0);
    assert_int_equal(drain(&word, &INGEST, START + SECOND / 100), 1);
    assert_int_equal(drain(&word, &INGEST, START + SECOND), 99);
    assert_int_equal(drain(&word, &INGEST, START + 1000 * SECOND), 1100);
}

static void every_rate_is_exact(void **state)
{
    static const struct rate rates[] = {{1, 0}, {1, 1000000}, {3, 7}, {10, 50}, {999999, 0}, {1000000, 1000000}};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint64_t word = 0;

        assert_int_equal(drain(&word, &rates[i], START), rates[i].per_second + rates[i].burst);
        assert_in_range(drain(&word, &rates[i], START + SECOND), rates[i].per_second, rates[i].per_second + rates[i].per_second / 900);
    }
}

static void a_refusal_costs_nothing_and_says_how_long(void **state)
{
    static const struct rate slow = {1, 2};
    uint64_t word = 0, before;
    struct rate_look look;

    (void)state;
    assert_int_equal(drain(&word, &slow, START), 3);
    before = word;
    word = rate_take(word, &slow, START + SECOND / 2, &look);
    assert_false(look.is_allowed);
    assert_int_equal(word, before);
    assert_int_equal(look.retry_after_s, 1);
    assert_int_equal(look.left, 0);
    word = 0;
    drain(&word, &INGEST, START);
    rate_take(word, &INGEST, START, &look);
    assert_int_equal(look.retry_after_s, 1); /* never 0 */
}

static void a_word_from_the_future_is_an_empty_bucket(void **state)
{
    static const uint64_t strange[] = {UINT64_MAX, INT64_MAX, (uint64_t)1 << 63};

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        uint64_t word = strange[i];

        assert_int_equal(drain(&word, &INGEST, START), 0);
        assert_int_equal(drain(&word, &INGEST, START + SECOND), 100);
    }
}

static void a_new_rate_holds_at_once(void **state)
{
    static const struct rate less = {10, 0};
    uint64_t word = 0;

    (void)state;
    drain(&word, &INGEST, START);
    assert_int_equal(drain(&word, &less, START), 0);
    assert_int_equal(drain(&word, &less, START + SECOND), 10);
}

static void a_host_has_its_share(void **state)
{
    struct rate half = rate_share(&INGEST, 50), least = rate_share(&(struct rate){1, 1}, 10);

    (void)state;
    assert_int_equal(half.per_second, 50);
    assert_int_equal(half.burst, 500);
    assert_int_equal(least.per_second, 1);
    assert_int_equal(least.burst, 0);
}

static const struct {
    const char *claim;
    struct rate rate;
    int64_t left;
    const char *policy, *limit;
} texts[] = {
    {"a fresh bucket", {100, 1000}, 1099, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1000;w=10", "\"ingest\";r=99;t=1"},
    {"the last of the second's", {100, 1000}, 1001, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1000;w=10", "\"ingest\";r=1;t=1"},
    {"at the burst", {100, 1000}, 1000, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1000;w=10", "\"ingest-burst\";r=1000;t=1"},
    {"in the burst", {100, 1000}, 799, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1000;w=10", "\"ingest-burst\";r=799;t=3"},
    {"empty", {100, 1000}, 0, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1000;w=10", "\"ingest-burst\";r=0;t=10"},
    {"a window is rounded up", {10, 51}, 0, "\"ingest\";q=10;w=1,\"ingest-burst\";q=51;w=6", "\"ingest-burst\";r=0;t=6"},
    {"a small burst", {100, 1}, 0, "\"ingest\";q=100;w=1,\"ingest-burst\";q=1;w=1", "\"ingest-burst\";r=0;t=1"},
    {"no burst", {5, 0}, 3, "\"ingest\";q=5;w=1", "\"ingest\";r=3;t=1"},
};

static void headers_say_what_is_nearest_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rate_look look = {.rate = texts[i].rate, .left = texts[i].left};
        char out[RATE_TEXT_BYTES];

        print_message("%s\n", texts[i].claim);
        assert_int_equal(rate_policy_text(&texts[i].rate, "ingest", out), strlen(texts[i].policy));
        assert_string_equal(out, texts[i].policy);
        assert_int_equal(rate_left_text(&look, "ingest", out), strlen(texts[i].limit));
        assert_string_equal(out, texts[i].limit);
    }
}

/* The shared file ----------------------------------------------------------------------------------------------------- */

static char path[64];

static int a_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/leadline-test-rate-%d", (int)getpid());
    unlink(path);
    return 0;
}

static int no_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int64_t drain_file(struct ratefile *file, const char *supplier, enum rate_kind kind, int64_t now_ns)
{
    struct rate_look look;
    int64_t count = 0;

    for (;; count++) {
        ratefile_take(file, span_of(supplier), kind, &INGEST, now_ns, &look);
        if (!look.is_allowed)
            return count;
    }
}

static void suppliers_and_kinds_have_their_own(void **state)
{
    struct error err;
    struct ratefile *file = ratefile_open("", 1024, &err);

    (void)state;
    assert_non_null(file);
    assert_int_equal(drain_file(file, "a", RATE_INGEST, START), 1100);
    assert_int_equal(drain_file(file, "b", RATE_INGEST, START), 1100);
    assert_int_equal(drain_file(file, "a", RATE_LOOKUP, START), 1100);
    assert_int_equal(drain_file(file, "a", RATE_INGEST, START), 0);
    ratefile_close(&file);
    assert_null(file);
}

static void a_full_table_still_limits_and_forgets_the_old(void **state)
{
    static const int64_t HOUR = 3600;
    struct error err;
    struct ratefile *file = ratefile_open("", 16, &err);
    char name[16];

    (void)state;
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "old-%d", i);
        drain_file(file, name, RATE_INGEST, START);
    }
    assert_in_range(drain_file(file, "one too many", RATE_INGEST, START), 0, 1100);
    assert_int_equal(drain_file(file, "one too many", RATE_INGEST, START), 0);
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "new-%d", i);
        assert_int_equal(drain_file(file, name, RATE_INGEST, START + 2 * HOUR * SECOND), 1100);
    }
    ratefile_close(&file);
}

static void processes_share_one_bucket(void **state)
{
    enum { PROCESSES = 4 };
    struct error err;
    int pipe_fds[2];
    int64_t sum = 0, part;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            struct ratefile *file = ratefile_open(path, 1024, &err);

            part = file != NULL ? drain_file(file, "shared", RATE_INGEST, START) : -100000;
            _exit(write(pipe_fds[1], &part, sizeof part) == sizeof part ? 0 : 1);
        }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(read(pipe_fds[0], &part, sizeof part), sizeof part);
        sum += part;
    }
    while (wait(NULL) > 0)
        ;
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_int_equal(sum, 1100);
}

static void it_outlives_a_restart(void **state)
{
    struct error err;
    struct ratefile *file = ratefile_open(path, 1024, &err);

    (void)state;
    assert_int_equal(drain_file(file, "kept", RATE_INGEST, START), 1100);
    ratefile_close(&file);
    file = ratefile_open(path, 1024, &err);
    assert_int_equal(drain_file(file, "kept", RATE_INGEST, START), 0);
    ratefile_close(&file);
}

static void another_file_is_left_alone(void **state)
{
    struct error err;
    struct stat after;
    FILE *file = fopen(path, "w");

    (void)state;
    fputs("something else", file);
    fclose(file);
    assert_null(ratefile_open(path, 1024, &err));
    assert_non_null(strstr(err.text, path));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, 14);
    assert_null(ratefile_open("/nowhere/rates", 1024, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_holds_burst_and_a_second),
        cmocka_unit_test(it_is_refilled_at_the_rate),
        cmocka_unit_test(every_rate_is_exact),
        cmocka_unit_test(a_refusal_costs_nothing_and_says_how_long),
        cmocka_unit_test(a_word_from_the_future_is_an_empty_bucket),
        cmocka_unit_test(a_new_rate_holds_at_once),
        cmocka_unit_test(a_host_has_its_share),
        cmocka_unit_test(headers_say_what_is_nearest_to_its_end),
        cmocka_unit_test(suppliers_and_kinds_have_their_own),
        cmocka_unit_test(a_full_table_still_limits_and_forgets_the_old),
        cmocka_unit_test_setup_teardown(processes_share_one_bucket, a_path, no_path),
        cmocka_unit_test_setup_teardown(it_outlives_a_restart, a_path, no_path),
        cmocka_unit_test_setup_teardown(another_file_is_left_alone, a_path, no_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
