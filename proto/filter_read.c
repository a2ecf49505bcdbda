#include "proto/filter_read.h"

#include "common/buf.h"
#include "proto/decimal.h"
#include "proto/letter.h"
#include "proto/normal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum takes { TAKES_ONE, TAKES_ORDERED, TAKES_LIST, TAKES_PAIR, TAKES_PART, TAKES_PATTERN, TAKES_DAYS, TAKES_NOTHING };

static const enum takes taken[] = {
#define OP(name, word, takes, absent, phrase) TAKES_##takes,
#include "proto/filter_op.def"
#undef OP
};

static const char *const phrases[] = {
#define OP(name, word, takes, absent, phrase) phrase,
#include "proto/filter_op.def"
#undef OP
};

enum { PART_BYTES_MOST = 256, SHOWN_VALUES = 10 };

/* One filter, while it is read. */
struct reading {
    struct catalog *into;
    const struct campaign *campaign;
    struct complaints *list;
    size_t rules;
};

/* Values -------------------------------------------------------------------------------------------------------------- */

/* A single value as a supplier could have sent it. Returns false, with a complaint, when it is none. */
static bool field_of(struct reading *reading, const struct json *value, const struct place *place, struct field *out)
{
    struct buf *number;

    switch (json_kind(value)) {
    case JSON_TEXT:
        *out = (struct field){.kind = VALUE_TEXT, .text = json_text(value)};
        if (span_trim(out->text).len > 0)
            return true;
        complain(reading->list, place, "must not be empty: IS EMPTY and IS NOT EMPTY ask for that");
        return false;
    case JSON_INTEGER:
    case JSON_REAL:
        number = buf_new(32);
        json_print(value, number);
        *out = (struct field){.kind = VALUE_NUMBER, .text = arena_copy(reading->into->arena, buf_span(number))};
        buf_free(&number);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = (struct field){.kind = VALUE_BOOL, .text = json_kind(value) == JSON_TRUE ? SPAN("true") : SPAN("false")};
        return true;
    case JSON_OBJECT:
    case JSON_LIST:
    case JSON_NULL:
        break;
    }
    complain(reading->list, place, "must be text, a number, or true or false");
    return false;
}

/* The normal form of a value of the rule's field, lower-cased; absent, with a complaint, when it has none. */
static struct span normal_of(struct reading *reading, const struct filter *rule, const struct json *value, const struct place *place)
{
    const struct field_spec *its = &reading->campaign->fields[rule->field];
    struct field_spec spec = {.name = its->name, .type = its->type};
    struct field sent, form = {.name = its->name};
    const char *why = NULL;

    if (!field_of(reading, value, place, &sent))
        return (struct span){NULL, 0};
    if (spec.type == FIELD_LIST) {
        spec.values = its->values;
        spec.value_count = its->value_count;
    }
    if (normal_value(reading->into->arena, &spec, &sent, &form, &why) != NORMAL_OK) {
        complain(reading->list, place, "%s, as the field is of type %s", why, field_type_word(spec.type));
        return (struct span){NULL, 0};
    }
    return letter_lower_text(reading->into->arena, form.text);
}

/* A value that the field is compared with in order; sets is_number by what it is. */
static struct span ordered_of(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place, bool *is_number)
{
    struct span text = normal_of(reading, rule, value, place);

    *is_number = rule->type == FIELD_NUMBER;
    if (rule->type == FIELD_STRING && (json_kind(value) == JSON_INTEGER || json_kind(value) == JSON_REAL)) {
        *is_number = true;
        text = text.ptr != NULL ? normal_number(reading->into->arena, text) : text;
        if (text.ptr == NULL)
            complain(reading->list, place, "has too many digits");
    }
    return text;
}

