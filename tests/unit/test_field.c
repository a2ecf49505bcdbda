/* test_field.c - proto/field.c: words of types, system fields, finding. */
#include "proto/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *claim, *word;
    int want;
} type_rows[] = {
    {"the first type", "string", FIELD_STRING},
    {"number", "number", FIELD_NUMBER},
    {"boolean", "boolean", FIELD_BOOLEAN},
    {"phone", "phone", FIELD_PHONE},
    {"email", "email", FIELD_EMAIL},
    {"date", "date", FIELD_DATE},
    {"state", "state", FIELD_STATE},
    {"zip", "zip", FIELD_ZIP},
    {"url", "url", FIELD_URL},
    {"the last type", "list", FIELD_LIST},
    {"words are lower case", "String", -1},
    {"a prefix is no word", "str", -1},
    {"nothing is no word", "", -1},
    {"unknown", "integer", -1},
};

static void types_have_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof type_rows / sizeof *type_rows; i++) {
        int type = field_type_of(span_of(type_rows[i].word));

        if (type != type_rows[i].want)
            fail_msg("%s: got %d", type_rows[i].claim, type);
        if (type >= 0)
            assert_string_equal(field_type_word((enum field_type)type), type_rows[i].word);
    }
}

static const struct {
    const char *name;
    enum field_type type;
    bool is_required, is_control;
} system_rows[] = {
    {"flo_campaign_id", FIELD_STRING, true, true},
    {"flo_supplier_id", FIELD_STRING, true, true},
    {"flo_ping_id", FIELD_STRING, false, true},
    {"flo_buyer_id", FIELD_STRING, false, true},
    {"flo_mode", FIELD_STRING, false, true},
    {"flo_timeout_ms", FIELD_NUMBER, false, true},
    {"is_test", FIELD_BOOLEAN, false, true},
    {"first_name", FIELD_STRING, true, false},
    {"last_name", FIELD_STRING, true, false},
    {"phone", FIELD_PHONE, true, false},
    {"email", FIELD_EMAIL, true, false},
    {"state", FIELD_STATE, false, false},
    {"zip_code", FIELD_ZIP, false, false},
    {"source", FIELD_STRING, false, false},
    {"trustedform_cert_url", FIELD_URL, false, false},
    {"jornaya_leadid", FIELD_STRING, false, false},
};

static void system_fields_are_those_of_the_contract(void **state)
{
    size_t count;
    const struct system_field *all = system_fields(&count);

    (void)state;
    assert_int_equal(count, sizeof system_rows / sizeof *system_rows);
    for (size_t i = 0; i < count; i++) {
        const struct system_field *field = system_field_find(span_of(system_rows[i].name));

        if (field == NULL || field < all || field >= all + count)
            fail_msg("%s is not found", system_rows[i].name);
        if (field->type != system_rows[i].type || field->is_required != system_rows[i].is_required ||
            field->is_control != system_rows[i].is_control)
            fail_msg("%s is not as SPEC 2 says", system_rows[i].name);
    }
    assert_null(system_field_find(SPAN("Phone")));
    assert_null(system_field_find(SPAN("phon")));
    assert_null(system_field_find((struct span){NULL, 0}));
}

static void fields_are_found_by_their_whole_name(void **state)
{
    struct field items[] = {
        {SPAN("a"), VALUE_TEXT, SPAN("1")},
        {SPAN("ab"), VALUE_TEXT, SPAN("2")},
        {SPAN("a"), VALUE_TEXT, SPAN("3")},
        {SPAN(""), VALUE_TEXT, SPAN("4")},
    };
    struct field_list list = {items, 4}, none = {NULL, 0};

    (void)state;
    assert_ptr_equal(field_find(&list, SPAN("a")), &items[0]); /* the first of two */
    assert_ptr_equal(field_find(&list, SPAN("ab")), &items[1]);
    assert_ptr_equal(field_find(&list, SPAN("")), &items[3]);
    assert_null(field_find(&list, SPAN("abc")));
    assert_null(field_find(&none, SPAN("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_words),
        cmocka_unit_test(system_fields_are_those_of_the_contract),
        cmocka_unit_test(fields_are_found_by_their_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
