/*
 * leadctl - the operator's program. Each command is a row here and a file of its own.
 */
#include "leadctl/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DATABASE_OPTIONS                                                                                     \
    "  --dir DIR   the database of `leadctl dev --dir DIR`\n"                                                \
    "  --dsn DSN   the database of this libpq connection string;\n"                                          \
    "              without both: LEADLINE_DSN, then PGHOST, PGDATABASE and so on\n"
#define JSON_OPTION "  --json      print JSON for programs\n"
#define DELIVERY_OPTIONS                                                                                     \
    "  --buyer B, --campaign C\n"                                                                           \
    "  --state S[,S]   OPEN, DELIVERED, REJECTED, DUPLICATE, FAILED, CANCELLED\n"                           \
    "  --from T, --to T   sold from then, and before then; \"2026-11-23\", \"2026-11-23 14:30\", \"yesterday\" by\n" \
    "              the installation's time zone, or with a zone: \"2026-11-23T14:30:00Z\"\n"
#define CHANGE_OPTIONS "  --dry-run   only tell how many it would be\n"

static const struct command {
    const char *name;
    const char *usage;
    const char *meaning;
    const char *details;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"dev", "--dir DIR --port N [options]", "run everything here: PostgreSQL, schema, configuration, all stages",
     "  --dir DIR        where everything is kept; TERM or Ctrl-C ends it and leaves the data, starting again goes on with it\n"
     "  --port N         where suppliers post to, on 127.0.0.1\n"
     "  --config FILE    the configuration document to apply; without it, and without --no-demo, a demo with a buyer\n"
     "  --gateways N --validators N --routers N --dispatchers N\n"
     "                   how many processes of each stage; 1 unless told\n"
     "  --no-demo        no demo configuration and no demo buyer\n"
     "\nPrints \"ready http://127.0.0.1:N\" when a lead would be taken. A process that ends is started again.\n"
     "LEADLINE_BIN_DIR is where the stages' programs are, unless beside leadctl; LEADLINE_PG_BIN where PostgreSQL's are;\n"
     "other LEADLINE_ variables reach the stages as they are. PostgreSQL also reads DIR/pg/local.conf.\n",
     command_dev},
    {"migrate", "", "bring the database's schema up to this program's", DATABASE_OPTIONS, command_migrate},
    {"apply", "FILE", "make the configuration be what this document says (- reads standard input)",
     DATABASE_OPTIONS "\nThe document's keys are in proto/config.schema.json. With any error nothing changes; all errors are printed,\n"
                      "one a line, each with its JSON pointer.\n",
     command_apply},
    {"export", "", "print the configuration as a document that apply takes", DATABASE_OPTIONS, command_export},
    {"key new", "SUPPLIER", "make an API key for a supplier and print it, once", DATABASE_OPTIONS, command_key_new},
    {"status", "[--json]", "show the database, the stages and what waits", DATABASE_OPTIONS JSON_OPTION, command_status},
    {"lead show", "ID [--json]", "show a lead with its sales, deliveries and trail", DATABASE_OPTIONS JSON_OPTION, command_lead_show},
    {"delivery list", "[filters] [--json]", "list deliveries, the newest first",
     DATABASE_OPTIONS JSON_OPTION DELIVERY_OPTIONS "  --limit N   at most so many; 100 unless told, 0: all\n", command_delivery_list},
    {"delivery show", "ID [--json]", "show a delivery with its attempts, lead and sale", DATABASE_OPTIONS JSON_OPTION, command_delivery_show},
    {"delivery replay", "ID... | filters", "deliver again: FAILED and CANCELLED ones, DELIVERED ones by their ids",
     DATABASE_OPTIONS DELIVERY_OPTIONS CHANGE_OPTIONS
     "\nThe webhook-id stays; the schedule of attempts begins anew, their numbers go on. By filters FAILED ones are meant\n"
     "unless --state says otherwise. What the buyer refused, or what was given back, is not delivered again.\n",
     command_delivery_replay},
    {"delivery cancel", "ID... | filters", "end OPEN deliveries without delivering; the sale stays",
     DATABASE_OPTIONS DELIVERY_OPTIONS CHANGE_OPTIONS
     "\nAn attempt that is under way is not broken off: its answer is kept, and changes nothing.\n", command_delivery_cancel},
    {"secret rotate", "BUYER [--grace 24h]", "make a new secret for a buyer and print it, once",
     DATABASE_OPTIONS JSON_OPTION
     "  --grace T   how long the former secrets sign, too: 90s, 30m, 24h (unless told), 7d, or 0\n"
     "\nThe new one signs from now on and comes first. `apply` leaves the secrets alone until the document lists one for this\n"
     "buyer that is neither the new one nor one of the former.\n", command_secret_rotate},
    {"secret list", "BUYER [--json]", "list a buyer's secrets by their digests", DATABASE_OPTIONS JSON_OPTION, command_secret_list},
    {"explain", "FILE|--campaign C FIELD=VALUE… [--json]", "show what would become of a lead, and why; sells and records nothing",
     "  FILE          a lead as a supplier would post it, JSON; - reads standard input\n"
     "  --campaign C  spells the lead out instead: its campaign, then its fields as arguments; the supplier is put in\n"
     "  --supplier S  whose key it would come with; without it the lead's flo_supplier_id, or the campaign's only source\n"
     "  --at TIME     judges schedules, filters and windows of duplicates at that moment, from yesterday to eight days from now, by\n"
     "                the installation's time zone unless it names one (\"2026-11-24 09:00\"); caps are as they are now\n"
     DATABASE_OPTIONS JSON_OPTION
     "\nAddresses, rate limits and idempotency keys are not looked at, and no buyer is asked anything: who sells by live bids is passed\n"
     "over, and with `confirm` the lead waits for the first. The trail names for every contract why it was passed over.\n",
     command_explain},
    {"suppress import", "LIST FILE [--reject FILE]", "put the phones and e-mails of a CSV file on a suppression list (- reads standard input)",
     DATABASE_OPTIONS "  --reject FILE  where bad lines go; unless told FILE.rejected, and for standard input nowhere\n"
     "\nThe file has a header with a column phone or email, or both; other columns do not matter. Values are plain, MD5 or SHA-256\n"
     "(32 or 64 hexadecimal digits) of a US phone's ten digits (others: + and country code) or of the e-mail in lower case.\n"
     "Bad lines are left out, counted, and written as LINE, reason and text, with tabs between. An import that was stopped goes\n"
     "on where it was when it is run again with the same file; one that was not may be run again, too: entries are there once.\n",
     command_suppress_import},
    {"suppress add", "LIST VALUE...", "put phones, e-mails or hashes on a suppression list; they hold for the next lead", DATABASE_OPTIONS,
     command_suppress_add},
    {"suppress remove", "LIST VALUE... | LIST --all", "take phones, e-mails, hashes or everything off a suppression list",
     DATABASE_OPTIONS "  --all       everything, also of a list that the document no longer has\n"
     "\nA plain value is taken off whether it came plain, as MD5 or as SHA-256; a hash takes off what came as that hash, and a\n"
     "SHA-256 also the plain value.\n",
     command_suppress_remove},
    {"suppress count", "[LIST] [--json]", "show how many entries the suppression lists have", DATABASE_OPTIONS JSON_OPTION, command_suppress_count},
    {"delivery preview", "CONTRACT [LEAD] [--campaign C] [--json]", "show the request in which the buyer gets a lead; nothing is sent",
     "  LEAD        a stored lead; without it an example made from the campaign's fields\n"
     "  --campaign C   the contract's campaign, when several have a contract of this id\n"
     DATABASE_OPTIONS JSON_OPTION
     "\nA lead that was sold under this contract is shown as it was or will be sent, with its webhook-id and price; timestamp and\n"
     "signature are those of an attempt made now. Headers of the configuration are shown as they are, the secrets that sign are not.\n"
     "Host, User-Agent, Accept and Content-Length are the connection's.\n",
     command_delivery_preview},
    {"endpoint list", "[--json]", "show the buyers' endpoints: on or off, paused, what waits for them",
     DATABASE_OPTIONS JSON_OPTION
     "\nstate: ON; OFF, by its 410 or by `leadctl endpoint off`; PAUSED, a dispatcher leaves it alone after failures or as it\n"
     "asked, and tries it again by itself; NONE, the document gives the buyer no delivery.url.\n",
     command_endpoint_list},
    {"endpoint on", "BUYER...", "switch endpoints on, end their pauses; what waits for them is delivered at once", DATABASE_OPTIONS,
     command_endpoint_on},
    {"endpoint off", "BUYER... [--reason TEXT]", "switch endpoints off: nothing is sold to them, deliveries wait",
     DATABASE_OPTIONS "  --reason TEXT   kept and shown by `leadctl endpoint list`\n", command_endpoint_off},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* Is it this word, or does it begin with it? NULL: any. */
