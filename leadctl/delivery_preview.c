/*
 * delivery_preview.c - the request that a buyer would get for a lead: of a stored one, or of an example made from the campaign's fields.
 *
 * Made by the dispatcher's own functions. Secrets sign, and are not shown; personal data goes to standard output only.
 */
#include "common/clock.h"
#include "common/uuid.h"
#include "dispatcher/webhook.h"
#include "gateway/spec_example.h"
#include "leadctl/command.h"
#include "proto/field_judge.h"
#include "proto/field_options.h"
#include "proto/format.h"
#include "proto/stored_fields.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char CONTRACT[] =
    "SELECT k.campaign_id, k.buyer_id, k.price_cents, b.doc::text, c.doc::text FROM contract k JOIN buyer b ON b.id = k.buyer_id"
    " JOIN campaign c ON c.id = k.campaign_id WHERE k.id = $1 AND k.campaign_id = coalesce($2, k.campaign_id) ORDER BY 1";

static const char SECRETS[] =
    "SELECT secret FROM buyer_secret WHERE buyer_id = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY place";

/* With its sale under this contract, when it has one. */
static const char LEAD[] =
    "SELECT l.campaign_id, l.is_test, " STORED_FIELDS("l.fields") ", s.price_cents, floor(extract(epoch FROM s.sold_at) * 1000)::int8, d.id"
    " FROM lead l LEFT JOIN sale s ON s.lead_id = l.id AND s.contract_id = $2"
    " LEFT JOIN delivery d ON d.lead_id = s.lead_id AND d.n = s.n WHERE l.id = $1::uuid ORDER BY s.n LIMIT 1";

/* What is asked for, and what is found of it; everything lives in the arena. */
struct preview {
    struct db_wait *db;
    struct arena *arena;
    const char *contract_id;
    const char *lead_id;     /* NULL: an example */
    const char *campaign_id; /* NULL: the only one, or the lead's */
    struct buyer buyer;
    struct json *buyer_doc, *campaign_doc;
    struct delivery delivery;
};

static int read_lead(struct preview *preview, struct error *err)
{
    struct delivery *delivery = &preview->delivery;
    struct db_answer *answer = db_wait_ask(preview->db, LEAD, DB_PARAMS(preview->lead_id, preview->contract_id), err);
    struct span campaign_id;
    int rc = -1;

    if (answer == NULL)
        return -1;
    campaign_id = db_answer_rows(answer) > 0 ? db_answer_text(answer, 0, 0) : SPAN("");
    if (db_answer_rows(answer) == 0)
        error_set(err, "there is no lead %s", preview->lead_id);
    else if (campaign_id.len == 0)
        error_set(err, "lead %s is of no campaign", preview->lead_id);
    else if (preview->campaign_id != NULL && !span_is(campaign_id, preview->campaign_id))
        error_set(err, "lead %s is of campaign %.*s", preview->lead_id, SPAN_FMT(campaign_id));
    else if (stored_fields_read(&delivery->fields, preview->arena, db_answer_text(answer, 0, 2)) != 0)
        error_set(err, "the fields of lead %s cannot be read", preview->lead_id);
    else
        rc = uuid_parse(&delivery->lead_id, span_of(preview->lead_id));
    if (rc == 0) {
        preview->campaign_id = arena_text(preview->arena, campaign_id);
        delivery->is_test = db_answer_bool(answer, 0, 1);
        if (db_answer_text(answer, 0, 3).ptr != NULL) {
            delivery->price_cents = db_answer_int(answer, 0, 3);
            delivery->sold_at_ms = db_answer_int(answer, 0, 4);
        }
        if (db_answer_text(answer, 0, 5).ptr != NULL)
            rc = uuid_parse(&delivery->id, db_answer_text(answer, 0, 5));
    }
    db_answer_free(&answer);
    return rc;
}

static int read_secrets(struct preview *preview, const char *buyer_id, struct error *err)
{
    struct db_answer *answer = db_wait_ask(preview->db, SECRETS, DB_PARAMS(buyer_id), err);

    if (answer == NULL)
        return -1;
    preview->buyer.secret_count = (size_t)db_answer_rows(answer);
    preview->buyer.secrets = arena_alloc(preview->arena, (preview->buyer.secret_count + 1) * sizeof *preview->buyer.secrets);
    for (size_t i = 0; i < preview->buyer.secret_count; i++)
        preview->buyer.secrets[i] = arena_copy(preview->arena, db_answer_text(answer, (int)i, 0));
    db_answer_free(&answer);
    return 0;
}

