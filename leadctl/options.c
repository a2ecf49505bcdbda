#include "leadctl/command.h"

#include "common/must.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool options_take(struct options *options, int found)
{
    switch (found) {
    case 'd':
        options->dir = optarg;
        return true;
    case 's':
        options->dsn = optarg;
        return true;
    case 'j':
        options->is_json = true;
        return true;
    default:
        return false;
    }
}

int options_read(struct options *options, int argc, char **argv, int operand_count, int flags)
{
    static const struct option with_json[] = {OPTIONS_OF_DATABASE, {0}};
    static const struct option without_json[] = {
        {"dir", required_argument, NULL, 'd'}, {"dsn", required_argument, NULL, 's'}, {0}};
    int found;

    memset(options, 0, sizeof *options);
    while ((found = getopt_long(argc, argv, "", flags & OPTION_JSON ? with_json : without_json, NULL)) != -1)
        if (!options_take(options, found))
            return -1;
    options->operands = argv + optind;
    if (argc - optind == operand_count)
        return 0;
    fprintf(stderr, "%s: %s\n", argv[0], argc - optind < operand_count ? "an argument is missing" : "there are too many arguments");
    return -1;
}

void options_hide(char **values, int count)
{
    for (int i = 0; i < count; i++)
        memset(values[i], '*', strlen(values[i]));
}

/* The connection string that `leadctl dev` wrote; owned by the caller. */
static char *read_dsn(const char *dir, struct error *err)
{
    char *line = NULL, *path = NULL;
    size_t room = 0;
    FILE *file;

    if (asprintf(&path, "%s/run/dsn", dir) < 0)
        return NULL;
    file = fopen(path, "re");
    if (file == NULL) {
        error_errno(err, "cannot open %s", path);
    } else {
        errno = 0;
        if (getline(&line, &room, file) < 0) {
            free(line);
            line = NULL;
            error_set(err, "%s is empty", path);
        } else {
            line[strcspn(line, "\n")] = '\0';
        }
        fclose(file);
    }
    free(path);
    return line;
}

char *options_dsn(const struct options *options, struct error *err)
{
    const char *dsn = options->dsn;

    if (dsn == NULL && options->dir != NULL)
        return read_dsn(options->dir, err);
    if (dsn == NULL)
        dsn = getenv("LEADLINE_DSN");
    return must_copy(dsn != NULL ? dsn : "", dsn != NULL ? strlen(dsn) : 0);
}

struct db_wait *options_connect(const struct options *options, struct error *err)
{
    char *dsn = options_dsn(options, err);
    struct db_wait *db = dsn != NULL ? db_wait_open(dsn, err) : NULL;

    free(dsn);
    return db;
}

int command_failed(const char *name, const struct db_wait *db, const struct error *err)
{
    static const char *const unknown[] = {"42P01", "42703", "42704", "42883"}; /* table, column, type, function */
    bool has_no_schema = false;

    for (size_t i = 0; db != NULL && i < sizeof unknown / sizeof *unknown; i++)
        has_no_schema = has_no_schema || strcmp(db_wait_state(db), unknown[i]) == 0;
    fprintf(stderr, "%s: %s%s\n", name, err->text, has_no_schema ? " (has `leadctl migrate` been run?)" : "");
    return EXIT_FAILED;
}
