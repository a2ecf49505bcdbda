#include "proto/field.h"

static const char *const type_words[] = {
    [FIELD_STRING] = "string", [FIELD_NUMBER] = "number", [FIELD_BOOLEAN] = "boolean", [FIELD_PHONE] = "phone",
    [FIELD_EMAIL] = "email",   [FIELD_DATE] = "date",     [FIELD_STATE] = "state",     [FIELD_ZIP] = "zip",
    [FIELD_URL] = "url",       [FIELD_LIST] = "list",
};

#define IS_REQUIRED true
#define IS_OPTIONAL false
#define IS_CONTROL true
#define IS_DELIVERED false
static const struct system_field system_list[] = {
#define SYSTEM_FIELD(name, type, need, use) {#name, FIELD_##type, IS_##need, IS_##use},
#include "proto/system_field.def"
#undef SYSTEM_FIELD
};

enum { TYPES = sizeof type_words / sizeof *type_words, SYSTEM_FIELDS = sizeof system_list / sizeof *system_list };

const struct field *field_find(const struct field_list *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (span_equal(fields->items[i].name, name))
            return &fields->items[i];
    return NULL;
}

int field_type_of(struct span word)
{
    for (int i = 0; i < TYPES; i++)
        if (span_is(word, type_words[i]))
            return i;
    return -1;
}

const char *field_type_word(enum field_type type)
{
    return type_words[type];
}

bool field_is_personal(const struct field_spec *spec)
{
    static const char *const names[] = {"first_name", "last_name", "phone", "email"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(spec->name, names[i]))
            return true;
    return spec->type == FIELD_PHONE || spec->type == FIELD_EMAIL;
}

const struct system_field *system_fields(size_t *count)
{
    *count = SYSTEM_FIELDS;
    return system_list;
}

const struct system_field *system_field_find(struct span name)
{
    for (size_t i = 0; i < SYSTEM_FIELDS; i++)
        if (span_is(name, system_list[i].name))
            return &system_list[i];
    return NULL;
}