static int read_buyer(struct preview *preview, struct error *err)
{
    const struct json *delivery = json_get(preview->buyer_doc, "delivery");
    struct complaints *list = complaints_new();
    int rc = 0;

    preview->buyer.url = arena_text(preview->arena, json_get_text(delivery, "url"));
    preview->buyer.has_legacy_signature = json_get_bool(delivery, "legacy_signature", false);
    preview->buyer.format = format_read(preview->arena, delivery, NULL, NULL, NULL, list);
    if (list->count > 0)
        rc = error_set(err, "the buyer's delivery: %s: %s", list->items[0].pointer, list->items[0].sentence);
    else if (preview->buyer.url[0] == '\0')
        rc = error_set(err, "the buyer of this contract has no delivery: nothing is sent to it");
    complaints_free(&list);
    return rc;
}

static int take_contract(struct preview *preview, const struct db_answer *answer, struct error *err)
{
    struct delivery *delivery = &preview->delivery;

    if (db_answer_rows(answer) == 0)
        return preview->campaign_id != NULL ? error_set(err, "campaign %s has no contract %s", preview->campaign_id, preview->contract_id)
                                            : error_set(err, "there is no contract %s", preview->contract_id);
    if (db_answer_rows(answer) > 1)
        return error_set(err, "several campaigns have a contract %s: say which with --campaign", preview->contract_id);
    delivery->campaign_id = arena_copy(preview->arena, db_answer_text(answer, 0, 0));
    delivery->buyer_id = arena_copy(preview->arena, db_answer_text(answer, 0, 1));
    if (delivery->price_cents < 0)
        delivery->price_cents = db_answer_int(answer, 0, 2);
    preview->buyer_doc = json_parse(db_answer_text(answer, 0, 3), err);
    if (preview->buyer_doc != NULL)
        preview->campaign_doc = json_parse(db_answer_text(answer, 0, 4), err);
    return preview->campaign_doc != NULL ? 0 : -1;
}

static int read_contract(struct preview *preview, struct error *err)
{
    struct db_answer *answer = db_wait_ask(preview->db, CONTRACT, DB_PARAMS(preview->contract_id, preview->campaign_id), err);
    int rc;

    if (answer == NULL)
        return -1;
    rc = take_contract(preview, answer, err);
    db_answer_free(&answer);
    if (rc == 0)
        rc = read_secrets(preview, preview->delivery.buyer_id.ptr, err);
    return rc == 0 ? read_buyer(preview, err) : rc;
}

/* The example ------------------------------------------------------------------------------------------------------------- */

/* The campaign's entry for a field, or NULL. */
static const struct json *entry_of(const struct json *fields, struct span name)
{
    for (size_t i = 0; i < json_count(fields); i++)
        if (span_equal(json_get_text(json_at(fields, i), "name"), name))
            return json_at(fields, i);
    return NULL;
}

/* Adds the normal form of an example; a field for which none is found stays absent. */
static void add_example(struct preview *preview, const struct json *entry, struct span name, enum field_type type)
{
    struct span word = json_get_text(entry, "type");
    struct field_spec spec = {.name = name, .type = word.ptr != NULL ? (enum field_type)field_type_of(word) : type,
                              .is_strict = json_get_bool(entry, "strict", false)};
    struct field *out = &preview->delivery.fields.items[preview->delivery.fields.count];
    struct complaints *list = complaints_new();
    struct field_fault fault;
    struct field sent;

    if (entry != NULL)
        field_options_read(preview->arena, entry, &spec, list, NULL);
    *out = (struct field){.name = name};
    if (spec_example(preview->arena, &spec, &sent) && field_judge(preview->arena, &spec, &sent, out, &fault) && out->text.len > 0)
        preview->delivery.fields.count++;
    pattern_free(&spec.pattern);
    complaints_free(&list);
}

static void make_example(struct preview *preview)
{
    const struct json *fields = json_get(preview->campaign_doc, "fields");
    size_t system_count;
    const struct system_field *system = system_fields(&system_count);

    preview->delivery.fields.items = arena_alloc(preview->arena, (system_count + json_count(fields)) * sizeof(struct field));
    for (size_t i = 0; i < system_count; i++)
        if (!system[i].is_control)
            add_example(preview, entry_of(fields, span_of(system[i].name)), span_of(system[i].name), system[i].type);
    for (size_t i = 0; i < json_count(fields); i++) {
        struct span name = json_get_text(json_at(fields, i), "name");

        if (system_field_find(name) == NULL)
            add_example(preview, json_at(fields, i), arena_copy(preview->arena, name), FIELD_STRING);
    }
}

