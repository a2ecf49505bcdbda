#include "proto/filter.h"

#include "proto/decimal.h"
#include "proto/letter.h"
#include "proto/normal.h"

enum verdict { PASSED, FAILED, NOT_APPLIED };

static const char *const words[] = {
#define OP(name, word, takes, absent, phrase) word,
#include "proto/filter_op.def"
#undef OP
};

#define PASSES true
#define FAILS false
static const bool absent_passes[] = {
#define OP(name, word, takes, absent, phrase) absent,
#include "proto/filter_op.def"
#undef OP
};

const char *filter_op_word(enum filter_op op)
{
    return words[op];
}

int filter_op_of(struct span word)
{
    for (int i = 0; i < FILTER_OP_COUNT; i++)
        if (span_is(word, words[i]))
            return i;
    return -1;
}

const struct field *const *filter_values(struct arena *arena, const struct campaign *campaign, const struct field_list *fields)
{
    const struct field **values = arena_alloc(arena, campaign->field_count * sizeof *values);

    for (size_t i = 0; i < fields->count; i++) {
        const struct field_spec *spec = campaign_field(campaign, fields->items[i].name);

        if (spec != NULL && fields->items[i].text.len > 0)
            values[spec - campaign->fields] = &fields->items[i];
    }
    return values;
}

/* Rules --------------------------------------------------------------------------------------------------------------- */

static bool is_listed(const struct filter *rule, struct span text)
{
    size_t low = 0, high = rule->value_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = letter_order(text, rule->values[middle]);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool starts(struct span text, struct span part)
{
    return text.len >= part.len && letter_order((struct span){text.ptr, part.len}, part) == 0;
}

static bool contains(struct span text, struct span part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (starts((struct span){text.ptr + at, text.len - at}, part))
            return true;
    return false;
}

/* Is the text between low and high, both included? NULL: without bound on that side. */
static bool is_within(const struct filter *rule, struct filter_view *view, struct span text, const struct span *low, const struct span *high, bool is_open)
{
    int from, until;

    if (rule->is_number) {
        if (rule->type != FIELD_NUMBER)
            text = normal_number(view->arena, text);
        if (text.ptr == NULL)
            return false;
        from = low != NULL ? decimal_compare(text, *low) : 1;
        until = high != NULL ? decimal_compare(text, *high) : -1;
    } else {
        from = low != NULL ? letter_order(text, *low) : 1;
        until = high != NULL ? letter_order(text, *high) : -1;
    }
    return is_open ? from > 0 && until < 0 : from >= 0 && until <= 0;
}

static bool is_matched(const struct filter *rule, struct filter_view *view, struct span text)
{
    enum pattern_answer answer = pattern_match(rule->pattern, text);

    view->gave_up += answer == PATTERN_GAVE_UP;
    return answer == PATTERN_FOUND;
}

static bool judge_rule(const struct filter *rule, struct filter_view *view)
{
    const struct field *field = view->values[rule->field];
    int64_t day;

    if (field == NULL)
        return absent_passes[rule->op];
    switch (rule->op) {
    case FILTER_EQUAL:
    case FILTER_IN:
        return is_listed(rule, field->text);
    case FILTER_NOT_EQUAL:
    case FILTER_NOT_IN:
        return !is_listed(rule, field->text);
    case FILTER_ABOVE:
        return is_within(rule, view, field->text, &rule->values[0], NULL, true);
    case FILTER_BELOW:
        return is_within(rule, view, field->text, NULL, &rule->values[0], true);
    case FILTER_AT_LEAST:
        return is_within(rule, view, field->text, &rule->values[0], NULL, false);
    case FILTER_AT_MOST:
        return is_within(rule, view, field->text, NULL, &rule->values[0], false);
    case FILTER_BETWEEN:
        return is_within(rule, view, field->text, &rule->values[0], &rule->values[1], false);
    case FILTER_CONTAINS:
        return contains(field->text, rule->values[0]);
    case FILTER_CONTAINS_NOT:
        return !contains(field->text, rule->values[0]);
    case FILTER_STARTS:
        return starts(field->text, rule->values[0]);
    case FILTER_MATCHES:
        return is_matched(rule, view, field->text);
    case FILTER_EMPTY:
        return false;
    case FILTER_NOT_EMPTY:
        return true;
    case FILTER_SINCE:
        return date_day(field->text, &day) && day >= view->now.day - rule->days;
    case FILTER_UNTIL:
        return date_day(field->text, &day) && day <= view->now.day - rule->days;
    case FILTER_OP_COUNT:
        break;
    }
    return false;
}

/* Groups -------------------------------------------------------------------------------------------------------------- */

static enum verdict judge(const struct filter *filter, struct filter_view *view, struct filter_failures *failures);

static enum verdict judge_all(const struct filter *group, struct filter_view *view, struct filter_failures *failures)
{
    enum verdict verdict = group->part_count == 0 ? PASSED : NOT_APPLIED;

    for (size_t i = 0; i < group->part_count; i++) {
        switch (judge(&group->parts[i], view, failures)) {
        case PASSED:
            verdict = verdict == NOT_APPLIED ? PASSED : verdict;
            break;
        case FAILED:
            verdict = FAILED;
            if (failures->count >= failures->room)
                return FAILED;
            break;
        case NOT_APPLIED:
            break;
        }
    }
    return verdict;
}

static enum verdict judge_any(const struct filter *group, struct filter_view *view, struct filter_failures *failures)
{
    enum verdict verdict = NOT_APPLIED;
    size_t before = failures->count;

    for (size_t i = 0; i < group->part_count; i++) {
        switch (judge(&group->parts[i], view, failures)) {
        case PASSED:
            failures->count = before;
            return PASSED;
        case FAILED:
            verdict = FAILED;
            break;
        case NOT_APPLIED:
            break;
        }
    }
    return verdict;
}

static enum verdict judge(const struct filter *filter, struct filter_view *view, struct filter_failures *failures)
{
    if (filter->schedule != NULL && !schedule_is_open(filter->schedule, &view->now))
        return NOT_APPLIED;
    switch (filter->kind) {
    case FILTER_ALL:
        return judge_all(filter, view, failures);
    case FILTER_ANY:
        return judge_any(filter, view, failures);
    case FILTER_RULE:
        break;
    }
    if (judge_rule(filter, view))
        return PASSED;
    if (failures->count < failures->room)
        failures->rules[failures->count++] = filter;
    return FAILED;
}

bool filter_judge(const struct filter *filter, struct filter_view *view, struct filter_failures *failures)
{
    struct filter_failures none = {NULL, 0, 0};

    return filter == NULL || judge(filter, view, failures != NULL ? failures : &none) != FAILED;
}

bool filter_matches(const struct filter *filter, struct filter_view *view)
{
    struct filter_failures none = {NULL, 0, 0};

    return filter == NULL || judge(filter, view, &none) == PASSED;
}
