#include "gateway/spec.h"

#include "gateway/spec_example.h"
#include "gateway/spec_fit.h"
#include "proto/problem.h"

enum { EXAMPLE_BYTES_MOST = 32 * 1024 }; /* of values and names, half of what a body may have; required fields come first */

static const char LEAD_ID[] = "0193b3c1-6f2a-7c3e-9d41-2b8a5c6f7e10";
static const struct uuid request_id = {{0x01, 0x93, 0xb3, 0xc1, 0x6f, 0x2a, 0x7f, 0x00, 0x8a, 0x51, 0x9c, 0x0d, 0x1e, 0x2f, 0x3a, 0x4b}};

/* Values -------------------------------------------------------------------------------------------------------------- */

/* As JSON has it; a number that would be rounded stays text, which is taken as well. */
static struct json *value_json(enum value_kind kind, struct span text)
{
    struct json *number = kind == VALUE_NUMBER ? json_new_number(text) : NULL;
    struct buf *printed;

    if (kind == VALUE_BOOL)
        return json_new_bool(span_is(text, "true"));
    if (number == NULL)
        return json_new_text(text);
    printed = buf_new(32);
    json_print(number, printed);
    if (!span_equal(buf_span(printed), text)) {
        json_free(&number);
        number = json_new_text(text);
    }
    buf_free(&printed);
    return number;
}

static enum value_kind kind_of(enum field_type type)
{
    return type == FIELD_NUMBER ? VALUE_NUMBER : type == FIELD_BOOLEAN ? VALUE_BOOL : VALUE_TEXT;
}

/* Fields -------------------------------------------------------------------------------------------------------------- */

static const char *description_of(const struct field_spec *spec)
{
    if (span_is(spec->name, "flo_campaign_id"))
        return "The campaign's id, exactly as in the example.";
    if (span_is(spec->name, "flo_supplier_id"))
        return "Your own id, exactly as in the example.";
    if (span_is(spec->name, "is_test"))
        return "true makes it a test lead: it passes every check and counts for no cap, no money and no duplicate rule. Leave it out of real leads.";
    switch (spec->type) {
    case FIELD_STRING:
        return "Text.";
    case FIELD_NUMBER:
        return "A decimal number such as 1234.5, without separators; as a JSON number or as text.";
    case FIELD_BOOLEAN:
        return "true or false; yes and no, y and n, 1 and 0, on and off are taken as well.";
    case FIELD_PHONE:
        return spec->is_strict ? "A phone number: ten US digits in any notation, or + and a country code; no extension. The exchange code is checked, too."
                               : "A phone number: ten US digits in any notation, or + and a country code; no extension.";
    case FIELD_EMAIL:
        return "An e-mail address.";
    case FIELD_DATE:
        return "A date, as YYYY-MM-DD or MM/DD/YYYY.";
    case FIELD_STATE:
        return "A US state, DC or a territory: two letters or the full name.";
    case FIELD_ZIP:
        return "A US ZIP code of 5 or 9 digits; as text, so that no zero is lost.";
    case FIELD_URL:
        return "An http or https URL.";
    case FIELD_LIST:
        return "One of the values listed, in upper or lower case.";
    }
    return "";
}

/* A default takes the place of a value that is not sent. */
static bool is_required(const struct field_spec *spec)
{
    return spec->is_required && spec->otherwise.text.len == 0;
}

static struct json *field_json(const struct field_spec *spec)
{
    struct json *field = json_new_object(), *list;
    enum value_kind kind = kind_of(spec->type);

    json_set_text(field, "name", spec->name);
    json_set_text(field, "type", span_of(field_type_word(spec->type)));
    json_set_bool(field, "required", is_required(spec));
    json_set_text(field, "description", span_of(description_of(spec)));
    if (spec->transform_count > 0) {
        json_set(field, "transform", list = json_new_list());
        for (size_t i = 0; i < spec->transform_count; i++)
            json_push(list, json_new_text(span_of(transform_word(spec->transforms[i]))));
    }
    if (spec->value_count > 0) {
        json_set(field, "values", list = json_new_list());
        for (size_t i = 0; i < spec->value_count; i++)
            json_push(list, value_json(kind, spec->values[i]));
    }
    if (spec->min.ptr != NULL)
        json_set(field, "min", value_json(kind, spec->min));
    if (spec->max.ptr != NULL)
        json_set(field, "max", value_json(kind, spec->max));
    if (spec->min_length > 0)
        json_set_integer(field, "min_length", (int64_t)spec->min_length);
    if (spec->max_length > 0)
        json_set_integer(field, "max_length", (int64_t)spec->max_length);
    if (spec->pattern != NULL)
        json_set_text(field, "pattern", spec->pattern_text);
    if (spec->otherwise.text.ptr != NULL)
        json_set(field, "default", value_json(spec->otherwise.kind, spec->otherwise.text));
    return field;
}

