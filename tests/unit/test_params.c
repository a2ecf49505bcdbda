/* test_params.c - common/params.c: which place wins, what does not fit, reading again, --help. */
#include "common/params.h"

#include "common/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

enum { ARGS = 8 };

static const struct param first[] = {
    {"deadline_ms", PARAM_INT, "ms", "5000", 100, 60000, "how long a supplier waits at most"},
    {"dsn", PARAM_TEXT, "", NULL, 0, 0, "PostgreSQL's connection string"},
    {"http2", PARAM_BOOL, "", "no", 0, 0, "HTTP/2 too"},
    {NULL, PARAM_TEXT, NULL, NULL, 0, 0, NULL},
};
static const struct param second[] = {
    {"log_level", PARAM_TEXT, "", "info", 0, 0, "debug, info, warn or error"},
    {"offset", PARAM_INT, "", "-5", -10, 10, "may be below nought"},
    {NULL, PARAM_TEXT, NULL, NULL, 0, 0, NULL},
};

static char path[] = "/tmp/test_params_XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    must(file != NULL);
    fputs(text, file);
    fclose(file);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    must(fd >= 0);
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int clear_environment(void **state)
{
    static const char *const names[] = {"LEADLINE_DEADLINE_MS", "LEADLINE_DSN", "LEADLINE_HTTP2",
        "LEADLINE_LOG_LEVEL", "LEADLINE_OFFSET", "LEADLINE_CONFIG"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    return 0;
}

static struct params *read_args(char *const *args, struct error *err)
{
    char *argv[ARGS + 2] = {(char *)"/usr/bin/leadline-test"};
    int argc = 1;

    for (; argc <= ARGS && args[argc - 1] != NULL; argc++)
        argv[argc] = args[argc - 1];
    return params_read(argc, argv, "Tests.", first, second, err);
}

static void who_wins(void **state)
{
    static const struct { const char *claim; const char *file, *variable; char *args[ARGS]; int want; } rows[] = {
        {"the default", NULL, NULL, {NULL}, 5000},
        {"the file over the default", "deadline_ms = 600\n", NULL, {NULL}, 600},
        {"the file in the environment's form", "# remark\n\n  LEADLINE_DEADLINE_MS=\"601\"  \n", NULL, {NULL}, 601},
        {"the environment over the file", "deadline_ms = 600\n", "700", {NULL}, 700},
        {"an empty variable says nothing", "deadline_ms = 600\n", "", {NULL}, 600},
        {"the option over the environment", "deadline_ms = 600\n", "700", {"--deadline-ms", "800"}, 800},
        {"the option with an equals sign", NULL, "700", {"--deadline-ms=801"}, 801},
        {"the last option", NULL, NULL, {"--deadline-ms=801", "--deadline-ms=802"}, 802},
        {"the least", NULL, NULL, {"--deadline-ms=100"}, 100},
        {"the most", NULL, NULL, {"--deadline-ms=60000"}, 60000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct params *params;
        struct error err;

        clear_environment(NULL);
        if (rows[i].file != NULL) {
            write_file(rows[i].file);
            setenv("LEADLINE_CONFIG", path, 1);
        }
        if (rows[i].variable != NULL)
            setenv("LEADLINE_DEADLINE_MS", rows[i].variable, 1);
        params = read_args(rows[i].args, &err);
        if (params == NULL)
            fail_msg("%s: %s", rows[i].claim, err.text);
        if (params_int(params, "deadline_ms") != rows[i].want)
            fail_msg("%s: got %d", rows[i].claim, (int)params_int(params, "deadline_ms"));
        params_free(&params);
        assert_null(params);
    }
}

static void refused(void **state)
{
    static const struct { const char *claim; const char *file; char *args[ARGS]; const char *want; } rows[] = {
        {"too little", NULL, {"--deadline-ms", "99"}, "--deadline-ms: \"99\" is no whole number from 100 to 60000"},
        {"too much", NULL, {"--deadline-ms", "60001"}, "from 100 to 60000"},
        {"no number", NULL, {"--deadline-ms", "5s"}, "--deadline-ms"},
        {"nothing", NULL, {"--deadline-ms="}, "--deadline-ms"},
        {"a fraction", NULL, {"--deadline-ms=500.0"}, "--deadline-ms"},
        {"beyond 64 bits", NULL, {"--deadline-ms=99999999999999999999"}, "--deadline-ms"},
        {"neither yes nor no", NULL, {"--http2=maybe"}, "--http2: \"maybe\" is neither yes nor no"},
        {"an unknown option", NULL, {"--wrong=secret"}, "unknown or ambiguous option --wrong"},
        {"an unknown letter", NULL, {"-z"}, "unknown option -z"},
        {"a missing value", NULL, {"--dsn"}, "option --dsn needs a value"},
        {"a value where there is none", NULL, {"--help=x"}, "option --help takes no value"},
        {"a word too many", NULL, {"run"}, "unexpected argument \"run\""},
        {"a file that is not there", NULL, {"--config", "/nowhere/at/all"}, "cannot open /nowhere/at/all: No such file"},
        {"an unknown key of the file", "deadline_ms = 500\nwrong = 1\n", {NULL}, ", line 2: unknown key \"wrong\""},
        {"another stage's key of the file", "LEADLINE_WRONG=1\n", {NULL}, ", line 1: unknown key \"LEADLINE_WRONG\""},
        {"a key twice", "deadline_ms=500\nLEADLINE_DEADLINE_MS=501\n", {NULL},
            ", line 2: deadline_ms is set a second time"},
        {"no equals sign", "deadline_ms 500\n", {NULL}, ", line 1: no line of the form key = value"},
        {"a wrong value of the file", "\nhttp2 = 2\n", {NULL}, ", line 2: \"2\" is neither yes nor no"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct params *params;
        struct error err = {""};

        clear_environment(NULL);
        if (rows[i].file != NULL) {
            write_file(rows[i].file);
            setenv("LEADLINE_CONFIG", path, 1);
        }
        params = read_args(rows[i].args, &err);
        if (params != NULL)
            fail_msg("%s: was taken", rows[i].claim);
        if (strstr(err.text, rows[i].want) == NULL || strstr(err.text, "secret") != NULL)
            fail_msg("%s: got %s", rows[i].claim, err.text);
    }
    {
        struct error err;

        clear_environment(NULL);
        setenv("LEADLINE_OFFSET", "11", 1);
        assert_null(read_args((char *[]){NULL}, &err));
        assert_string_equal(err.text, "LEADLINE_OFFSET: \"11\" is no whole number from -10 to 10");
    }
}

static void kinds(void **state)
{
    static const struct { char *word; bool want; } words[] = {
        {"yes", true}, {"TRUE", true}, {"on", true}, {"1", true}, {"no", false}, {"False", false}, {"off", false},
            {"0", false},
    };
    struct params *params = read_args((char *[]){"--http2", "--dsn", "host=x password=\"a b\"", "-n", NULL}, NULL);

    (void)state;
    assert_non_null(params);
    assert_true(params_bool(params, "http2"));
    assert_string_equal(params_text(params, "dsn"), "host=x password=\"a b\"");
    assert_string_equal(params_text(params, "log_level"), "info");
    assert_string_equal(params_text(params, "deadline_ms"), "5000");
    assert_int_equal(params_int(params, "offset"), -5);
    assert_true(params_only_check(params));
    params_free(&params);
    params = read_args((char *[]){NULL}, NULL);
    assert_string_equal(params_text(params, "dsn"), "");
    assert_false(params_bool(params, "http2"));
    assert_false(params_only_check(params));
    params_free(&params);
    for (size_t i = 0; i < COUNT(words); i++) {
        setenv("LEADLINE_HTTP2", words[i].word, 1);
        params = read_args((char *[]){NULL}, NULL);
        assert_non_null(params);
        if (params_bool(params, "http2") != words[i].want)
            fail_msg("%s", words[i].word);
        params_free(&params);
    }
    setenv("LEADLINE_OTHER_STAGES", "x", 1);
    params = read_args((char *[]){NULL}, NULL);
    assert_non_null(params);
    params_free(&params);
    unsetenv("LEADLINE_OTHER_STAGES");
}

static int refuse_900(void *ctx, const struct params *params, struct error *err)
{
    assert_string_equal(ctx, "context");
    return params_int(params, "deadline_ms") == 900 ? error_set(err, "not 900") : 0;
}

static void read_again(void **state)
{
    struct params *params;
    struct error err;

    (void)state;
    write_file("deadline_ms = 600\nlog_level = warn\noffset = 1\n");
    params = read_args((char *[]){"--config", path, "--offset", "2", NULL}, &err);
    assert_non_null(params);
    assert_int_equal(params_int(params, "offset"), 2);
    write_file("deadline_ms = 700\noffset = 3\n");
    assert_int_equal(params_reread(params, NULL, NULL, &err), 0);
    assert_int_equal(params_int(params, "deadline_ms"), 700);
    assert_int_equal(params_int(params, "offset"), 2); /* the option still wins */
    assert_string_equal(params_text(params, "log_level"), "info"); /* what is gone from the file is the default again */
    write_file("deadline_ms = 800\nwrong = 1\n");
    assert_int_equal(params_reread(params, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.text, "unknown key"));
    assert_int_equal(params_int(params, "deadline_ms"), 700);
    write_file("deadline_ms = 900\n");
    assert_int_equal(params_reread(params, refuse_900, (char *)"context", &err), -1);
    assert_string_equal(err.text, "not 900");
    assert_int_equal(params_int(params, "deadline_ms"), 700);
    write_file("deadline_ms = 700\noffset = 3\n");
    assert_int_equal(params_reread(params, refuse_900, (char *)"context", &err), 0);
    unlink(path);
    assert_int_equal(params_reread(params, NULL, NULL, &err), -1);
    assert_int_equal(params_int(params, "deadline_ms"), 700);
    write_file("");
    params_free(&params);
}

/* What the option prints to standard output, in a child, because it ends the process. */
static void assert_prints(char *option, const char *const *wants, size_t count)
{
    char text[4096];
    size_t used = 0;
    ssize_t len;
    int fds[2], status;
    pid_t child;

    must(pipe(fds) == 0);
    fflush(stdout);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        dup2(fds[1], STDOUT_FILENO);
        read_args((char *[]){option, NULL}, NULL);
        _exit(99); /* it did not end */
    }
    close(fds[1]);
    while ((len = read(fds[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)len;
    text[used] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    for (size_t i = 0; i < count; i++)
        if (strstr(text, wants[i]) == NULL)
            fail_msg("%s does not say \"%s\" but:\n%s", option, wants[i], text);
}

static void help(void **state)
{
    static const char *const wants[] = {
        "Usage: leadline-test ", "Tests.", "--deadline-ms", "LEADLINE_DEADLINE_MS", "default: 5000 ms",
            "from 100 to 60000 ms",
        "how long a supplier waits at most", "--dsn", "LEADLINE_DSN", "--http2[=yes|no]", "default: no",
            "--log-level", "--offset",
        "from -10 to 10", "--config", "LEADLINE_CONFIG", "-n", "--version",
    };
    static const char *const version[] = {"leadline-test " LEADLINE_VERSION "\n"};

    (void)state;
    assert_prints("--help", wants, COUNT(wants));
    assert_prints("--version", version, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_wins, clear_environment),
        cmocka_unit_test_setup(refused, clear_environment),
        cmocka_unit_test_setup(kinds, clear_environment),
        cmocka_unit_test_setup(read_again, clear_environment),
        cmocka_unit_test_setup(help, clear_environment),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
