/* test_rules.c - validator/rules.c: whose lead it is, and what is wrong with its fields. */
#include "validator/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S SPAN

static struct span roofs[] = {S("tile"), S("metal")};

/* System fields as SPEC 2 has them, with zip_code made required, and three of the campaign's own. Sorted by name. */
static struct field_spec auto_fields[] = {
    {.name = S("age"), .type = FIELD_NUMBER},
    {.name = S("email"), .type = FIELD_EMAIL, .is_required = true},
    {.name = S("first_name"), .type = FIELD_STRING, .is_required = true},
    {.name = S("flo_buyer_id"), .type = FIELD_STRING},
    {.name = S("flo_campaign_id"), .type = FIELD_STRING, .is_required = true},
    {.name = S("flo_mode"), .type = FIELD_STRING},
    {.name = S("flo_ping_id"), .type = FIELD_STRING},
    {.name = S("flo_supplier_id"), .type = FIELD_STRING, .is_required = true},
    {.name = S("flo_timeout_ms"), .type = FIELD_NUMBER},
    {.name = S("homeowner"), .type = FIELD_BOOLEAN},
    {.name = S("is_test"), .type = FIELD_BOOLEAN},
    {.name = S("jornaya_leadid"), .type = FIELD_STRING},
    {.name = S("last_name"), .type = FIELD_STRING, .is_required = true},
    {.name = S("phone"), .type = FIELD_PHONE, .is_required = true},
    {.name = S("roof"), .type = FIELD_LIST, .values = roofs, .value_count = 2},
    {.name = S("source"), .type = FIELD_STRING},
    {.name = S("state"), .type = FIELD_STATE},
    {.name = S("trustedform_cert_url"), .type = FIELD_URL},
    {.name = S("zip_code"), .type = FIELD_ZIP, .is_required = true},
};
/* Asks for nothing, not even the supplier's id; its phones are strict. */
static struct field_spec lax_fields[] = {
    {.name = S("flo_campaign_id"), .type = FIELD_STRING},
    {.name = S("flo_supplier_id"), .type = FIELD_STRING},
    {.name = S("phone"), .type = FIELD_PHONE, .is_strict = true},
};
/* Every option, and defaults. Sorted by name. */
static struct span colors[] = {S("RED"), S("BLUE")};
static enum transform uppers[] = {TRANSFORM_UPPER}, digits[] = {TRANSFORM_DIGITS};
static struct field_spec picky_fields[] = {
    {.name = S("age"), .type = FIELD_NUMBER, .is_required = true, .min = S("18"), .max = S("120")},
    {.name = S("color"), .transforms = uppers, .transform_count = 1, .values = colors, .value_count = 2, .max_length = 10},
    {.name = S("consent"), .type = FIELD_BOOLEAN, .otherwise = {S("consent"), VALUE_BOOL, S("false")}},
    {.name = S("flo_campaign_id"), .type = FIELD_STRING},
    {.name = S("income"), .type = FIELD_NUMBER, .transforms = digits, .transform_count = 1, .otherwise = {S("income"), VALUE_NUMBER, S("0")}},
    {.name = S("plan"), .min_length = 2, .max_length = 4, .is_required = true, .otherwise = {S("plan"), VALUE_TEXT, S("gold")}},
};
static struct supplier suppliers[] = {
    {.id = S("acme"), .is_active = true},
    {.id = S("tester"), .is_active = true, .is_test_mode = true},
};
static struct source auto_sources[] = {
    {.supplier_id = S("acme"), .supplier = &suppliers[0], .is_active = true},
    {.supplier_id = S("tester"), .supplier = &suppliers[1], .is_active = false},
};
static struct campaign campaigns[] = {
    {.id = S("auto"), .is_active = true, .fields = auto_fields, .field_count = sizeof auto_fields / sizeof *auto_fields,
     .sources = auto_sources, .source_count = 2},
    {.id = S("empty"), .is_active = true, .fields = auto_fields, .field_count = sizeof auto_fields / sizeof *auto_fields},
    {.id = S("lax"), .is_active = false, .fields = lax_fields, .field_count = sizeof lax_fields / sizeof *lax_fields,
     .sources = auto_sources, .source_count = 2},
    {.id = S("picky"), .is_active = true, .fields = picky_fields, .field_count = sizeof picky_fields / sizeof *picky_fields,
     .sources = auto_sources, .source_count = 2},
};
static const struct catalog catalog = {.suppliers = suppliers, .supplier_count = 2, .campaigns = campaigns, .campaign_count = 4};

