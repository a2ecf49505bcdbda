/* test_log.c - common/log.c: the line, quoting, and the counting of what repeats. Time stands still here unless told. */
#include "common/log.h"

#include "common/clock.h"
#include "common/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* In place of common/clock.c, which the linker therefore leaves out. */
static int64_t now_ms = 1000000;

int64_t clock_mono_ms(void)
{
    return now_ms;
}

int64_t clock_wall_ms(void)
{
    return now_ms;
}

const char *clock_text(int64_t at_ms, char *out)
{
    snprintf(out, CLOCK_TEXT_BYTES, "at-%d", (int)at_ms);
    return out;
}

static FILE *file; /* stands for standard error */
static int true_stderr;

static int catch_lines(void **state)
{
    (void)state;
    file = tmpfile();
    true_stderr = dup(STDERR_FILENO);
    must(file != NULL && true_stderr >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    now_ms += 100000;
    log_tell_repeated();
    must(ftruncate(fileno(file), 0) == 0 && lseek(fileno(file), 0, SEEK_SET) == 0);
    log_set_origin("");
    log_set_level("info");
    return 0;
}

static int let_go(void **state)
{
    (void)state;
    dup2(true_stderr, STDERR_FILENO);
    close(true_stderr);
    return fclose(file);
}

/* All that was written since the last call. */
static const char *lines(void)
{
    static char text[32768];
    ssize_t len = pread(fileno(file), text, sizeof text - 1, 0);

    must(len >= 0 && ftruncate(fileno(file), 0) == 0 && lseek(fileno(file), 0, SEEK_SET) == 0);
    text[len] = '\0';
    return text;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void one_line(void **state)
{
    char want[200];

    (void)state;
    log_event(LOG_INFO, "neighbour.up", "stage=%s name=%s", "router", "router-2");
    snprintf(want, sizeof want, "level=info event=neighbour.up stage=router name=router-2 time=at-%d\n", (int)now_ms);
    assert_string_equal(lines(), want);
    log_set_origin("instance=router-1 ");
    log_event(LOG_ERROR, "db.gone", "%s", "");
    snprintf(want, sizeof want, "level=error event=db.gone instance=router-1 time=at-%d\n", (int)now_ms);
    assert_string_equal(lines(), want);
    log_event(LOG_WARN, "odd", "text=%s", "two\nlines\x7f");
    snprintf(want, sizeof want, "level=warn event=odd instance=router-1 text=two?lines? time=at-%d\n", (int)now_ms);
    assert_string_equal(lines(), want);
}

static void levels(void **state)
{
    (void)state;
    log_event(LOG_DEBUG, "level.test", "n=1");
    assert_string_equal(lines(), "");
    assert_int_equal(log_set_level("debug"), 0);
    assert_true(log_is_on(LOG_DEBUG));
    log_event(LOG_DEBUG, "level.test", "n=2");
    assert_int_equal(count_lines(lines()), 1);
    assert_int_equal(log_set_level("error"), 0);
    assert_false(log_is_on(LOG_WARN));
    log_event(LOG_WARN, "level.test", "n=3");
    assert_string_equal(lines(), "");
    assert_int_equal(log_set_level("loud"), -1);
    assert_false(log_is_on(LOG_WARN));
}

static void a_long_line_is_cut(void **state)
{
    char *text = must_zalloc(20001);
    const char *got;

    (void)state;
    memset(text, 'x', 20000);
    log_event(LOG_INFO, "long", "text=%s", text);
    got = lines();
    assert_int_equal(count_lines(got), 1);
    assert_true(strlen(got) > 4000 && strlen(got) < 4200);
    assert_non_null(strstr(got, " time=at-"));
    free(text);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < LOG_BURST + 25; i++) {
        log_event(LOG_WARN, "again", "n=%d", i);
        log_event(LOG_WARN, i < 3 ? "rare" : "again", "n=%d", i); /* another event has its own count */
    }
    {
        const char *got = lines();

        assert_int_equal(count_lines(got), LOG_BURST + 3);
        assert_null(strstr(got, "repeated="));
    }
    now_ms += 9999;
    log_event(LOG_WARN, "again", "n=x");
    log_tell_repeated();
    assert_string_equal(lines(), "");
    now_ms += 1;
    log_tell_repeated();
    {
        const char *got = lines();

        assert_int_equal(count_lines(got), 1);
        assert_non_null(strstr(got, "level=warn event=again repeated=58 "));
    }
    log_tell_repeated();
    assert_string_equal(lines(), "");
    log_event(LOG_WARN, "again", "n=y"); /* and begins anew */
    assert_int_equal(count_lines(lines()), 1);
}

static void the_next_event_tells_too(void **state)
{
    const char *got;

    (void)state;
    for (int i = 0; i < LOG_BURST + 1; i++)
        log_event(LOG_ERROR, "next", "n=%d", i);
    lines();
    now_ms += 10000;
    log_event(LOG_ERROR, "next", "n=last");
    got = lines();
    assert_int_equal(count_lines(got), 2);
    assert_non_null(strstr(got, "level=error event=next repeated=1 "));
    assert_non_null(strstr(got, "n=last"));
}

static void debug_is_not_counted(void **state)
{
    (void)state;
    log_set_level("debug");
    for (int i = 0; i < 5 * LOG_BURST; i++)
        log_event(LOG_DEBUG, "every.lead", "n=%d", i);
    assert_int_equal(count_lines(lines()), 5 * LOG_BURST);
}

static void many_events_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        char event[24];

        snprintf(event, sizeof event, "made.up.%d", i);
        log_event(LOG_INFO, event, "n=%d", i);
    }
    assert_in_range(count_lines(lines()), LOG_BURST, 512 + LOG_BURST);
    now_ms += 10000;
    log_tell_repeated();
    assert_non_null(strstr(lines(), "event=other repeated="));
}

static void quoting(void **state)
{
    static const struct { const char *claim; struct span text; const char *want; } rows[] = {
        {"plain", SPAN("two words"), "\"two words\""},
        {"nothing", {NULL, 0}, "\"\""},
        {"quotes and backslashes", SPAN("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {"control characters", SPAN("a\nb\t\x01\x7f\0"), "\"a\\nb\\x09\\x01\\x7f\\x00\""},
        {"UTF-8 stays", SPAN("caf\xc3\xa9"), "\"caf\xc3\xa9\""},
        {"what is no UTF-8 is shown as bytes", SPAN("caf\xe9"), "\"caf\\xe9\""},
    };
    char longer[402];
    const char *got;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(log_quote(rows[i].text), rows[i].want) != 0)
            fail_msg("%s: got %s", rows[i].claim, log_quote(rows[i].text));
    memset(longer, 'x', 299);
    for (int i = 299; i < 401; i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    got = log_quote((struct span){longer, 401});
    assert_int_equal(strlen(got), 1 + 299 + 3 + 1); /* 300 would cut a character in halves */
    assert_string_equal(got + 290, "xxxxxxxxxx...\"");
    memset(longer, '\x02', 300);
    assert_int_equal(strlen(log_quote((struct span){longer, 300})), 1200 + 2);
    got = log_quote(SPAN("first"));
    for (int i = 0; i < 7; i++)
        LOG_Q("later");
    assert_string_equal(got, "\"first\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(levels, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(repeats_are_counted, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(the_next_event_tells_too, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(debug_is_not_counted, catch_lines, let_go),
        cmocka_unit_test_setup_teardown(many_events_are_bounded, catch_lines, let_go),
        cmocka_unit_test(quoting),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