static bool has_order(struct reading *reading, const struct filter *rule, const struct place *place)
{
    if (rule->type != FIELD_BOOLEAN)
        return true;
    complain(reading->list, place, "a boolean has no order: use == or !=");
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void read_list(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place)
{
    struct place at = {place, NULL, 0};

    if (json_kind(value) != JSON_LIST || json_count(value) == 0) {
        complain(reading->list, place, "must be a list of values for %s", filter_op_word(rule->op));
        return;
    }
    if (json_count(value) > FILTER_VALUES_MOST) {
        complain(reading->list, place, "must have at most %d entries", FILTER_VALUES_MOST);
        return;
    }
    rule->value_count = json_count(value);
    rule->values = arena_alloc(reading->into->arena, rule->value_count * sizeof *rule->values);
    for (; at.index < rule->value_count; at.index++)
        rule->values[at.index] = normal_of(reading, rule, json_at(value, at.index), &at);
}

static void read_pair(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place)
{
    struct place low = {place, NULL, 0}, high = {place, NULL, 1};
    bool is_low_number, is_high_number;
    int order;

    if (json_kind(value) != JSON_LIST || json_count(value) != 2) {
        complain(reading->list, place, "must be a list of two values, low and high, for BETWEEN");
        return;
    }
    rule->value_count = 2;
    rule->values = arena_alloc(reading->into->arena, 2 * sizeof *rule->values);
    rule->values[0] = ordered_of(reading, rule, json_at(value, 0), &low, &is_low_number);
    rule->values[1] = ordered_of(reading, rule, json_at(value, 1), &high, &is_high_number);
    if (rule->values[0].ptr == NULL || rule->values[1].ptr == NULL)
        return;
    if (is_low_number != is_high_number) {
        complain(reading->list, place, "must be two numbers or two texts");
        return;
    }
    rule->is_number = is_low_number;
    order = rule->is_number ? decimal_compare(rule->values[0], rule->values[1]) : span_compare(rule->values[0], rule->values[1]);
    if (order > 0)
        complain(reading->list, place, "the low value must not be above the high one");
}

static void read_part(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place)
{
    struct field part;

    if (!field_of(reading, value, place, &part))
        return;
    if (part.text.len > PART_BYTES_MOST)
        complain(reading->list, place, "must be at most %d bytes long", PART_BYTES_MOST);
    rule->value_count = 1;
    rule->values = arena_alloc(reading->into->arena, sizeof *rule->values);
    rule->values[0] = letter_lower_text(reading->into->arena, part.text);
}

static void read_pattern(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place)
{
    struct pattern *pattern;
    struct error err;

    if (json_text(value).len == 0) {
        complain(reading->list, place, "must be a pattern, which is text");
        return;
    }
    pattern = pattern_new(json_text(value), true, &err);
    if (pattern == NULL) {
        complain(reading->list, place, "does not compile: %s", err.text);
        return;
    }
    rule->pattern = pattern;
    catalog_keep_pattern(reading->into, pattern);
}

static void read_days(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place, const struct place *op)
{
    rule->days = json_integer(value, -1);
    rule->is_timed = true;
    if (rule->type != FIELD_DATE)
        complain(reading->list, op, "is for fields of type date");
    if (rule->days < 0 || rule->days > FILTER_DAYS_MOST)
        complain(reading->list, place, "must be a whole number of days from 0 to %d", FILTER_DAYS_MOST);
}

/* Rules --------------------------------------------------------------------------------------------------------------- */

/* May values of this type stand in a message? Others may be somebody's address, or say what nobody should know. */
static bool is_shown(enum field_type type)
{
    switch (type) {
    case FIELD_NUMBER:
    case FIELD_BOOLEAN:
    case FIELD_DATE:
    case FIELD_STATE:
    case FIELD_ZIP:
    case FIELD_LIST:
        return true;
    case FIELD_STRING:
    case FIELD_PHONE:
    case FIELD_EMAIL:
    case FIELD_URL:
        return false;
    }
    return false;
}

static void add_values(struct buf *text, const struct filter *rule)
{
    for (size_t i = 0; i < rule->value_count && i < SHOWN_VALUES; i++) {
        buf_add_text(text, i == 0 ? " " : rule->op == FILTER_BETWEEN ? " and " : ", ");
        for (size_t j = 0; j < rule->values[i].len; j++) {
            char c = rule->values[i].ptr[j];

            c = rule->type == FIELD_STATE && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
            buf_add(text, &c, 1);
        }
    }
    if (rule->value_count > SHOWN_VALUES)
        buf_add_text(text, ", …");
}

static struct span message_of(struct arena *arena, const struct filter *rule)
{
    struct buf *text = buf_new(64);
    struct span message;

    buf_add_text(text, phrases[rule->op]);
    switch (taken[rule->op]) {
    case TAKES_NOTHING:
        break;
    case TAKES_DAYS:
        buf_printf(text, " %" PRId64 " day%s", rule->days, rule->days == 1 ? "" : "s");
        break;
    case TAKES_PATTERN:
        buf_add_text(text, " the pattern that the campaign asks for");
        break;
    case TAKES_ONE:
    case TAKES_ORDERED:
    case TAKES_LIST:
    case TAKES_PAIR:
    case TAKES_PART:
        if (is_shown(rule->type))
            add_values(text, rule);
        else
            buf_add_text(text, rule->value_count > 1 || taken[rule->op] == TAKES_LIST ? " the values of the campaign's filter" : " the value of the campaign's filter");
        break;
    }
    message = arena_copy(arena, buf_span(text));
    buf_free(&text);
    return message;
}

static void read_value(struct reading *reading, struct filter *rule, const struct json *value, const struct place *place, const struct place *op)
{
    enum takes takes = taken[rule->op];

    if (takes == TAKES_NOTHING) {
        if (value != NULL)
            complain(reading->list, place, "%s takes no value", filter_op_word(rule->op));
        return;
    }
    if (value == NULL) {
        complain(reading->list, place, "is required by %s", filter_op_word(rule->op));
        return;
    }
    switch (takes) {
    case TAKES_ORDERED:
    case TAKES_ONE:
        if (takes == TAKES_ORDERED && !has_order(reading, rule, op))
            return;
        rule->value_count = 1;
        rule->values = arena_alloc(reading->into->arena, sizeof *rule->values);
        if (takes == TAKES_ORDERED)
            rule->values[0] = ordered_of(reading, rule, value, place, &rule->is_number);
        else
            rule->values[0] = normal_of(reading, rule, value, place);
        return;
    case TAKES_LIST:
        read_list(reading, rule, value, place);
        return;
    case TAKES_PAIR:
        if (has_order(reading, rule, op))
            read_pair(reading, rule, value, place);
        return;
    case TAKES_PART:
        read_part(reading, rule, value, place);
        return;
    case TAKES_PATTERN:
        read_pattern(reading, rule, value, place);
        return;
    case TAKES_DAYS:
        read_days(reading, rule, value, place, op);
        return;
    case TAKES_NOTHING:
        return;
    }
}

static void read_rule(struct reading *reading, struct filter *rule, const struct json *doc, const struct place *place)
{
    struct place field = {place, "field", 0}, op = {place, "op", 0}, value = {place, "value", 0};
    const struct field_spec *spec = campaign_field(reading->campaign, json_get_text(doc, "field"));
    const struct system_field *system = spec != NULL ? system_field_find(spec->name) : NULL;
    int number = filter_op_of(json_get_text(doc, "op"));
    size_t before = reading->list->count;

    rule->kind = FILTER_RULE;
    reading->rules++;
    if (json_get(doc, "field") == NULL)
        complain(reading->list, &field, "is required");
    else if (spec == NULL || (system != NULL && system->is_control))
        complain(reading->list, &field, "the campaign defines no such field");
    if (json_get(doc, "op") == NULL)
        complain(reading->list, &op, "is required");
    else if (number < 0)
        complain(reading->list, &op, "is no operator");
    if (reading->list->count > before)
        return;
    rule->op = (enum filter_op)number;
    rule->field = (size_t)(spec - reading->campaign->fields);
    rule->field_name = spec->name;
    rule->type = spec->type;
    read_value(reading, rule, json_get(doc, "value"), &value, &op);
    if (reading->list->count > before)
        return;
    rule->message = message_of(reading->into->arena, rule);
    if (taken[rule->op] == TAKES_LIST)
        qsort(rule->values, rule->value_count, sizeof *rule->values, by_bytes);
}

/* Groups -------------------------------------------------------------------------------------------------------------- */

static void read_filter(struct reading *reading, struct filter *filter, struct json *doc, const struct place *place, int level);

static void read_group(struct reading *reading, struct filter *group, const struct json *parts, const struct place *place, int level)
{
    struct place at = {place, NULL, 0};

    if (json_kind(parts) != JSON_LIST) {
        complain(reading->list, place, "must be a list");
        return;
    }
    if (group->kind == FILTER_ANY && json_count(parts) == 0) {
        complain(reading->list, place, "must not be empty: nothing would pass");
        return;
    }
    if (level > FILTER_LEVELS_MOST) {
        complain(reading->list, place, "groups are nested deeper than %d levels", FILTER_LEVELS_MOST);
        return;
    }
    group->part_count = json_count(parts);
    group->parts = arena_alloc(reading->into->arena, group->part_count * sizeof *group->parts);
    for (; at.index < group->part_count; at.index++) {
        read_filter(reading, &group->parts[at.index], json_at(parts, at.index), &at, level + 1);
        group->is_timed |= group->parts[at.index].is_timed;
    }
}

static void check_keys(struct reading *reading, struct json *doc, const struct place *place)
{
    static const char *const known[] = {"all", "any", "field", "op", "value", "schedule"};
    bool has_all = json_get(doc, "all") != NULL, has_any = json_get(doc, "any") != NULL;
    bool has_rule = json_get(doc, "field") != NULL || json_get(doc, "op") != NULL || json_get(doc, "value") != NULL;
    struct json *value;
    const char *key;
    void *iter = NULL;

    while (json_each(doc, &iter, &key, &value)) {
        struct place at = {place, key, 0};
        size_t i;

        for (i = 0; i < sizeof known / sizeof *known && strcmp(key, known[i]) != 0; i++)
            ;
        if (i == sizeof known / sizeof *known)
            complain(reading->list, &at, "unknown key");
    }
    if (has_all + has_any + has_rule > 1)
        complain(reading->list, place, "must be one of: all, any, or a field with an operator");
}

/* level: of a group, 1 for the outermost. */
static void read_filter(struct reading *reading, struct filter *filter, struct json *doc, const struct place *place, int level)
{
    struct place all = {place, "all", 0}, any = {place, "any", 0}, schedule = {place, "schedule", 0};

    filter->kind = FILTER_ALL;
    if (json_kind(doc) != JSON_OBJECT) {
        complain(reading->list, place, "must be an object");
        return;
    }
    check_keys(reading, doc, place);
    if (json_get(doc, "schedule") != NULL) {
        filter->schedule = schedule_read(reading->into->arena, json_get(doc, "schedule"), &schedule, reading->list);
        filter->is_timed = true;
    }
    if (json_get(doc, "all") != NULL) {
        read_group(reading, filter, json_get(doc, "all"), &all, level);
    } else if (json_get(doc, "any") != NULL) {
        filter->kind = FILTER_ANY;
        read_group(reading, filter, json_get(doc, "any"), &any, level);
    } else if (level > 1 || json_count(doc) > (json_get(doc, "schedule") != NULL)) {
        bool is_timed = filter->is_timed;

        read_rule(reading, filter, doc, place);
        filter->is_timed |= is_timed;
    }
}

const struct filter *filter_read(struct catalog *into, const struct campaign *campaign, struct json *doc, const struct place *place,
                                 struct complaints *list)
{
    struct reading reading = {into, campaign, list, 0};
    struct filter *filter = arena_alloc(into->arena, sizeof *filter);
    size_t before = list->count;

    read_filter(&reading, filter, doc, place, 1);
    if (reading.rules > FILTER_RULES_MOST)
        complain(list, place, "has more than %d conditions", FILTER_RULES_MOST);
    return list->count == before ? filter : NULL;
}
