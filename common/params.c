#include "common/params.h"

#include "common/must.h"
#include "common/span.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_HELP = 256, OPTION_VERSION, OPTION_CONFIG, OPTION_ROWS };
enum { ENDS = 1 };

struct value {
    char *text; /* never NULL in a finished set */
    int64_t number; /* of a PARAM_INT; 0 or 1 of a PARAM_BOOL */
};

struct params {
    const struct param **rows; /* of both tables */
    size_t count;
    char **options; /* what the command line says, by row; NULL where it is silent */
    char *config;   /* --config or LEADLINE_CONFIG; NULL */
    struct value *values; /* by row */
    bool is_check;
};

/* Names --------------------------------------------------------------------------------------------------------------- */

/* deadline_ms → deadline-ms, owned by the caller. */
static char *option_name(const struct param *row)
{
    char *name = must_copy(row->name, strlen(row->name));

    for (char *p = name; *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    return name;
}

/* deadline_ms → LEADLINE_DEADLINE_MS, owned by the caller. */
static char *variable_name(const struct param *row)
{
    size_t len = strlen("LEADLINE_") + strlen(row->name);
    char *name = must_alloc(len + 1);

    snprintf(name, len + 1, "LEADLINE_%s", row->name);
    for (char *p = name; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    return name;
}

static size_t row_of(const struct params *params, const char *name)
{
    size_t i = 0;

    while (i < params->count && strcmp(params->rows[i]->name, name) != 0)
        i++;
    return i;
}

/* Values ------------------------------------------------------------------------------------------------------------- */

static int read_bool(const char *text)
{
    static const char *const words[][5] = {{"no", "false", "off", "0", NULL}, {"yes", "true", "on", "1", NULL}};

    for (int answer = 0; answer < 2; answer++)
        for (size_t i = 0; words[answer][i] != NULL; i++)
            if (strcasecmp(text, words[answer][i]) == 0)
                return answer;
    return -1;
}

static int read_int(const struct param *row, const char *text, int64_t *number)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || isspace((unsigned char)*text))
        return -1;
    *number = value;
    return value >= row->least && value <= row->most ? 0 : -1;
}

/* Takes the text for the row when it fits; where says who sets it ("--deadline-ms"). */
static int set_value(struct value *value, const struct param *row, const char *text, const char *where, struct error *err)
{
    int64_t number = 0;

    switch (row->kind) {
    case PARAM_TEXT:
        break;
    case PARAM_INT:
        if (read_int(row, text, &number) != 0)
            return error_set(err, "%s: \"%.40s\" is no whole number from %" PRId64 " to %" PRId64, where, text, row->least,
                             row->most);
        break;
    case PARAM_BOOL:
        number = read_bool(text);
        if (number < 0)
            return error_set(err, "%s: \"%.40s\" is neither yes nor no", where, text);
        break;
    }
    free(value->text);
    value->text = must_copy(text, strlen(text));
    value->number = number;
    return 0;
}

static void free_values(struct value *values, size_t count)
{
    for (size_t i = 0; values != NULL && i < count; i++)
        free(values[i].text);
    free(values);
}

static void set_defaults(const struct params *params, struct value *values)
{
    struct error err;

    for (size_t i = 0; i < params->count; i++) {
        const char *text = params->rows[i]->otherwise;

        if (text != NULL && *text != '\0')
            must(set_value(&values[i], params->rows[i], text, "default", &err) == 0);
        else
            values[i] = (struct value){must_copy("", 0), 0};
    }
}

/* The file ----------------------------------------------------------------------------------------------------------- */

/* Which row does the key of a line name, as deadline_ms or LEADLINE_DEADLINE_MS? */
static size_t row_of_key(const struct params *params, struct span key)
{
    for (size_t i = 0; i < params->count; i++) {
        char *variable = variable_name(params->rows[i]);
        bool is_it = span_is(key, params->rows[i]->name) || span_is(key, variable);

        free(variable);
        if (is_it)
            return i;
    }
    return params->count;
}

static int read_line(const struct params *params, struct span line, const char *where, bool *is_set, struct value *values,
                     struct error *err)
{
    struct span key, text;
    const char *equals;
    char *copy;
    size_t i;
    int rc;