#define TEXT(name, text) {S(name), VALUE_TEXT, S(text)}
#define NUMBER(name, text) {S(name), VALUE_NUMBER, S(text)}
#define BOOL(name, text) {S(name), VALUE_BOOL, S(text)}
#define NESTED(name) {S(name), VALUE_NESTED, {NULL, 0}}
#define IDS TEXT("flo_campaign_id", "auto"), TEXT("flo_supplier_id", "acme")
#define PERSON TEXT("first_name", "John"), TEXT("last_name", "Doe")
#define REACH TEXT("phone", "5551234567"), TEXT("email", "john@Example.com"), TEXT("zip_code", "75201-1234")
#define WHOLE IDS, PERSON, REACH
#define PICKY TEXT("flo_campaign_id", "picky")
#define PERSON_FORMS "first_name=John last_name=Doe "
#define REACH_FORMS "phone=+15551234567 email=john@example.com zip_code=75201 "

/* errors: "field:code " for each, normal: "name=text " for each, in order. */
static const struct {
    const char *claim;
    int supplier;
    enum reason reason;
    const char *errors;
    const char *normal;
    bool is_test;
    struct field sent[16];
} rows[] = {
    {"a good lead", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false, {WHOLE}},
    {"forms are in the order sent, control fields left out", 0, REASON_NONE, "", REACH_FORMS PERSON_FORMS, false, {REACH, IDS, PERSON}},
    {"optional system fields", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS "state=TX source=web ", false,
     {WHOLE, TEXT("state", "texas"), TEXT("source", " web ")}},
    {"the campaign's own fields", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS "age=42 roof=tile homeowner=true ", false,
     {WHOLE, TEXT("age", "042"), TEXT("roof", "TILE"), TEXT("homeowner", "yes")}},
    {"what nobody defines is let through and left out", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("color", "red"), NUMBER("n", "1"), BOOL("b", "true"), TEXT("", "x")}},
    {"numbers for digits", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false,
     {IDS, PERSON, NUMBER("phone", "5551234567"), TEXT("email", "john@example.com"), NUMBER("zip_code", "75201")}},
    {"an optional field of white space is absent", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false, {WHOLE, TEXT("age", " \t")}},
    {"ids are trimmed", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false,
     {TEXT("flo_campaign_id", " auto "), TEXT("flo_supplier_id", "acme\n"), PERSON, REACH}},
    {"a paused source is the router's business", 1, REASON_NONE, "", PERSON_FORMS REACH_FORMS, true,
     {TEXT("flo_campaign_id", "auto"), TEXT("flo_supplier_id", "tester"), PERSON, REACH}},
    {"a paused campaign too", 0, REASON_NONE, "", "", false, {TEXT("flo_campaign_id", "lax")}},

    {"a test by the body, true", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, true, {WHOLE, BOOL("is_test", "true")}},
    {"a test by the body, a word", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, true, {WHOLE, TEXT("is_test", "Yes")}},
    {"a test by the body, 1", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, true, {WHOLE, NUMBER("is_test", "1")}},
    {"no test", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false, {WHOLE, BOOL("is_test", "false")}},
    {"a test by the supplier, whatever the body says", 1, REASON_NONE, "", "", true,
     {TEXT("flo_campaign_id", "lax"), BOOL("is_test", "false")}},
    {"neither test nor none", 0, REASON_VALIDATION_FAILED, "is_test:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("is_test", "perhaps")}},

    {"nothing at all: all that every campaign asks for", 0, REASON_VALIDATION_FAILED,
     "email:required first_name:required flo_campaign_id:required flo_supplier_id:required last_name:required phone:required ", "", false,
     {{.name = {NULL, 0}}}},
    {"no campaign: the others are judged meanwhile", 0, REASON_VALIDATION_FAILED,
     "phone:invalid_format state:invalid_format email:required flo_campaign_id:required last_name:required ", "first_name=John ", false,
     {TEXT("phone", "123"), TEXT("state", "ZZ"), TEXT("flo_supplier_id", "acme"), TEXT("first_name", "John")}},
    {"no campaign, in test mode", 1, REASON_VALIDATION_FAILED, "flo_campaign_id:required ", PERSON_FORMS "phone=+15551234567 email=a@b.co ",
     true, {TEXT("flo_supplier_id", "tester"), PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co")}},
    {"a campaign of white space is absent", 0, REASON_VALIDATION_FAILED, "flo_campaign_id:required ",
     PERSON_FORMS "phone=+15551234567 email=a@b.co ", false,
     {TEXT("flo_campaign_id", "  "), TEXT("flo_supplier_id", "acme"), PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co")}},
    {"a campaign that is an object", 0, REASON_VALIDATION_FAILED, "flo_campaign_id:invalid_format ",
     PERSON_FORMS "phone=+15551234567 email=a@b.co ", false,
     {NESTED("flo_campaign_id"), TEXT("flo_supplier_id", "acme"), PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co")}},
    {"no campaign comes before another's supplier id", 0, REASON_VALIDATION_FAILED, "flo_campaign_id:required ",
     PERSON_FORMS "phone=+15551234567 email=a@b.co ", false,
     {TEXT("flo_supplier_id", "tester"), PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co")}},

    {"another's supplier id", 0, REASON_FORBIDDEN, "", "", false,
     {TEXT("flo_campaign_id", "auto"), TEXT("flo_supplier_id", "tester"), PERSON, REACH}},
    {"ids mind their case", 0, REASON_FORBIDDEN, "", "", false,
     {TEXT("flo_campaign_id", "auto"), TEXT("flo_supplier_id", "ACME"), PERSON, REACH}},
    {"another's supplier id comes before an unknown campaign", 0, REASON_FORBIDDEN, "", "", false,
     {TEXT("flo_campaign_id", "none"), TEXT("flo_supplier_id", "tester")}},
    {"an unknown campaign", 0, REASON_CAMPAIGN_NOT_FOUND, "", "", false,
     {TEXT("flo_campaign_id", "none"), TEXT("flo_supplier_id", "acme"), PERSON, REACH}},
    {"an unknown campaign comes before wrong fields", 0, REASON_CAMPAIGN_NOT_FOUND, "", "", false,
     {TEXT("flo_campaign_id", "none"), TEXT("phone", "1"), NESTED("x")}},
    {"a number as a campaign", 0, REASON_CAMPAIGN_NOT_FOUND, "", "", false, {NUMBER("flo_campaign_id", "5")}},
    {"no source there", 0, REASON_FORBIDDEN, "", "", false,
     {TEXT("flo_campaign_id", "empty"), TEXT("flo_supplier_id", "acme"), PERSON, REACH}},
    {"no source comes before wrong fields", 0, REASON_FORBIDDEN, "", "", false, {TEXT("flo_campaign_id", "empty"), TEXT("phone", "1")}},

    {"no supplier id", 0, REASON_VALIDATION_FAILED, "flo_supplier_id:required ", PERSON_FORMS REACH_FORMS, false,
     {TEXT("flo_campaign_id", "auto"), PERSON, REACH}},
    {"a supplier id that is a list", 0, REASON_VALIDATION_FAILED, "flo_supplier_id:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {TEXT("flo_campaign_id", "auto"), NESTED("flo_supplier_id"), PERSON, REACH}},
    {"a campaign may not ask for it", 0, REASON_NONE, "", "", false, {TEXT("flo_campaign_id", "lax")}},
    {"a campaign may ask for less", 0, REASON_NONE, "", "phone=+15552345678 ", false,
     {TEXT("flo_campaign_id", "lax"), TEXT("phone", "5552345678")}},
    {"a campaign may be strict", 0, REASON_VALIDATION_FAILED, "phone:invalid_format ", "", false,
     {TEXT("flo_campaign_id", "lax"), TEXT("phone", "5551234567")}},
    {"what a campaign's list lacks is undefined there", 0, REASON_NONE, "", "", false,
     {TEXT("flo_campaign_id", "lax"), TEXT("state", "ZZ")}},

    {"one field missing", 0, REASON_VALIDATION_FAILED, "last_name:required ", "first_name=John " REACH_FORMS, false,
     {IDS, TEXT("first_name", "John"), REACH}},
    {"what the campaign requires besides", 0, REASON_VALIDATION_FAILED, "zip_code:required ",
     PERSON_FORMS "phone=+15551234567 email=a@b.co ", false, {IDS, PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co")}},
    {"several are missing, by name", 0, REASON_VALIDATION_FAILED,
     "email:required first_name:required last_name:required phone:required zip_code:required ", "", false, {IDS}},
    {"a required one of white space is missing", 0, REASON_VALIDATION_FAILED, "first_name:required ", "last_name=Doe " REACH_FORMS, false,
     {IDS, TEXT("first_name", " \n"), TEXT("last_name", "Doe"), REACH}},
    {"several are wrong, in the order sent, then the missing", 0, REASON_VALIDATION_FAILED,
     "roof:not_allowed phone:invalid_format age:invalid_format last_name:required ", "first_name=John email=a@b.co zip_code=75201 ", false,
     {IDS, TEXT("roof", "slate"), TEXT("first_name", "John"), TEXT("phone", "12"), TEXT("email", "a@b.co"), TEXT("age", "old"),
      TEXT("zip_code", "75201")}},
    {"a wrong one is not missing, too", 0, REASON_VALIDATION_FAILED, "email:invalid_format ",
     PERSON_FORMS "phone=+15551234567 zip_code=75201 ", false,
     {IDS, PERSON, TEXT("phone", "5551234567"), TEXT("email", "nobody"), TEXT("zip_code", "75201")}},
    {"an object for a defined field", 0, REASON_VALIDATION_FAILED, "age:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, NESTED("age")}},
    {"an object for an undefined field", 0, REASON_VALIDATION_FAILED, "color:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, NESTED("color")}},
    {"no UTF-8 in an undefined field", 0, REASON_VALIDATION_FAILED, "color:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("color", "\xff")}},
    {"a NUL in an undefined field", 0, REASON_VALIDATION_FAILED, "color:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("color", "a\0b")}},
    {"a NUL in a name", 0, REASON_VALIDATION_FAILED, "first_name:invalid_format ", "last_name=Doe " REACH_FORMS, false,
     {IDS, TEXT("first_name", "a\0b"), TEXT("last_name", "Doe"), REACH}},
    {"a boolean as a name", 0, REASON_VALIDATION_FAILED, "first_name:invalid_format ", "last_name=Doe " REACH_FORMS, false,
     {IDS, BOOL("first_name", "true"), TEXT("last_name", "Doe"), REACH}},
    {"a ZIP code that lost its zero", 0, REASON_VALIDATION_FAILED, "zip_code:invalid_format ",
     PERSON_FORMS "phone=+15551234567 email=a@b.co ", false,
     {IDS, PERSON, TEXT("phone", "5551234567"), TEXT("email", "a@b.co"), NUMBER("zip_code", "2101")}},
    {"a defined field twice", 0, REASON_VALIDATION_FAILED, "age:invalid_format ", PERSON_FORMS REACH_FORMS "age=1 ", false,
     {WHOLE, TEXT("age", "1"), TEXT("age", "2")}},
    {"a control field twice", 0, REASON_VALIDATION_FAILED, "flo_campaign_id:invalid_format ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("flo_campaign_id", "lax")}},
    {"names mind their case", 0, REASON_VALIDATION_FAILED, "first_name:required ", "last_name=Doe " REACH_FORMS, false,
     {IDS, TEXT("First_Name", "John"), TEXT("last_name", "Doe"), REACH}},
    {"a ping, its buyer and the mode steer the lead", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("flo_ping_id", "p"), TEXT("flo_buyer_id", "b"), TEXT("flo_mode", "full"), NUMBER("flo_timeout_ms", "100")}},
    {"another mode", 0, REASON_VALIDATION_FAILED, "flo_mode:not_allowed ", PERSON_FORMS REACH_FORMS, false, {WHOLE, TEXT("flo_mode", "half")}},
    {"too little time", 0, REASON_VALIDATION_FAILED, "flo_timeout_ms:out_of_range ", PERSON_FORMS REACH_FORMS, false, {WHOLE, TEXT("flo_timeout_ms", "99")}},
    {"too much time", 0, REASON_VALIDATION_FAILED, "flo_timeout_ms:out_of_range ", PERSON_FORMS REACH_FORMS, false, {WHOLE, NUMBER("flo_timeout_ms", "60001")}},
    {"parts of a millisecond", 0, REASON_VALIDATION_FAILED, "flo_timeout_ms:out_of_range ", PERSON_FORMS REACH_FORMS, false, {WHOLE, NUMBER("flo_timeout_ms", "500.5")}},
    {"more time than there is", 0, REASON_VALIDATION_FAILED, "flo_timeout_ms:out_of_range ", PERSON_FORMS REACH_FORMS, false,
     {WHOLE, TEXT("flo_timeout_ms", "99999999999999999999999999")}},
    {"no time at all", 0, REASON_VALIDATION_FAILED, "flo_timeout_ms:invalid_format ", PERSON_FORMS REACH_FORMS, false, {WHOLE, TEXT("flo_timeout_ms", "soon")}},
    {"options pass, defaults follow by name", 0, REASON_NONE, "", "color=RED age=18 consent=false income=0 plan=gold ", false,
     {PICKY, TEXT("color", "red"), NUMBER("age", "18")}},
    {"what is sent holds, not the default", 0, REASON_NONE, "", "plan=iron age=20 income=50000 consent=true ", false,
     {PICKY, TEXT("plan", "iron"), NUMBER("age", "20"), TEXT("income", "$50,000"), BOOL("consent", "true")}},
    {"white space and what a transform leaves nothing of: the default", 0, REASON_NONE, "", "age=20 consent=false income=0 plan=gold ", false,
     {PICKY, TEXT("plan", " "), NUMBER("age", "20"), TEXT("income", "none")}},
    {"what is wrong has no default", 0, REASON_VALIDATION_FAILED, "plan:too_long consent:invalid_format age:required ", "income=0 ", false,
     {PICKY, TEXT("plan", "silver"), TEXT("consent", "perhaps")}},
    {"options refuse", 0, REASON_VALIDATION_FAILED, "age:out_of_range color:not_allowed plan:invalid_format ", "consent=false income=0 ", false,
     {PICKY, NUMBER("age", "17.9"), TEXT("color", "green"), TEXT("plan", "x")}},
    {"each field is refused once", 0, REASON_VALIDATION_FAILED, "color:too_long age:out_of_range ", "consent=false income=0 plan=gold ", false,
     {PICKY, TEXT("color", "ultramarine"), NUMBER("age", "121")}},
    {"sent twice, though there is a default", 0, REASON_VALIDATION_FAILED, "plan:invalid_format age:required ", "plan=iron consent=false income=0 ",
     false, {PICKY, TEXT("plan", "iron"), TEXT("plan", "gold")}},

    {"an empty ping id is none", 0, REASON_NONE, "", PERSON_FORMS REACH_FORMS, false, {WHOLE, TEXT("flo_ping_id", " ")}},
};

static void print_errors(const struct field_errors *errors, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < errors->count; i++) {
        const struct field_error *error = &errors->items[i];

        if (error->message.len == 0 || error->op.ptr != NULL)
            fail_msg("an error without a message");
        len += (size_t)snprintf(out + len, room - len, "%.*s:%.*s ", SPAN_FMT(error->field), SPAN_FMT(error->code));
    }
}

static void print_normal(const struct field_list *normal, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < normal->count; i++)
        len += (size_t)snprintf(out + len, room - len, "%.*s=%.*s ", SPAN_FMT(normal->items[i].name), SPAN_FMT(normal->items[i].text));
}

static void leads_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new();
        struct field sent[16];
        struct field_list list = {sent, 0};
        struct verdict verdict;
        char text[4096];

        memcpy(sent, rows[i].sent, sizeof sent);
        while (list.count < 16 && sent[list.count].name.ptr != NULL)
            list.count++;
        memset(&verdict, 0xa5, sizeof verdict);
        rules_judge(arena, &catalog, &suppliers[rows[i].supplier], &list, false, &verdict);
        if (verdict.reason != rows[i].reason)
            fail_msg("%s: reason %d", rows[i].claim, verdict.reason);
        print_errors(&verdict.errors, text, sizeof text);
        if (strcmp(text, rows[i].errors) != 0)
            fail_msg("%s: errors are %s", rows[i].claim, text);
        print_normal(&verdict.normal, text, sizeof text);
        if (strcmp(text, rows[i].normal) != 0)
            fail_msg("%s: normal forms are %s", rows[i].claim, text);
        if (verdict.is_test != rows[i].is_test)
            fail_msg("%s: test or not?", rows[i].claim);
        if ((verdict.reason == REASON_VALIDATION_FAILED) != (verdict.errors.count > 0))
            fail_msg("%s: errors without failure, or the other way round", rows[i].claim);
        arena_free(&arena);
    }
}

static struct verdict judge_as(struct arena *arena, int supplier, bool is_ping, struct field *sent, size_t count)
{
    struct field_list list = {sent, count};
    struct verdict verdict;

    rules_judge(arena, &catalog, &suppliers[supplier], &list, is_ping, &verdict);
    return verdict;
}

static struct verdict judge(struct arena *arena, int supplier, struct field *sent, size_t count)
{
    return judge_as(arena, supplier, false, sent, count);
}

static const struct {
    const char *claim;
    const char *errors, *normal;
    struct field sent[8];
} ping_rows[] = {
    {"whose and for what is enough", "", "", {IDS}},
    {"both are needed", "flo_supplier_id:required ", "", {TEXT("flo_campaign_id", "auto")}},
    {"what is sent is checked and brought to its form", "age:invalid_format ", "state=TX ", {IDS, TEXT("state", "texas"), TEXT("age", "old")}},
    {"personal data may be there", "", "first_name=John ", {IDS, TEXT("first_name", "John")}},
    {"it names no ping, no buyer, no mode", "flo_ping_id:not_allowed flo_buyer_id:not_allowed flo_mode:not_allowed ", "",
     {IDS, TEXT("flo_ping_id", "p"), TEXT("flo_buyer_id", "b"), TEXT("flo_mode", "full")}},
    {"nobody needs a default", "", "", {TEXT("flo_campaign_id", "picky"), TEXT("flo_supplier_id", "acme")}},
};

static void pings_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ping_rows / sizeof *ping_rows; i++) {
        struct arena *arena = arena_new();
        struct field sent[8];
        struct verdict verdict;
        size_t count = 0;
        char text[1024];

        memcpy(sent, ping_rows[i].sent, sizeof sent);
        while (count < 8 && sent[count].name.ptr != NULL)
            count++;
        verdict = judge_as(arena, 0, true, sent, count);
        print_errors(&verdict.errors, text, sizeof text);
        if (strcmp(text, ping_rows[i].errors) != 0)
            fail_msg("%s: errors are %s", ping_rows[i].claim, text);
        print_normal(&verdict.normal, text, sizeof text);
        if (strcmp(text, ping_rows[i].normal) != 0)
            fail_msg("%s: normal forms are %s", ping_rows[i].claim, text);
        if ((verdict.reason == REASON_NONE) != (verdict.errors.count == 0))
            fail_msg("%s: reason %d", ping_rows[i].claim, verdict.reason);
        arena_free(&arena);
    }
}

static void control_fields_are_read(void **state)
{
    struct arena *arena = arena_new();
    struct field post[] = {WHOLE, TEXT("flo_ping_id", " p1 "), TEXT("flo_buyer_id", "b1")}, full[] = {WHOLE, TEXT("flo_mode", "full")};
    struct verdict verdict;

    (void)state;
    verdict = judge(arena, 0, post, sizeof post / sizeof *post);
    assert_true(span_is(verdict.ping_id, "p1") && span_is(verdict.wanted_buyer_id, "b1") && !verdict.is_full);
    verdict = judge(arena, 0, full, sizeof full / sizeof *full);
    assert_true(verdict.is_full && verdict.ping_id.len == 0 && verdict.reason == REASON_NONE);
    arena_free(&arena);
}

static void a_verdict_says_where(void **state)
{
    struct arena *arena = arena_new();
    struct field good[] = {WHOLE}, foreign[] = {IDS};
    struct field unknown[] = {TEXT("flo_campaign_id", "none")}, empty[] = {TEXT("flo_campaign_id", "empty")};
    struct verdict verdict;

    (void)state;
    verdict = judge(arena, 0, good, sizeof good / sizeof *good);
    assert_ptr_equal(verdict.campaign, &campaigns[0]);
    assert_ptr_equal(verdict.source, &auto_sources[0]);
    assert_true(span_is(verdict.campaign_id, "auto"));
    assert_null(verdict.message);
    assert_int_equal(verdict.normal.items[0].kind, VALUE_TEXT);

    verdict = judge(arena, 0, unknown, 1);
    assert_null(verdict.campaign);
    assert_null(verdict.source);
    assert_null(verdict.campaign_id.ptr);

    verdict = judge(arena, 1, foreign, 2);
    assert_int_equal(verdict.reason, REASON_FORBIDDEN);
    assert_null(verdict.campaign);
    assert_non_null(strstr(verdict.message, "flo_supplier_id"));

    verdict = judge(arena, 0, empty, 1);
    assert_int_equal(verdict.reason, REASON_FORBIDDEN);
    assert_ptr_equal(verdict.campaign, &campaigns[1]);
    assert_null(verdict.source);
    assert_non_null(strstr(verdict.message, "campaign"));

    verdict = judge(arena, 0, NULL, 0);
    assert_int_equal(verdict.reason, REASON_VALIDATION_FAILED);
    assert_null(verdict.campaign);
    assert_null(verdict.campaign_id.ptr);
    arena_free(&arena);
}

static void kinds_of_normal_forms(void **state)
{
    struct arena *arena = arena_new();
    struct field sent[] = {TEXT("flo_campaign_id", "auto"), TEXT("age", "42"), TEXT("homeowner", "no"), NUMBER("phone", "5551234567")};
    struct verdict verdict = judge(arena, 0, sent, 4);

    (void)state;
    assert_int_equal(verdict.normal.count, 3);
    assert_int_equal(verdict.normal.items[0].kind, VALUE_NUMBER);
    assert_int_equal(verdict.normal.items[1].kind, VALUE_BOOL);
    assert_int_equal(verdict.normal.items[2].kind, VALUE_TEXT);
    arena_free(&arena);
}

/* A good lead with more and more fields that nobody defines. */
static void two_hundred_fields_and_no_more(void **state)
{
    static struct field sent[5000] = {WHOLE};
    struct arena *arena = arena_new();
    struct verdict verdict;

    (void)state;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        if (sent[i].name.ptr == NULL)
            sent[i] = (struct field){arena_printf(arena, "custom_%zu", i), VALUE_TEXT, SPAN("x")};
    verdict = judge(arena, 0, sent, 200);
    assert_int_equal(verdict.reason, REASON_NONE);
    assert_int_equal(verdict.normal.count, 5);
    for (size_t count = 201; count <= 5000; count += 4799) {
        verdict = judge(arena, 0, sent, count);
        assert_int_equal(verdict.reason, REASON_VALIDATION_FAILED);
        assert_int_equal(verdict.errors.count, 1);
        assert_true(span_is(verdict.errors.items[0].field, "custom_200"));
        assert_true(span_is(verdict.errors.items[0].code, "out_of_range"));
        assert_int_equal(verdict.normal.count, 0);
        assert_ptr_equal(verdict.campaign, &campaigns[0]);
    }
    arena_free(&arena);
}

static void every_field_may_be_wrong(void **state)
{
    static struct field sent[200] = {TEXT("flo_campaign_id", "auto")};
    struct arena *arena = arena_new();
    struct verdict verdict;

    (void)state;
    for (size_t i = 1; i < 200; i++)
        sent[i] = (struct field){arena_printf(arena, "custom_%zu", i), VALUE_NESTED, {NULL, 0}};
    verdict = judge(arena, 0, sent, 200);
    assert_int_equal(verdict.errors.count, 199 + 6); /* and what is required */
    assert_true(span_is(verdict.errors.items[198].field, "custom_199"));
    assert_true(span_is(verdict.errors.items[204].field, "zip_code"));
    arena_free(&arena);
}

static void values_may_be_4096_bytes_long(void **state)
{
    static char text[VALUE_BYTES_MOST + 1];
    struct arena *arena = arena_new();
    struct field sent[] = {WHOLE, TEXT("source", ""), TEXT("color", "")};
    size_t count = sizeof sent / sizeof *sent;
    struct verdict verdict;

    (void)state;
    memset(text, 'x', sizeof text);
    sent[count - 1].text = sent[count - 2].text = (struct span){text, VALUE_BYTES_MOST};
    verdict = judge(arena, 0, sent, count);
    assert_int_equal(verdict.reason, REASON_NONE);
    sent[count - 1].text = sent[count - 2].text = (struct span){text, VALUE_BYTES_MOST + 1};
    verdict = judge(arena, 0, sent, count);
    assert_int_equal(verdict.errors.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(span_is(verdict.errors.items[i].code, "too_long"));
        assert_int_equal(verdict.errors.items[i].message.len, strlen("must be at most 4096 bytes long"));
    }
    arena_free(&arena);
}

static void long_names_are_cut_between_characters(void **state)
{
    static const char ascii[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct arena *arena = arena_new();
    char wide[67];
    struct field sent[] = {WHOLE,
                           {{ascii, 64}, VALUE_NESTED, {NULL, 0}},
                           {{ascii, 65}, VALUE_NESTED, {NULL, 0}},
                           {{wide, 66}, VALUE_NESTED, {NULL, 0}}};
    struct verdict verdict;

    (void)state;
    for (size_t i = 0; i < sizeof wide - 1; i += 3)
        memcpy(wide + i, "\xe2\x82\xac", 3);
    verdict = judge(arena, 0, sent, sizeof sent / sizeof *sent);
    assert_int_equal(verdict.errors.count, 3);
    assert_int_equal(verdict.errors.items[0].field.len, 64);
    assert_int_equal(verdict.errors.items[1].field.len, 64);
    assert_int_equal(verdict.errors.items[2].field.len, 63);
    arena_free(&arena);
}

/* Whatever is refused: what a supplier reads does not hold what he sent. */
static void errors_hold_no_values(void **state)
{
    struct arena *arena = arena_new();
    struct field sent[] = {IDS,
                           TEXT("first_name", "secret\0"),
                           TEXT("phone", "secret"),
                           TEXT("email", "secret"),
                           TEXT("zip_code", "secret"),
                           TEXT("age", "secret"),
                           TEXT("homeowner", "secret"),
                           TEXT("roof", "secret"),
                           TEXT("state", "secret"),
                           TEXT("trustedform_cert_url", "secret"),
                           TEXT("color", "secret\xff")};
    struct verdict verdict = judge(arena, 0, sent, sizeof sent / sizeof *sent);

    (void)state;
    assert_int_equal(verdict.errors.count, 11); /* last_name is missing */
    for (size_t i = 0; i < verdict.errors.count; i++)
        assert_null(memmem(verdict.errors.items[i].message.ptr, verdict.errors.items[i].message.len, "secret", 6));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_are_judged),
        cmocka_unit_test(pings_are_judged),
        cmocka_unit_test(control_fields_are_read),
        cmocka_unit_test(a_verdict_says_where),
        cmocka_unit_test(kinds_of_normal_forms),
        cmocka_unit_test(two_hundred_fields_and_no_more),
        cmocka_unit_test(every_field_may_be_wrong),
        cmocka_unit_test(values_may_be_4096_bytes_long),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(errors_hold_no_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