/* The example --------------------------------------------------------------------------------------------------------- */

struct example {
    const struct source *source;
    const struct campaign *campaign;
    struct arena *arena;
    const struct field *values; /* by index of the campaign's fields */
    struct json *fields, *placeholders;
    size_t bytes;
};

static void add_value(struct example *example, const char *name, struct json *value, size_t bytes)
{
    json_set(example->fields, name, value);
    example->bytes += bytes;
}

static void add_example(struct example *example, const struct field_spec *spec)
{
    const char *name = arena_text(example->arena, spec->name);
    bool is_needed = is_required(spec);
    const struct field *found = &example->values[spec - example->campaign->fields];

    if (span_is(spec->name, "flo_campaign_id"))
        add_value(example, name, json_new_text(example->campaign->id), 0);
    else if (span_is(spec->name, "flo_supplier_id"))
        add_value(example, name, json_new_text(example->source->supplier_id), 0);
    else if (!is_needed && json_count(example->fields) >= FIELDS_MOST)
        return;
    else if (found->text.len > 0) {
        if (is_needed || example->bytes + found->text.len + spec->name.len <= EXAMPLE_BYTES_MOST)
            add_value(example, name, value_json(found->kind, found->text), found->text.len + spec->name.len);
    } else if (is_needed) {
        add_value(example, name, json_new_text(SPAN(SPEC_PLACEHOLDER)), 0);
        json_push(example->placeholders, json_new_text(spec->name));
    }
}

/* Answers ------------------------------------------------------------------------------------------------------------- */

static void add_answer(struct json *answers, int status, const char *when, struct json *body)
{
    struct json *answer = json_new_object();

    json_set_integer(answer, "status", status);
    json_set_text(answer, "when", span_of(when));
    json_set(answer, "body", body);
    json_push(answers, answer);
}

/* The lead of an answer: {"id","status"[,"buyer_id"],"campaign_id"}; buyer: NULL for none of it, "" for null. */
static struct json *lead_json(const char *status, const char *buyer, struct span campaign_id)
{
    struct json *lead = json_new_object();

    json_set_text(lead, "id", span_of(LEAD_ID));
    json_set_text(lead, "status", span_of(status));
    if (buyer != NULL)
        json_set(lead, "buyer_id", buyer[0] != '\0' ? json_new_text(span_of(buyer)) : json_new_null());
    if (campaign_id.ptr != NULL)
        json_set_text(lead, "campaign_id", campaign_id);
    return lead;
}

static struct json *data_json(struct json *data)
{
    struct json *body = json_new_object();

    json_set(body, "data", data);
    return body;
}

/* Everything that a source may tell of a sale. */
static void add_full(struct json *lead)
{
    struct json *buyers = json_new_list(), *buyer = json_new_object();

    json_set_text(buyer, "buyer_id", SPAN("buyer_abc"));
    json_set_text(buyer, "price", SPAN("25.00"));
    json_push(buyers, buyer);
    json_set(lead, "buyers", buyers);
    json_set_text(lead, "price", SPAN("25.00"));
}

static void add_sales(struct json *answers, const struct source *source, struct span campaign_id)
{
    static const struct span NO_CAMPAIGN = {NULL, 0};
    struct json *sold;

    if (source->answer == ANSWER_RECEIVED) {
        add_answer(answers, 200, "The lead is stored; whether it was sold is not told.", data_json(lead_json("RECEIVED", NULL, NO_CAMPAIGN)));
        return;
    }
    sold = lead_json("ACCEPTED", "buyer_abc", campaign_id);
    json_set_bool(sold, "is_test", true);
    if (source->answer == ANSWER_FULL)
        add_full(sold);
    add_answer(answers, 201, "The lead is sold; is_test is there for test leads only.", data_json(sold));
    add_answer(answers, 200, "The lead is stored, and nobody buys it.", data_json(lead_json("UNMATCHED", "", campaign_id)));
}

static void add_problem(struct json *answers, const char *when, const struct problem *problem)
{
    struct buf *text = buf_new(512);

    problem_print(problem, &request_id, text);
    add_answer(answers, reason_http(problem->reason), when, json_parse(buf_span(text), NULL));
    buf_free(&text);
}

