#include "leadctl/explain_args.h"

#include "common/json.h"
#include "common/must.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tell(const char *name, const char *sentence)
{
    fprintf(stderr, "%s: %s\n", name, sentence);
    return -1;
}

int explain_args_read(struct explain_args *args, int argc, char **argv)
{
    static const struct option known[] = {
        OPTIONS_OF_DATABASE,
        {"campaign", required_argument, NULL, 'c'}, {"supplier", required_argument, NULL, 'S'}, {"at", required_argument, NULL, 'a'}, {0}};
    int found;

    memset(args, 0, sizeof *args);
    while ((found = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (options_take(&args->options, found))
            continue;
        if (found == 'c')
            args->campaign = optarg;
        else if (found == 'S')
            args->supplier = optarg;
        else if (found == 'a')
            args->at = optarg;
        else
            return -1;
    }
    args->pairs = argv + optind;
    args->pair_count = argc - optind;
    if (args->campaign != NULL)
        return 0;
    if (args->pair_count == 0)
        return tell(argv[0], "say which lead: a file, or --campaign and its fields");
    if (args->pair_count > 1)
        return tell(argv[0], strchr(args->pairs[0], '=') != NULL ? "fields need --campaign" : "there are too many arguments");
    args->file = args->pairs[0];
    args->pair_count = 0;
    return 0;
}

static int add_pair(struct json *body, const char *pair, int place, struct error *err)
{
    const char *equals = strchr(pair, '=');
    char *name;
    int rc = 0;

    if (equals == NULL || equals == pair)
        return error_set(err, "field %d is not NAME=VALUE", place);
    if (!span_is_utf8(span_of(pair)))
        return error_set(err, "field %d is not UTF-8", place);
    name = must_copy(pair, (size_t)(equals - pair));
    if (json_get(body, name) != NULL)
        rc = error_set(err, "%s comes twice", name);
    else
        json_set_text(body, name, span_of(equals + 1));
    free(name);
    return rc;
}

struct buf *explain_args_body(const struct explain_args *args, struct error *err)
{
    struct json *body;
    struct buf *text = NULL;
    int rc = 0;

    if (!span_is_utf8(span_of(args->campaign))) {
        error_set(err, "the campaign's id is not UTF-8");
        return NULL;
    }
    body = json_new_object();
    json_set_text(body, "flo_campaign_id", span_of(args->campaign));
    for (int i = 0; i < args->pair_count && rc == 0; i++)
        rc = add_pair(body, args->pairs[i], i + 1, err);
    if (rc == 0) {
        text = buf_new(1024);
        json_print(body, text);
    }
    json_free(&body);
    return text;
}
