/* test_explain_args.c - leadctl/explain_args.c: which lead is meant, and what a supplier would post for it. */
#include "leadctl/explain_args.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MOST = 10 };

/* Absent texts are "-". want is file, campaign, supplier, at, --json, and the number of pairs. */
static const struct {
    const char *claim;
    const char *args[ARGS_MOST];
    const char *want; /* NULL: refused */
} rows[] = {
    {"a file", {"lead.json"}, "lead.json - - - 0 0"},
    {"standard input", {"-", "--json"}, "- - - - 1 0"},
    {"a file and a supplier", {"--supplier", "s", "lead.json"}, "lead.json - s - 0 0"},
    {"a campaign and its fields", {"--campaign", "c", "a=1", "b=2"}, "- c - - 0 2"},
    {"options between the fields", {"a=1", "--campaign=c", "b=2", "--json", "--at", "12:00"}, "- c - 12:00 1 2"},
    {"a campaign without fields", {"--campaign", "c"}, "- c - - 0 0"},
    {"fields behind --", {"--campaign", "c", "--", "--a=1"}, "- c - - 0 1"},
    {"nothing", {NULL}, NULL},
    {"two files", {"a", "b"}, NULL},
    {"fields without a campaign", {"a=1", "b=2"}, NULL},
    {"an unknown option", {"--sell", "lead.json"}, NULL},
    {"an option without its value", {"lead.json", "--supplier"}, NULL},
};

static const char *shown(const char *text)
{
    return text != NULL ? text : "-";
}

static int read_args(struct explain_args *args, const char *const list[ARGS_MOST], char **argv)
{
    int argc = 0;

    argv[argc++] = "leadctl explain";
    for (int i = 0; i < ARGS_MOST && list[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)list[i];
    argv[argc] = NULL;
    optind = 0; /* glibc's getopt begins anew */
    return explain_args_read(args, argc, argv);
}

/* What is wrong is told on standard error, which is of no interest here. Returns what stderr_back() takes. */
static int stderr_away(void)
{
    int kept = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

    assert_true(kept >= 0 && nothing >= 0 && dup2(nothing, STDERR_FILENO) == STDERR_FILENO);
    close(nothing);
    return kept;
}

static void stderr_back(int kept)
{
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void arguments_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct explain_args args;
        char *argv[ARGS_MOST + 2], text[200];
        int kept = stderr_away(), rc = read_args(&args, rows[i].args, argv);

        stderr_back(kept);
        if (rc != 0) {
            if (rows[i].want != NULL)
                fail_msg("%s: refused", rows[i].claim);
            continue;
        }
        snprintf(text, sizeof text, "%s %s %s %s %d %d", shown(args.file), shown(args.campaign), shown(args.supplier), shown(args.at),
                 args.options.is_json, args.pair_count);
        if (rows[i].want == NULL || strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].claim, text);
    }
}

static const struct {
    const char *claim;
    const char *args[ARGS_MOST]; /* behind --campaign */
    const char *body, *why;      /* one of them */
} bodies[] = {
    {"no fields", {"c"}, "{\"flo_campaign_id\":\"c\"}", NULL},
    {"texts, in order", {"c", "b=1", "a=true"}, "{\"flo_campaign_id\":\"c\",\"b\":\"1\",\"a\":\"true\"}", NULL},
    {"the first = ends the name", {"c", "a=b=c"}, "{\"flo_campaign_id\":\"c\",\"a\":\"b=c\"}", NULL},
    {"an empty value", {"c", "a="}, "{\"flo_campaign_id\":\"c\",\"a\":\"\"}", NULL},
    {"quotes and more", {"c", "a=\"\\\n\xc3\xa4"}, "{\"flo_campaign_id\":\"c\",\"a\":\"\\\"\\\\\\n\xc3\xa4\"}", NULL},
    {"no =", {"c", "a=1", "b"}, NULL, "field 2 is not NAME=VALUE"},
    {"no name", {"c", "=1"}, NULL, "field 1 is not NAME=VALUE"},
    {"a name twice", {"c", "a=1", "a=2"}, NULL, "a comes twice"},
    {"the campaign twice", {"c", "flo_campaign_id=d"}, NULL, "flo_campaign_id comes twice"},
    {"not UTF-8", {"c", "a=\xff"}, NULL, "field 1 is not UTF-8"},
    {"a name that is not UTF-8", {"c", "\xff=1"}, NULL, "field 1 is not UTF-8"},
    {"a campaign that is not UTF-8", {"\xff"}, NULL, "the campaign's id is not UTF-8"},
};

static void a_lead_is_spelled_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const char *list[ARGS_MOST] = {"--campaign"};
        struct explain_args args;
        char *argv[ARGS_MOST + 2];
        struct error err = {""};
        struct buf *body;

        memcpy(list + 1, bodies[i].args, sizeof list - sizeof *list);
        assert_int_equal(read_args(&args, list, argv), 0);
        body = explain_args_body(&args, &err);
        if ((body != NULL) != (bodies[i].body != NULL))
            fail_msg("%s: %s", bodies[i].claim, err.text);
        if (body == NULL) {
            assert_string_equal(err.text, bodies[i].why);
            continue;
        }
        assert_string_equal(buf_text(body), bodies[i].body);
        buf_free(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_read),
        cmocka_unit_test(a_lead_is_spelled_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
