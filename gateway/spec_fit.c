#include "gateway/spec_fit.h"

#include "gateway/spec_example.h"
#include "proto/field_judge.h"
#include "proto/filter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, VALUES_TRIED = 100, TRIES_MOST = 20000 }; /* some ten milliseconds, whatever the filter */

struct fitting {
    struct arena *arena;
    const struct campaign *campaign;
    struct moment now;
    struct field *values;       /* as sent */
    const struct field **forms; /* their normal forms; NULL: absent */
    size_t tries;
    bool is_over;               /* a pattern ran away, as it would again, or enough was tried */
};

static bool passes(struct fitting *fitting, const struct filter *filter)
{
    struct filter_view view = {.arena = fitting->arena, .values = fitting->forms, .now = fitting->now};
    bool is_passed = filter_judge(filter, &view, NULL);

    fitting->is_over |= view.gave_up > 0;
    return is_passed;
}

/* Does the value pass its field and this rule? Then it stands in the example. */
static bool try(struct fitting *fitting, const struct filter *rule, struct span text)
{
    const struct field_spec *spec = &fitting->campaign->fields[rule->field];
    const struct field *before = fitting->forms[rule->field];
    struct field *form = arena_alloc(fitting->arena, sizeof *form), sent = {.name = spec->name, .kind = spec_example_kind(spec->type), .text = text};
    struct field_fault fault;

    fitting->is_over |= ++fitting->tries > TRIES_MOST;
    if (fitting->is_over || text.len == 0 || !field_judge(fitting->arena, spec, &sent, form, &fault) || form->text.len == 0)
        return false;
    form->name = spec->name;
    form->text = arena_copy(fitting->arena, form->text); /* the text may be a search's own */
    fitting->forms[rule->field] = form;
    if (passes(fitting, rule)) {
        fitting->values[rule->field] = sent;
        fitting->values[rule->field].text = form->text;
        return true;
    }
    fitting->forms[rule->field] = before;
    return false;
}

static bool try_day(struct fitting *fitting, const struct filter *rule, int64_t day)
{
    char text[DATE_TEXT_BYTES];

    return date_text(day, text) && try(fitting, rule, arena_printf(fitting->arena, "%s", text));
}