    line = span_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return 0;
    equals = memchr(line.ptr, '=', line.len);
    if (equals == NULL)
        return error_set(err, "%s: no line of the form key = value", where);
    key = span_trim((struct span){line.ptr, (size_t)(equals - line.ptr)});
    text = span_trim((struct span){equals + 1, line.len - (size_t)(equals + 1 - line.ptr)});
    if (text.len >= 2 && (text.ptr[0] == '"' || text.ptr[0] == '\'') && text.ptr[text.len - 1] == text.ptr[0])
        text = (struct span){text.ptr + 1, text.len - 2};
    i = row_of_key(params, key);
    if (i == params->count)
        return error_set(err, "%s: unknown key \"%.*s\"", where, key.len < 60 ? (int)key.len : 60, key.ptr);
    if (is_set[i])
        return error_set(err, "%s: %s is set a second time", where, params->rows[i]->name);
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return error_set(err, "%s: NUL character", where);
    is_set[i] = true;
    copy = must_copy(text.ptr, text.len);
    rc = set_value(&values[i], params->rows[i], copy, where, err);
    free(copy);
    return rc;
}

static int read_config(const struct params *params, struct value *values, struct error *err)
{
    FILE *file = fopen(params->config, "re");
    bool *is_set;
    char *line = NULL;
    size_t room = 0;
    char where[300];
    ssize_t len;
    int number = 0, rc = 0;

    if (file == NULL)
        return error_errno(err, "cannot open %s", params->config);
    is_set = must_zalloc(params->count * sizeof *is_set);
    while (rc == 0 && (errno = 0, len = getline(&line, &room, file)) >= 0) {
        snprintf(where, sizeof where, "%.200s, line %d", params->config, ++number);
        rc = read_line(params, (struct span){line, (size_t)len}, where, is_set, values, err);
    }
    if (rc == 0 && ferror(file))
        rc = error_errno(err, "cannot read %s", params->config);
    free(line);
    free(is_set);
    fclose(file);
    return rc;
}

/* All three places --------------------------------------------------------------------------------------------------- */

static int read_environment(const struct params *params, struct value *values, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < params->count; i++) {
        char *variable = variable_name(params->rows[i]);
        const char *text = getenv(variable);

        if (text != NULL && (*text != '\0' || params->rows[i]->kind == PARAM_TEXT)) /* an empty number says nothing */
            rc = set_value(&values[i], params->rows[i], text, variable, err);
        free(variable);
    }
    return rc;
}

static int read_options(const struct params *params, struct value *values, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < params->count; i++) {
        char *option = option_name(params->rows[i]);
        char where[80];

        snprintf(where, sizeof where, "--%s", option);
        if (params->options[i] != NULL)
            rc = set_value(&values[i], params->rows[i], params->options[i], where, err);
        free(option);
    }
    return rc;
}

int params_reread(struct params *params, params_check_fn *check, void *ctx, struct error *err)
{
    struct value *values = must_zalloc(params->count * sizeof *values);
    struct value *old = params->values;

    set_defaults(params, values);
    if ((params->config != NULL && read_config(params, values, err) != 0) ||
        read_environment(params, values, err) != 0 || read_options(params, values, err) != 0) {
        free_values(values, params->count);
        return -1;
    }
    params->values = values;
    if (check != NULL && check(ctx, params, err) != 0) {
        params->values = old;
        free_values(values, params->count);
        return -1;
    }
    free_values(old, params->count);
    return 0;
}

/* The command line --------------------------------------------------------------------------------------------------- */

static void print_row(const struct param *row)
{
    char *option = option_name(row), *variable = variable_name(row);
    const char *unit = row->unit != NULL ? row->unit : "";
    const char *gap = *unit != '\0' ? " " : "";

    switch (row->kind) {
    case PARAM_TEXT:
        printf("  --%s TEXT  (%s)", option, variable);
        break;
    case PARAM_INT:
        printf("  --%s NUMBER  (%s)\n      from %" PRId64 " to %" PRId64 "%s%s", option, variable, row->least, row->most,
               gap, unit);
        break;
    case PARAM_BOOL:
        printf("  --%s[=yes|no]  (%s)", option, variable);
        break;
    }
    if (row->otherwise != NULL && *row->otherwise != '\0')
        printf("%s default: %s%s%s", row->kind == PARAM_INT ? "," : "\n     ", row->otherwise, gap, unit);
    printf("\n      %s\n", row->meaning);
    free(option);
    free(variable);
}

static void print_help(const struct params *params, const char *program, const char *purpose)
{
    printf("Usage: %s [OPTION]...\n%s\n\n", program, purpose);
    printf("Each parameter is an option, an environment variable (in brackets), or a line `name = value` of the file\n"
           "of --config; the option wins over the environment, the environment over the file.\n\n");
    for (size_t i = 0; i < params->count; i++)
        print_row(params->rows[i]);
    printf("  --config FILE  (LEADLINE_CONFIG)\n      file of parameters, read again on HUP\n"
           "  -n\n      only check the parameters\n"
           "  --help, --version\n      print this, or the version, and end\n");
}

