/*
 * secret.c - a buyer's secrets: a new one that overlaps with the former for a while, and a list that shows none of them.
 */
#include "common/buf.h"
#include "common/digest.h"
#include "common/json.h"
#include "leadctl/command.h"
#include "leadctl/configuration.h"
#include "leadctl/in_force.h"
#include "leadctl/sql_text.h"
#include "leadctl/table.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_BYTES = 32, SECRETS_MOST = 10 }; /* so many sign at most, as config.schema.json has it */
static const int64_t GRACE_S = 24 * 3600, GRACE_MOST_S = INT64_C(366) * 24 * 3600;

static const char FIND[] = "SELECT FROM buyer WHERE id = $1";

/* Whoever signs now does so until the grace is over, if not shorter already. Those whose time is over go at once. */
static const char RETIRE[] =
    "UPDATE buyer_secret SET expires_at = LEAST(expires_at, now() + $2::int8 * interval '1 second') WHERE buyer_id = $1";
static const char DROP[] = "DELETE FROM buyer_secret WHERE buyer_id = $1 AND expires_at <= now()";

static const char ADD[] =
    "INSERT INTO buyer_secret (buyer_id, place, secret)"
    " SELECT $1, coalesce(min(place), 1) - 1, $2 FROM buyer_secret WHERE buyer_id = $1";

/* The former ones are noted before they go. */
static const char NOTE[] =
    "INSERT INTO rotated_secret (buyer_id, sha256)"
    " SELECT buyer_id, sha256(convert_to(secret, 'UTF8')) FROM buyer_secret WHERE buyer_id = $1 ON CONFLICT DO NOTHING";

static const char FORMER[] =
    "SELECT count(*), " TIME("max(expires_at)") " FROM buyer_secret WHERE buyer_id = $1 AND expires_at IS NOT NULL";

#define SECRETS                                                                                                        \
    "SELECT row_number() OVER (ORDER BY place) AS place, left(encode(sha256(convert_to(secret, 'UTF8')), 'hex'), 12) AS sha256," \
    " " TIME("created_at") " AS created_at, floor(extract(epoch FROM clock_timestamp() - created_at))::int8 AS age_s," \
    " " TIME("expires_at") " AS expires_at"                                                                            \
    " FROM buyer_secret WHERE buyer_id = $1::text AND (expires_at IS NULL OR expires_at > clock_timestamp())"

static const char LIST[] = SECRETS " ORDER BY place";
static const char LIST_JSON[] =
    "SELECT json_build_object('buyer_id', $1::text, 'secrets', (SELECT coalesce(json_agg(row_to_json(s) ORDER BY s.place), '[]')"
    " FROM (" SECRETS ") s))";

static struct buf *make_secret(void)
{
    uint8_t random[SECRET_BYTES];
    struct buf *secret = buf_new(64);

    digest_random(random, sizeof random);
    buf_add_text(secret, "whsec_");
    digest_base64((struct span){(const char *)random, sizeof random}, secret);
    return secret;
}

/* Returns 0, or -1 with *err when there is no such buyer. */
static int find_buyer(struct db_wait *db, const char *id, struct error *err)
{
    struct db_answer *found = db_wait_ask(db, FIND, DB_PARAMS(id), err);
    int rows = found != NULL ? db_answer_rows(found) : 0;

    if (found == NULL)
        return -1;
    db_answer_free(&found);
    return rows > 0 ? 0 : error_set(err, "there is no buyer %s", id);
}

struct former {
    int64_t count;
    char until[32]; /* when the last of them goes */
};

static int read_former(struct db_wait *db, const char *buyer_id, struct former *former, struct error *err)
{
    struct db_answer *answer = db_wait_ask(db, FORMER, DB_PARAMS(buyer_id), err);

    if (answer == NULL)
        return -1;
    former->count = db_answer_int(answer, 0, 0);
    snprintf(former->until, sizeof former->until, "%.*s", SPAN_FMT(db_answer_text(answer, 0, 1)));
    db_answer_free(&answer);
    return former->count < SECRETS_MOST ? 0 :
        error_set(err, "this buyer has %" PRId64 " secrets that still sign: use a shorter --grace", former->count);
}

static int rotate(struct db_wait *db, const char *buyer_id, const char *secret, int64_t grace_s, struct former *former,
                  struct error *err)
{
    char grace[24];