static struct json *answers_json(const struct source *source, struct span campaign_id)
{
    struct field_error missing = {.field = SPAN("phone"), .code = SPAN("required"), .message = SPAN("is required")};
    struct field_errors fields = {&missing, 1};
    struct json *answers = json_new_list();

    add_sales(answers, source, campaign_id);
    add_problem(answers, "A field is missing or malformed; field_errors names each.",
                &(struct problem){.reason = REASON_VALIDATION_FAILED, .errors = &fields, .data = lead_json("REJECTED", NULL, campaign_id)});
    add_problem(answers, "The key is missing or unknown.", &(struct problem){.reason = REASON_UNAUTHORIZED});
    add_problem(answers, "Leads are not taken from you at present.",
                &(struct problem){.reason = REASON_SOURCE_PAUSED, .data = lead_json("REJECTED", NULL, campaign_id)});
    add_problem(answers, "You have sent as many leads as are taken for now.",
                &(struct problem){.reason = REASON_SOURCE_CAPPED, .data = lead_json("REJECTED", NULL, campaign_id)});
    add_problem(answers, "The campaign has had this lead; duplicate_of is added when you sent it.",
                &(struct problem){.reason = REASON_DUPLICATE, .data = lead_json("DUPLICATE", NULL, campaign_id)});
    add_problem(answers, "Too many requests: send it again after retry_after seconds.",
                &(struct problem){.reason = REASON_RATE_LIMITED, .retry_after_s = 1});
    add_problem(answers, "Nothing is known of the lead: send it again with the same Idempotency-Key.",
                &(struct problem){.reason = REASON_UNAVAILABLE, .retry_after_s = 1});
    return answers;
}

/* The whole ----------------------------------------------------------------------------------------------------------- */

/* What belongs to a call and not to the lead: the API's description tells of it. */
static bool is_of_call(const struct field_spec *spec)
{
    return span_is(spec->name, "flo_ping_id") || span_is(spec->name, "flo_buyer_id") || span_is(spec->name, "flo_mode") ||
           span_is(spec->name, "flo_timeout_ms");
}

/* The fields as a developer reads them: system fields in the order of their table, then the campaign's own by name. */
static size_t sort_fields(const struct campaign *campaign, const struct field_spec **sorted)
{
    size_t system_count, count = 0;
    const struct system_field *system = system_fields(&system_count);

    for (size_t i = 0; i < system_count; i++) {
        const struct field_spec *spec = campaign_field(campaign, span_of(system[i].name));

        if (spec != NULL && !is_of_call(spec))
            sorted[count++] = spec;
    }
    for (size_t i = 0; i < campaign->field_count; i++)
        if (system_field_find(campaign->fields[i].name) == NULL)
            sorted[count++] = &campaign->fields[i];
    return count;
}

/* A value for each field of which one is known, such that the campaign takes the lead. */
static const struct field *find_values(struct arena *arena, const struct campaign *campaign, const struct moment *now)
{
    struct field *values = arena_alloc(arena, campaign->field_count * sizeof *values);

    for (size_t i = 0; i < campaign->field_count; i++)
        if (!spec_example(arena, &campaign->fields[i], &values[i]))
            values[i] = (struct field){.name = campaign->fields[i].name};
    spec_fit(arena, campaign, now, values);
    return values;
}

struct json *spec_new(const struct campaign *campaign, const struct source *source, const struct moment *now)
{
    struct arena *arena = arena_new();
    const struct field_spec **fields = arena_alloc(arena, campaign->field_count * sizeof *fields);
    size_t count = sort_fields(campaign, fields);
    struct json *data = json_new_object(), *list = json_new_list();
    struct example example = {source, campaign, arena, find_values(arena, campaign, now), json_new_object(), json_new_list(), 0};

    for (size_t i = 0; i < count; i++)
        json_push(list, field_json(fields[i]));
    for (int is_rest = 0; is_rest < 2; is_rest++)
        for (size_t i = 0; i < count; i++)
            if (is_required(fields[i]) == !is_rest)
                add_example(&example, fields[i]);
    if (campaign->is_ping_post) /* no example could name a ping */
        add_value(&example, "flo_mode", json_new_text(SPAN("full")), 0);
    json_set_text(data, "campaign_id", campaign->id);
    json_set_text(data, "supplier_id", source->supplier_id);
    json_set_text(data, "url", SPAN("/api/v1/ingest"));
    json_set_text(data, "method", SPAN("POST"));
    json_set(data, "fields", list);
    json_set(data, "example", example.fields);
    json_set(data, "placeholders", example.placeholders);
    json_set(data, "answers", answers_json(source, campaign->id));
    arena_free(&arena);
    return data_json(data);
}
