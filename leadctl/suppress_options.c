#include "leadctl/suppress_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* The option of that flag is ours only if it was asked for; getopt has said so of the others. */
static int take_option(struct suppress_options *options, int found, int flags)
{
    switch (found) {
    case 'd':
        options->database.dir = optarg;
        return 0;
    case 's':
        options->database.dsn = optarg;
        return 0;
    case 'j':
        options->database.is_json = true;
        return flags & SUPPRESS_JSON ? 0 : -1;
    case 'a':
        options->is_all = true;
        return flags & SUPPRESS_ALL ? 0 : -1;
    case 'r':
        options->reject = optarg;
        return flags & SUPPRESS_REJECT ? 0 : -1;
    default:
        return -1;
    }
}

int suppress_options_read(struct suppress_options *options, int argc, char **argv, int least, int most, int flags)
{
    static const struct option list[] = {
        {"dir", required_argument, NULL, 'd'}, {"dsn", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"all", no_argument, NULL, 'a'}, {"reject", required_argument, NULL, 'r'}, {0}};
    int found;

    memset(options, 0, sizeof *options);
    while ((found = getopt_long(argc, argv, "", list, NULL)) != -1)
        if (take_option(options, found, flags) != 0) {
            if (found != '?')
                fprintf(stderr, "%s: this option is not for this command\n", argv[0]);
            return -1;
        }
    options->database.operands = argv + optind;
    options->operand_count = argc - optind;
    if (options->operand_count >= least && options->operand_count <= most)
        return 0;
    fprintf(stderr, "%s: %s\n", argv[0], options->operand_count < least ? "an argument is missing" : "there are too many arguments");
    return -1;
}