static int refuse_option(int answer, const char *argument, struct error *err)
{
    int len = (int)strcspn(argument, "="); /* what follows may be a secret */

    if (answer == ':')
        return error_set(err, "option %.*s needs a value", len, argument);
    if (optopt >= OPTION_HELP)
        return error_set(err, "option %.*s takes no value", len, argument);
    if (optopt != 0)
        return error_set(err, "unknown option -%c", optopt);
    return error_set(err, "unknown or ambiguous option %.*s", len, argument);
}

/* Returns 0, -1 with *err, or ENDS when all was said by printing. */
static int read_command_line(struct params *params, int argc, char **argv, const char *purpose, struct error *err)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "leadline";
    struct option *options = must_zalloc((params->count + 4) * sizeof *options);
    size_t i;
    int answer, rc = 0;

    for (i = 0; i < params->count; i++)
        options[i] = (struct option){option_name(params->rows[i]),
                                     params->rows[i]->kind == PARAM_BOOL ? optional_argument : required_argument, NULL,
                                     OPTION_ROWS + (int)i};
    options[i++] = (struct option){"config", required_argument, NULL, OPTION_CONFIG};
    options[i++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    options[i++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while (rc == 0 && (answer = getopt_long(argc, argv, ":n", options, NULL)) != -1) {
        switch (answer) {
        case 'n':
            params->is_check = true;
            break;
        case OPTION_HELP:
            print_help(params, program, purpose);
            rc = ENDS;
            break;
        case OPTION_VERSION:
            printf("%s %s\n", program, LEADLINE_VERSION);
            rc = ENDS;
            break;
        case OPTION_CONFIG:
            free(params->config);
            params->config = must_copy(optarg, strlen(optarg));
            break;
        case ':':
        case '?':
            rc = refuse_option(answer, argv[optind - 1], err);
            break;
        default: {
            char **text = &params->options[answer - OPTION_ROWS];

            free(*text);
            *text = must_copy(optarg != NULL ? optarg : "yes", strlen(optarg != NULL ? optarg : "yes"));
            break;
        }
        }
    }
    if (rc == 0 && optind < argc)
        rc = error_set(err, "unexpected argument \"%.60s\"", argv[optind]);
    for (i = 0; i < params->count; i++)
        free((char *)options[i].name);
    free(options);
    return rc;
}

static size_t count_rows(const struct param *rows)
{
    size_t count = 0;

    while (rows != NULL && rows[count].name != NULL)
        count++;
    return count;
}

struct params *params_read(int argc, char **argv, const char *purpose, const struct param *rows,
                           const struct param *more, struct error *err)
{
    struct params *params = must_zalloc(sizeof *params);
    size_t here = count_rows(rows), there = count_rows(more);
    const char *config = getenv("LEADLINE_CONFIG");
    int rc;

    params->count = here + there;
    params->rows = must_zalloc(params->count * sizeof *params->rows);
    params->options = must_zalloc(params->count * sizeof *params->options);
    for (size_t i = 0; i < params->count; i++)
        params->rows[i] = i < here ? &rows[i] : &more[i - here];
    if (config != NULL && *config != '\0')
        params->config = must_copy(config, strlen(config));
    rc = read_command_line(params, argc, argv, purpose, err);
    if (rc != 0 || params_reread(params, NULL, NULL, err) != 0)
        params_free(&params);
    if (rc == ENDS)
        exit(0);
    return params;
}

void params_free(struct params **params)
{
    if (*params == NULL)
        return;
    free_values((*params)->values, (*params)->count);
    for (size_t i = 0; i < (*params)->count; i++)
        free((*params)->options[i]);
    free((*params)->options);
    free((*params)->rows);
    free((*params)->config);
    free(*params);
    *params = NULL;
}

/* Asking ------------------------------------------------------------------------------------------------------------- */

static const struct value *value_of(const struct params *params, const char *name, enum param_kind kind)
{
    size_t i = row_of(params, name);

    must(i < params->count);
    must(kind == PARAM_TEXT || params->rows[i]->kind == kind); /* every value has a text */
    return &params->values[i];
}

const char *params_text(const struct params *params, const char *name)
{
    return value_of(params, name, PARAM_TEXT)->text;
}

int64_t params_int(const struct params *params, const char *name)
{
    return value_of(params, name, PARAM_INT)->number;
}

bool params_bool(const struct params *params, const char *name)
{
    return value_of(params, name, PARAM_BOOL)->number != 0;
}

bool params_only_check(const struct params *params)
{
    return params->is_check;
}