/* What is shown ----------------------------------------------------------------------------------------------------------- */

static void print_text(const struct http_request *request)
{
    printf("%s %.*s\n", request->method, SPAN_FMT(request->url));
    for (size_t i = 0; i < request->header_count; i++)
        printf("%.*s: %.*s\n", SPAN_FMT(request->headers[i].name), SPAN_FMT(request->headers[i].value));
    if (request->body.len > 0)
        printf("\n%.*s\n", SPAN_FMT(request->body));
}

static void print_json(const struct preview *preview, const struct http_request *request)
{
    struct json *out = json_new_object(), *headers = json_new_list();
    struct buf *text = buf_new(4096);

    for (size_t i = 0; i < request->header_count; i++) {
        struct json *header = json_new_object();

        json_set_text(header, "name", request->headers[i].name);
        json_set_text(header, "value", request->headers[i].value);
        json_push(headers, header);
    }
    json_set_bool(out, "is_example", preview->lead_id == NULL);
    json_set_text(out, "campaign_id", preview->delivery.campaign_id);
    json_set_text(out, "buyer_id", preview->delivery.buyer_id);
    json_set_text(out, "method", span_of(request->method));
    json_set_text(out, "url", request->url);
    json_set(out, "headers", headers);
    json_set_text(out, "body", request->body.len > 0 ? request->body : SPAN(""));
    json_print(out, text);
    puts(buf_text(text));
    buf_free(&text);
    json_free(&out);
}

static void show(const struct preview *preview, bool is_json)
{
    struct webhook *webhook = webhook_new(preview->buyer.format, &preview->delivery);
    struct http_request request;

    webhook_request(webhook, &preview->buyer, &preview->delivery.id, clock_wall_ms() / 1000, preview->arena, &request);
    if (is_json)
        print_json(preview, &request);
    else
        print_text(&request);
    webhook_free(&webhook);
}

/* The command ------------------------------------------------------------------------------------------------------------- */

static int run(struct preview *preview, bool is_json, struct error *err)
{
    int rc;

    preview->delivery.sold_at_ms = clock_wall_ms();
    preview->delivery.id = uuid_v7(preview->delivery.sold_at_ms);
    preview->delivery.lead_id = uuid_v7(preview->delivery.sold_at_ms);
    preview->delivery.price_cents = -1;
    rc = preview->lead_id != NULL ? read_lead(preview, err) : 0;
    if (rc == 0)
        rc = read_contract(preview, err);
    if (rc == 0 && preview->lead_id == NULL)
        make_example(preview);
    if (rc == 0)
        show(preview, is_json);
    return rc;
}

/* Returns 0, or -1 after the mistake was told. */
static int read_arguments(struct preview *preview, struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        OPTIONS_OF_DATABASE,
        {"campaign", required_argument, NULL, 'c'}, {0}};
    struct uuid id;
    int found;

    while ((found = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (options_take(options, found))
            continue;
        if (found == 'c')
            preview->campaign_id = optarg;
        else
            return -1;
    }
    if (argc - optind < 1 || argc - optind > 2) {
        fprintf(stderr, "%s: %s\n", argv[0], argc == optind ? "a contract is missing" : "there are too many arguments");
        return -1;
    }
    preview->contract_id = argv[optind];
    preview->lead_id = argc - optind == 2 ? argv[optind + 1] : NULL;
    if (preview->lead_id != NULL && uuid_parse(&id, span_of(preview->lead_id)) != 0) {
        fprintf(stderr, "%s: a lead's id is a UUID of 36 characters\n", argv[0]);
        return -1;
    }
    return 0;
}

int command_delivery_preview(int argc, char **argv)
{
    struct preview preview = {.arena = NULL};
    struct options options = {.dir = NULL};
    struct error err;
    int rc;

    if (read_arguments(&preview, &options, argc, argv) != 0)
        return EXIT_USAGE;
    preview.db = options_connect(&options, &err);
    if (preview.db == NULL)
        return command_failed(argv[0], NULL, &err);
    preview.arena = arena_new();
    rc = run(&preview, options.is_json, &err) == 0 ? EXIT_OK : command_failed(argv[0], preview.db, &err);
    if (preview.buyer_doc != NULL)
        json_free(&preview.buyer_doc);
    if (preview.campaign_doc != NULL)
        json_free(&preview.campaign_doc);
    arena_free(&preview.arena);
    db_wait_close(&preview.db);
    return rc;
}
