/* test_breaker.c - dispatcher/breaker.c: when an endpoint is left alone, and when it is tried again. */
#include "dispatcher/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PAUSE_MS = 30000 };

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void what_fails(void **state)
{
    static const struct { const char *claim; enum verdict verdict; int status; bool want; } rows[] = {
        {"a sale that arrived", VERDICT_ACCEPTED, 200, false},
        {"a buyer's refusal", VERDICT_REJECTED, 200, false},
        {"a buyer's refusal by a rule over a server's error", VERDICT_REJECTED, 500, false},
        {"the buyer has it", VERDICT_DUPLICATE, 409, false},
        {"no answer", VERDICT_RETRY, 0, true},
        {"no answer, for the last time", VERDICT_FAILED, 0, true},
        {"a server's error", VERDICT_RETRY, 500, true},
        {"a gateway's", VERDICT_FAILED, 504, true},
        {"too many requests", VERDICT_RETRY, 429, true},
        {"a redirect", VERDICT_RETRY, 302, true},
        {"it does not know us", VERDICT_RETRY, 401, true},
        {"it is elsewhere", VERDICT_RETRY, 404, true},
        {"it asks for another try", VERDICT_RETRY, 200, true},
        {"this lead is malformed", VERDICT_RETRY, 400, false},
        {"this lead conflicts", VERDICT_RETRY, 409, false},
        {"this lead is too large", VERDICT_FAILED, 413, false},
        {"this lead is not processable", VERDICT_RETRY, 422, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (breaker_is_failure(rows[i].verdict, rows[i].status) != rows[i].want)
            fail_msg("%s", rows[i].claim);
}

/*
 * A story: each step a millisecond after the one before, but '>' lets PAUSE_MS pass.
 * f, s: an attempt that fails, or is well; F, S: the same, begun before the story; p: the probe begins; a: it is never sent;
 * 1, 9: the endpoint asks for 60 s, for a day; >: half a minute
 */
static enum breaker_state play(const char *story, bool *may_begin)
{
    struct breaker breaker = {.state = BREAKER_CLOSED};
    bool is_probe = false;
    int64_t now_ms = 1000000;

    for (const char *p = story; *p != '\0'; p++) {
        switch (*p) {
        case 'f':
        case 's':
            if (!is_probe)
                is_probe = breaker_begun(&breaker);
            breaker_ended(&breaker, is_probe, *p == 'f', PAUSE_MS, now_ms);
            is_probe = false;
            break;
        case 'F':
        case 'S':
            breaker_ended(&breaker, false, *p == 'F', PAUSE_MS, now_ms);
            break;
        case 'p':
            assert_true(breaker_may_begin(&breaker, now_ms));
            is_probe = breaker_begun(&breaker);
            break;
        case 'a':
            breaker_abandoned(&breaker, is_probe, now_ms);
            is_probe = false;
            break;
        case '1':
            breaker_hold(&breaker, 60 * 1000, now_ms);
            break;
        case '9':
            breaker_hold(&breaker, 24 * 3600 * 1000, now_ms);
            break;
        case '>':
            now_ms += PAUSE_MS;
            break;
        default:
            fail_msg("unknown step %c", *p);
        }
        now_ms += *p == '>' ? 0 : 1;
    }
    *may_begin = breaker_may_begin(&breaker, now_ms);
    return breaker.state;
}

static void stories(void **state)
{
    static const struct { const char *claim, *story; enum breaker_state want; bool may_begin; } rows[] = {
        {"nothing happened", "", BREAKER_CLOSED, true},
        {"nine failures are too few", "fffffffff", BREAKER_CLOSED, true},
        {"ten are enough", "ffffffffff", BREAKER_PAUSED, false},
        {"seven of ten", "sssfffffff", BREAKER_PAUSED, false},
        {"six of ten", "ssssffffff", BREAKER_CLOSED, true},
        {"seven of eleven are not 70 %", "ssssfffffff", BREAKER_CLOSED, true},
        {"eight of eleven are", "sssffffffff", BREAKER_PAUSED, false},
        {"only the last twenty count", "ssssssssssssssssssssssssssssssfffffffffffff", BREAKER_CLOSED, true},
        {"fourteen of twenty", "ssssssssssssssssssssssssssssssffffffffffffff", BREAKER_PAUSED, false},
        {"half of them for ever", "fsfsfsfsfsfsfsfsfsfsfsfsfsfsfsfsfsfs", BREAKER_CLOSED, true},
        {"after half a minute one may begin", "ffffffffff>", BREAKER_PAUSED, true},
        {"while it is under way no other", "ffffffffff>p", BREAKER_PROBING, false},
        {"it is well: all may", "ffffffffff>ps", BREAKER_CLOSED, true},
        {"and the past is forgotten", "ffffffffff>psfffffffff", BREAKER_CLOSED, true},
        {"but not for ever", "ffffffffff>psffffffffff", BREAKER_PAUSED, false},
        {"it failed: the next pause", "ffffffffff>pf", BREAKER_PAUSED, false},
        {"and the next probe", "ffffffffff>pf>", BREAKER_PAUSED, true},
        {"the second probe is well", "ffffffffff>pf>ps", BREAKER_CLOSED, true},
        {"what was begun before says nothing", "ffffffffffSSSS", BREAKER_PAUSED, false},
        {"nor during the probe", "ffffffffff>pSSS", BREAKER_PROBING, false},
        {"nor its failures", "ffffffffff>pFFFs", BREAKER_CLOSED, true},
        {"a probe that was never sent: another may", "ffffffffff>pa", BREAKER_PAUSED, true},
        {"it asks for a minute", "s1", BREAKER_PAUSED, false},
        {"half of it is over", "s1>", BREAKER_PAUSED, false},
        {"all of it", "s1>>", BREAKER_PAUSED, true},
        {"then one, and all", "s1>>ps", BREAKER_CLOSED, true},
        {"a day is cut to minutes", "s9>>>>>>>>>", BREAKER_PAUSED, false},
        {"five of them", "s9>>>>>>>>>>", BREAKER_PAUSED, true},
        {"a shorter wish does not shorten the pause", "s9>>1>>", BREAKER_PAUSED, false},
        {"the probe is asked to wait, too", "s1>>pf1>", BREAKER_PAUSED, false},
        {"a late answer asks while the probe is under way", "s1>>p1s", BREAKER_PAUSED, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool may_begin;
        enum breaker_state got = play(rows[i].story, &may_begin);

        if (got != rows[i].want || may_begin != rows[i].may_begin)
            fail_msg("%s: state %d, may begin %d", rows[i].claim, got, may_begin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails),
        cmocka_unit_test(stories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
