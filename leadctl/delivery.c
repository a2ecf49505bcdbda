#include "leadctl/delivery.h"

#include "common/span.h"
#include "common/uuid.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 100 };

/* The options of a command that takes these. */
static void list_options(struct option list[16], int takes)
{
    static const struct option always[] = {{"dir", required_argument, NULL, 'd'}, {"dsn", required_argument, NULL, 's'}};
    static const struct option filters[] = {
        {"buyer", required_argument, NULL, 'b'}, {"state", required_argument, NULL, 'S'}, {"campaign", required_argument, NULL, 'c'},
        {"from", required_argument, NULL, 'f'}, {"to", required_argument, NULL, 't'},
    };
    static const struct { int taken; struct option option; } others[] = {
        {DELIVERY_LIMIT, {"limit", required_argument, NULL, 'l'}}, {DELIVERY_JSON, {"json", no_argument, NULL, 'j'}},
        {DELIVERY_DRY_RUN, {"dry-run", no_argument, NULL, 'n'}},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        list[count++] = always[i];
    for (size_t i = 0; takes & DELIVERY_FILTERS && i < sizeof filters / sizeof *filters; i++)
        list[count++] = filters[i];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (takes & others[i].taken)
            list[count++] = others[i].option;
    list[count] = (struct option){0};
}

static bool is_state(struct span word)
{
    static const char *const words[] = {"OPEN", "DELIVERED", "REJECTED", "DUPLICATE", "FAILED", "CANCELLED"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(word, words[i]))
            return true;
    return false;
}

/* "OPEN,FAILED" as PostgreSQL writes a list. */
static int read_states(struct delivery_options *options, const char *name, const char *text)
{
    for (const char *at = text; ; at++) {
        struct span word = {at, strcspn(at, ",")};

        if (!is_state(word)) {
            fprintf(stderr, "%s: --state: %.*s is none of OPEN, DELIVERED, REJECTED, DUPLICATE, FAILED, CANCELLED\n", name, SPAN_FMT(word));
            return -1;
        }
        at += word.len;
        if (*at == '\0')
            break;
    }
    if (strlen(text) + 3 > sizeof options->states) {
        fprintf(stderr, "%s: --state: a state is there twice\n", name);
        return -1;
    }
    snprintf(options->states, sizeof options->states, "{%s}", text);
    return 0;
}

static int read_limit(struct delivery_options *options, const char *name, const char *text)
{
    char *end;

    errno = 0;
    options->limit = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && options->limit >= 0)
        return 0;
    fprintf(stderr, "%s: --limit is a number, 0 for all\n", name);
    return -1;
}

static int read_option(struct delivery_options *options, const char *name, int found)
{
    if (options_take(&options->base, found))
        return 0;
    switch (found) {
    case 'b': options->buyer = optarg; return 0;
    case 'c': options->campaign = optarg; return 0;
    case 'f': options->from = optarg; return 0;
    case 't': options->to = optarg; return 0;
    case 'n': options->is_dry_run = true; return 0;
    case 'S': return read_states(options, name, optarg);
    case 'l': return read_limit(options, name, optarg);
    default: return -1;
    }
}

int delivery_options_read(struct delivery_options *options, int argc, char **argv, int takes)
{
    struct option list[16];
    struct uuid id;
    int found;

    memset(options, 0, sizeof *options);
    options->limit = LIMIT;
    list_options(list, takes);
    while ((found = getopt_long(argc, argv, "", list, NULL)) != -1)
        if (read_option(options, argv[0], found) != 0)
            return -1;
    options->base.operands = argv + optind;
    options->id_count = argc - optind;
    for (int i = 0; i < options->id_count; i++)
        if (uuid_parse(&id, span_of(options->base.operands[i])) != 0) {
            fprintf(stderr, "%s: %s: a delivery's id is a UUID of 36 characters\n", argv[0], options->base.operands[i]);
            return -1;
        }
    return 0;
}

int delivery_check_times(const struct delivery_options *options, struct db_wait *db, struct error *err)
{
    static const char IN_ZONE[] = "SELECT set_config('TimeZone', time_zone, false) FROM installation";
    static const char READ[] = "SELECT $1::timestamptz";
    const char *const given[] = {options->from, options->to}, *const names[] = {"--from", "--to"};

    if (options->from == NULL && options->to == NULL)
        return 0;
    if (db_wait_do(db, IN_ZONE, DB_NO_PARAMS, err) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        struct error why;

        if (given[i] != NULL && db_wait_do(db, READ, DB_PARAMS(given[i]), &why) < 0)
            return error_set(err, "%s: %s", names[i], why.text);
    }
    return 0;
}