/* A part of an e-mail or an address, with what it lacks. */
static bool try_around(struct fitting *fitting, const struct filter *rule)
{
    static const struct {
        enum field_type type;
        const char *before, *behind;
    } rows[] = {
        {FIELD_EMAIL, "john", ""}, {FIELD_EMAIL, "john@", ""}, {FIELD_EMAIL, "john@", ".com"}, {FIELD_EMAIL, "", "@example.com"},
        {FIELD_EMAIL, "", "example.com"}, {FIELD_URL, "https://", ""}, {FIELD_URL, "https://", ".com/"}, {FIELD_URL, "https://example.com/", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == rule->type &&
            try(fitting, rule, arena_printf(fitting->arena, "%s%.*s%s", rows[i].before, SPAN_FMT(rule->values[0]), rows[i].behind)))
            return true;
    return false;
}

/* The values that the rule names, and those on either side of them. */
static bool try_named(struct fitting *fitting, const struct filter *rule)
{
    size_t count = rule->value_count < VALUES_TRIED ? rule->value_count : VALUES_TRIED;
    const struct field *old = fitting->forms[rule->field];
    int64_t day;

    for (size_t i = 0; i < count; i++)
        if (try(fitting, rule, rule->values[i]))
            return true;
    for (size_t i = 0; i < count; i++) {
        if (rule->type == FIELD_DATE && date_day(rule->values[i], &day) && (try_day(fitting, rule, day + 1) || try_day(fitting, rule, day - 1)))
            return true;
        if (rule->is_number && rule->values[i].len < 18) {
            int64_t whole = strtoll(arena_text(fitting->arena, rule->values[i]), NULL, 10); /* cut towards zero */

            if (try(fitting, rule, arena_printf(fitting->arena, "%" PRId64, whole + 1)) || try(fitting, rule, arena_printf(fitting->arena, "%" PRId64, whole - 1)))
                return true;
        }
    }
    if (rule->op == FILTER_STARTS && old != NULL && old->text.len > rule->values[0].len && /* "+1555" and the rest of the number that is there */
        try(fitting, rule, arena_printf(fitting->arena, "%.*s%.*s", SPAN_FMT(rule->values[0]), (int)(old->text.len - rule->values[0].len),
                                        old->text.ptr + rule->values[0].len)))
        return true;
    if (rule->op == FILTER_CONTAINS || rule->op == FILTER_STARTS)
        return try_around(fitting, rule);
    return rule->type == FIELD_DATE && try_day(fitting, rule, fitting->now.day - rule->days);
}

struct wish {
    struct fitting *fitting;
    const struct filter *rule;
};

static bool is_wished(void *ctx, struct span text)
{
    const struct wish *wish = ctx;

    return try(wish->fitting, wish->rule, text);
}

static bool fit_rule(struct fitting *fitting, const struct filter *rule)
{
    const struct field_spec *spec = &fitting->campaign->fields[rule->field];
    struct wish wish = {fitting, rule};
    struct field found;

    if (passes(fitting, rule) || try_named(fitting, rule) || spec_example_such(fitting->arena, spec, is_wished, &wish, &found))
        return true;
    if (spec->is_required || spec->otherwise.text.len > 0)
        return false;
    fitting->forms[rule->field] = NULL;
    fitting->values[rule->field].text = (struct span){NULL, 0};
    return passes(fitting, rule);
}

static bool fit(struct fitting *fitting, const struct filter *filter);

/* The first of the alternatives that can be had; what was tried for the others is undone. */
static bool fit_any(struct fitting *fitting, const struct filter *group)
{
    size_t count = fitting->campaign->field_count;
    struct field *values = arena_alloc(fitting->arena, count * sizeof *values);
    const struct field **forms = arena_alloc(fitting->arena, count * sizeof *forms);

    if (passes(fitting, group))
        return true;
    memcpy(values, fitting->values, count * sizeof *values);
    memcpy(forms, fitting->forms, count * sizeof *forms);
    for (size_t i = 0; i < group->part_count; i++) {
        if (fit(fitting, &group->parts[i]) && passes(fitting, group))
            return true;
        memcpy(fitting->values, values, count * sizeof *values);
        memcpy(fitting->forms, forms, count * sizeof *forms);
    }
    return false;
}

static bool fit(struct fitting *fitting, const struct filter *filter)
{
    bool is_fit = true;

    if (fitting->is_over || (filter->schedule != NULL && !schedule_is_open(filter->schedule, &fitting->now)))
        return !fitting->is_over;
    switch (filter->kind) {
    case FILTER_RULE:
        return fit_rule(fitting, filter);
    case FILTER_ANY:
        return fit_any(fitting, filter);
    case FILTER_ALL:
        break;
    }
    for (size_t i = 0; i < filter->part_count; i++)
        is_fit &= fit(fitting, &filter->parts[i]);
    return is_fit;
}

/* The example's normal forms; where nothing is sent the default stands in. */
static void read_forms(struct fitting *fitting)
{
    const struct campaign *campaign = fitting->campaign;

    for (size_t i = 0; i < campaign->field_count; i++) {
        const struct field_spec *spec = &campaign->fields[i];
        struct field *form = arena_alloc(fitting->arena, sizeof *form);
        struct field_fault fault;

        if (fitting->values[i].text.len > 0 && field_judge(fitting->arena, spec, &fitting->values[i], form, &fault) && form->text.len > 0)
            fitting->forms[i] = form;
        else if (spec->otherwise.text.len > 0)
            fitting->forms[i] = &spec->otherwise;
    }
}

void spec_fit(struct arena *arena, const struct campaign *campaign, const struct moment *now, struct field *values)
{
    size_t bytes = campaign->field_count * sizeof *values;
    struct fitting fitting = {.arena = arena, .campaign = campaign, .now = *now, .values = values};
    struct field *before = arena_alloc(arena, bytes);

    if (campaign->inbound == NULL)
        return;
    memcpy(before, values, bytes);
    fitting.forms = arena_alloc(arena, campaign->field_count * sizeof *fitting.forms);
    read_forms(&fitting);
    for (int round = 0; round < ROUNDS && !fitting.is_over; round++) {
        if (passes(&fitting, campaign->inbound))
            return;
        fit(&fitting, campaign->inbound);
    }
    if (fitting.is_over || !passes(&fitting, campaign->inbound))
        memcpy(values, before, bytes);
}