    snprintf(grace, sizeof grace, "%" PRId64, grace_s);
    if (db_wait_do(db, "BEGIN", DB_NO_PARAMS, err) < 0 || db_wait_do(db, CONFIGURATION_FENCE, DB_NO_PARAMS, err) < 0 ||
        find_buyer(db, buyer_id, err) != 0 || db_wait_do(db, NOTE, DB_PARAMS(buyer_id), err) < 0 ||
        db_wait_do(db, RETIRE, DB_PARAMS(buyer_id, grace), err) < 0 || db_wait_do(db, DROP, DB_PARAMS(buyer_id), err) < 0 ||
        read_former(db, buyer_id, former, err) != 0 || db_wait_do(db, ADD, DB_PARAMS(buyer_id, secret), err) < 0 ||
        db_wait_do(db, NOTE, DB_PARAMS(buyer_id), err) < 0 || db_wait_do(db, CONFIGURATION_BUMP, DB_NO_PARAMS, err) < 0)
        return -1;
    return db_wait_do(db, "COMMIT", DB_NO_PARAMS, err) < 0 ? -1 : 0;
}

static void print_rotated(const char *name, const char *buyer_id, const char *secret, const struct former *former, bool is_json)
{
    struct json *told;
    struct buf *text;

    if (!is_json) {
        puts(secret);
        if (former->count > 0)
            fprintf(stderr, "%s: it signs from now on; %" PRId64 " former sign, too, until %s\n", name, former->count, former->until);
        else
            fprintf(stderr, "%s: it alone signs from now on\n", name);
        return;
    }
    told = json_new_object();
    text = buf_new(256);
    json_set_text(told, "buyer_id", span_of(buyer_id));
    json_set_text(told, "secret", span_of(secret));
    json_set(told, "former", json_new_integer(former->count));
    json_set(told, "former_until", former->count > 0 ? json_new_text(span_of(former->until)) : json_new_null());
    json_print(told, text);
    puts(buf_text(text));
    buf_free(&text);
    json_free(&told);
}

/* "90s", "30m", "24h", "7d", "0" in seconds. Returns 0, or -1 when it is none or too long. */
static int read_grace(const char *text, int64_t *seconds)
{
    static const struct { char unit; int64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9)
        return -1;
    *seconds = strtoll(text, NULL, 10);
    if (text[digits] == '\0')
        return *seconds == 0 ? 0 : -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text[digits] == units[i].unit && text[digits + 1] == '\0') {
            *seconds *= units[i].seconds;
            return *seconds <= GRACE_MOST_S ? 0 : -1;
        }
    return -1;
}

/* Reads --grace beside what options_read() reads. Returns 0, or -1 after the mistake was told. */
static int read_options(struct options *options, int argc, char **argv, int64_t *grace_s)
{
    static const struct option list[] = {
        OPTIONS_OF_DATABASE,
        {"grace", required_argument, NULL, 'g'}, {0}};
    int found;

    memset(options, 0, sizeof *options);
    *grace_s = GRACE_S;
    while ((found = getopt_long(argc, argv, "", list, NULL)) != -1) {
        if (options_take(options, found))
            continue;
        if (found != 'g')
            return -1;
        else if (read_grace(optarg, grace_s) != 0) {
            fprintf(stderr, "%s: --grace is a time like 90s, 30m, 24h or 7d, at most 366d, or 0\n", argv[0]);
            return -1;
        }
    }
    options->operands = argv + optind;
    if (argc - optind == 1)
        return 0;
    fprintf(stderr, "%s: %s\n", argv[0], argc == optind ? "an argument is missing" : "there are too many arguments");
    return -1;
}

int command_secret_rotate(int argc, char **argv)
{
    struct options options;
    struct former former;
    struct buf *secret;
    struct db_wait *db;
    struct error err;
    int64_t grace_s;
    int rc = EXIT_OK;

    if (read_options(&options, argc, argv, &grace_s) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    secret = make_secret();
    if (db != NULL && rotate(db, options.operands[0], buf_text(secret), grace_s, &former, &err) == 0) {
        print_rotated(argv[0], options.operands[0], buf_text(secret), &former, options.is_json);
        fflush(stdout);
        in_force_wait(argv[0], db);
    } else {
        rc = command_failed(argv[0], db, &err);
    }
    buf_free(&secret);
    db_wait_close(&db);
    return rc;
}

int command_secret_list(int argc, char **argv)
{
    struct db_answer *answer = NULL;
    struct options options;
    struct db_wait *db;
    struct error err;
    int rc = EXIT_OK;

    if (options_read(&options, argc, argv, 1, OPTION_JSON) != 0)
        return EXIT_USAGE;
    db = options_connect(&options, &err);
    if (db != NULL && find_buyer(db, options.operands[0], &err) == 0)
        answer = db_wait_ask(db, options.is_json ? LIST_JSON : LIST, DB_PARAMS(options.operands[0]), &err);
    if (answer == NULL)
        rc = command_failed(argv[0], db, &err);
    else if (options.is_json)
        puts(db_answer_text(answer, 0, 0).ptr);
    else if (db_answer_rows(answer) > 0)
        table_print(answer);
    else
        puts("no secret: webhooks are not signed");
    if (answer != NULL)
        db_answer_free(&answer);
    db_wait_close(&db);
    return rc;
}