static bool is_of(const struct command *command, const char *word)
{
    size_t first = strcspn(command->name, " ");

    return word == NULL || (strlen(word) == first && strncmp(command->name, word, first) == 0);
}

static bool is_known(const char *word)
{
    for (int i = 0; i < COMMANDS; i++)
        if (is_of(&commands[i], word))
            return true;
    return false;
}

/* All commands, or those of a first word ("delivery"). */
static void print_usage(FILE *out, const char *word)
{
    fprintf(out, "leadctl - the operator's program of Leadline " LEADLINE_VERSION "\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        int len;

        if (!is_of(&commands[i], word))
            continue;
        len = fprintf(out, "  leadctl %s %s", commands[i].name, commands[i].usage);
        fprintf(out, "%*s%s\n", len < 44 ? 44 - len : 2, "", commands[i].meaning);
    }
    fprintf(out, "\n`leadctl COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

static void print_help(const struct command *command)
{
    printf("leadctl %s %s\n\n%s\n\n%s", command->name, command->usage, command->meaning, command->details);
}

/* How many of the words are the command's name: 0 when they are another's. */
static int words_of(const struct command *command, int argc, char **argv)
{
    size_t first = strcspn(command->name, " ");

    if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0)
        return 0;
    if (command->name[first] == '\0')
        return 1;
    return argc >= 2 && strcmp(argv[1], command->name + first + 1) == 0 ? 2 : 0;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    static char name[64];
    int rc;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (asks_for_help(argv[i])) {
            print_help(command);
            return EXIT_OK;
        }
    snprintf(name, sizeof name, "leadctl %s", command->name);
    argv[0] = name;
    rc = command->run(argc, argv);
    if (rc == EXIT_USAGE)
        fprintf(stderr, "usage: leadctl %s %s\n", command->name, command->usage);
    if (rc == EXIT_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        fprintf(stderr, "%s: cannot write to standard output\n", name);
        return EXIT_FAILED;
    }
    return rc;
}

/* No such command: of its first word there are others, or none. */
static int run_none(int argc, char **argv)
{
    const char *word = argc >= 2 && is_known(argv[1]) ? argv[1] : NULL;

    if (argc < 2) {
        print_usage(stderr, NULL);
        return EXIT_USAGE;
    }
    if (word != NULL && argc >= 3 && asks_for_help(argv[2])) {
        print_usage(stdout, word);
        return EXIT_OK;
    }
    if (word != NULL && argc == 2)
        fprintf(stderr, "leadctl: %s what?\n\n", word);
    else
        fprintf(stderr, "leadctl: there is no command %s%s%s\n\n", argv[1], word != NULL ? " " : "", word != NULL ? argv[2] : "");
    print_usage(stderr, word);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (asks_for_help(argv[1]) || strcmp(argv[1], "help") == 0)) {
        print_usage(stdout, argc >= 3 && is_known(argv[2]) ? argv[2] : NULL);
        return EXIT_OK;
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("leadctl " LEADLINE_VERSION "\n");
        return EXIT_OK;
    }
    for (int i = 0; i < COMMANDS; i++) {
        int words = words_of(&commands[i], argc - 1, argv + 1);

        if (words > 0)
            return run(&commands[i], argc - words, argv + words);
    }
    return run_none(argc, argv);
}
