#include "gateway/spec_fit.h"

#include "gateway/spec_example.h"
#include "proto/ascii.h"
#include "proto/field_judge.h"
#include "proto/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HINTS_MOST = 48, VALUES_MOST = 8 };

struct fit {
    struct arena *arena;
    const struct campaign *campaign;
    struct field *values;
    struct field *forms;       /* their normal forms */
    const struct field **seen; /* by the filter; NULL: absent */
    struct moment now;
    size_t failing, judged;
    size_t field; /* that is being changed */
};

struct hints {
    struct span texts[HINTS_MOST];
    size_t count;
};

/* Judging ------------------------------------------------------------------------------------------------------------- */

/* How many rules fail, and into rules (FILTER_RULES_MOST) which. */
static size_t count_failing(struct fit *fit, const struct filter **rules)
{
    struct filter_view view = {.arena = fit->arena, .values = fit->seen, .now = fit->now};
    struct filter_failures failures = {.rules = rules, .room = FILTER_RULES_MOST};
    bool passes = filter_judge(fit->campaign->inbound, &view, &failures);

    fit->judged += view.gave_up > 0 ? SPEC_FIT_JUDGED_MOST : 1; /* a pattern that runs away is not asked again */
    return passes ? 0 : failures.count;
}

/* Would fewer rules fail with this value of the field? NULL: with none. */
static bool is_better(void *ctx, const struct field *form)
{
    struct fit *fit = ctx;
    const struct field *before = fit->seen[fit->field];
    const struct filter *rules[FILTER_RULES_MOST];
    size_t failing;

    if (fit->judged >= SPEC_FIT_JUDGED_MOST)
        return false;
    fit->seen[fit->field] = form;
    failing = count_failing(fit, rules);
    fit->seen[fit->field] = before;
    return failing < fit->failing;
}

static bool is_control(const struct field_spec *spec)
{
    const struct system_field *system = system_field_find(spec->name);

    return system != NULL && system->is_control;
}

/* The field's value has changed: what does the filter see of it? */
static void look_again(struct fit *fit, size_t i)
{
    const struct field_spec *spec = &fit->campaign->fields[i];
    struct field_fault fault;

    if (is_control(spec))
        return;
    fit->forms[i] = (struct field){.name = spec->name};
    if (fit->values[i].text.len > 0 && !field_judge(fit->arena, spec, &fit->values[i], &fit->forms[i], &fault))
        fit->forms[i].text.len = 0;
    if (fit->forms[i].text.len == 0)
        fit->forms[i] = spec->otherwise;
    fit->seen[i] = fit->forms[i].text.len > 0 ? &fit->forms[i] : NULL;
}

/* What a rule names --------------------------------------------------------------------------------------------------- */

static void add_hint(struct hints *hints, struct span text)
{
    if (hints->count < HINTS_MOST && text.len > 0)
        hints->texts[hints->count++] = text;
}

static void add_number(struct arena *arena, struct hints *hints, struct span value, double more)
{
    double number = strtod(arena_text(arena, value), NULL) + more;

    if (fabs(number) < 1e15)
        add_hint(hints, arena_printf(arena, "%.15g", number));
}

static void add_day(struct arena *arena, struct hints *hints, int64_t day)
{
    time_t at_s = (time_t)(day * 86400);
    struct tm date;
    char text[16];

    if (gmtime_r(&at_s, &date) != NULL && strftime(text, sizeof text, "%Y-%m-%d", &date) > 0)
        add_hint(hints, arena_copy(arena, span_of(text)));
}

/* As people write it: filters have their values in lower case. */
static struct span in_upper_case(struct arena *arena, struct span value)
{
    char *text = arena_alloc(arena, value.len + 1);

    for (size_t i = 0; i < value.len; i++)
        text[i] = ascii_is_letter(value.ptr[i]) ? (char)(value.ptr[i] & ~0x20) : value.ptr[i];
    return (struct span){text, value.len};
}

/* A whole value around a part. */
static void add_around(struct arena *arena, struct hints *hints, enum field_type type, struct span part)
{
    static const char *const around[][2] = {{"", ""}, {"", "@example.com"}, {"", "example.com"}, {"john", ""}, {"john@", ""}, {"http://", ""},
                                            {"https://", ""}, {"https://www.example.com/", ""}, {"", "example.com/"}};
    const char *whole = type == FIELD_PHONE ? "+12125550123" : type == FIELD_ZIP ? "75201" : type == FIELD_DATE ? "2024-06-15" : "";

    if (part.len < strlen(whole))
        add_hint(hints, arena_printf(arena, "%.*s%s", SPAN_FMT(part), whole + part.len));
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        add_hint(hints, arena_printf(arena, "%s%.*s%s", around[i][0], SPAN_FMT(part), around[i][1]));
}

static void hints_of(const struct fit *fit, const struct filter *rule, struct hints *hints)
{
    for (size_t i = 0; i < rule->value_count && i < VALUES_MOST; i++)
        add_hint(hints, rule->type == FIELD_STATE ? in_upper_case(fit->arena, rule->values[i]) : rule->values[i]);
    switch (rule->op) {
    case FILTER_ABOVE:
    case FILTER_BELOW:
        if (rule->is_number)
            add_number(fit->arena, hints, rule->values[0], rule->op == FILTER_ABOVE ? 1 : -1);
        return;
    case FILTER_CONTAINS:
    case FILTER_STARTS:
        add_around(fit->arena, hints, rule->type, rule->values[0]);
        return;
    case FILTER_SINCE:
    case FILTER_UNTIL:
        add_day(fit->arena, hints, fit->now.day - rule->days);
        return;
    case FILTER_EQUAL:
    case FILTER_NOT_EQUAL:
    case FILTER_IN:
    case FILTER_NOT_IN:
    case FILTER_AT_LEAST:
    case FILTER_AT_MOST:
    case FILTER_BETWEEN:
    case FILTER_CONTAINS_NOT:
    case FILTER_MATCHES:
    case FILTER_EMPTY:
    case FILTER_NOT_EMPTY:
    case FILTER_OP_COUNT:
        return;
    }
}

/* Likewise of all the rules about that field: what suits one is often a bound of another. */
static void hints_of_all(const struct fit *fit, const struct filter *filter, size_t field, struct hints *hints)
{
    if (filter->kind == FILTER_RULE && filter->field == field)
        hints_of(fit, filter, hints);
    for (size_t i = 0; i < filter->part_count; i++)
        hints_of_all(fit, &filter->parts[i], field, hints);
}

/* Fitting ------------------------------------------------------------------------------------------------------------- */

/* Changes the rule's field so that fewer rules fail. Returns whether there was a way. */
static bool mend(struct fit *fit, const struct filter *rule)
{
    const struct field_spec *spec = &fit->campaign->fields[rule->field];
    struct hints hints = {.count = 0};
    struct example_wish wish = {.texts = hints.texts, .accepts = is_better, .ctx = fit};
    struct field found;

    if (is_control(spec))
        return false;
    fit->field = rule->field;
    hints_of(fit, rule, &hints);
    hints_of_all(fit, fit->campaign->inbound, rule->field, &hints);
    wish.count = hints.count;
    if (rule->op != FILTER_EMPTY && spec_example_wished(fit->arena, spec, &wish, &found))
        fit->values[rule->field] = found;
    else if (!spec->is_required && spec->otherwise.text.len == 0 && is_better(fit, NULL))
        fit->values[rule->field].text = (struct span){NULL, 0};
    else
        return false;
    look_again(fit, rule->field);
    return true;
}

/* Has an earlier one of the rules named this one's field? Then everything was tried. */
static bool is_tried(const struct filter *const *rules, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (rules[before]->field == rules[i]->field)
            return true;
    return false;
}

void spec_fit(struct arena *arena, const struct campaign *campaign, const struct moment *now, struct field *values)
{
    struct fit fit = {.arena = arena, .campaign = campaign, .values = values, .now = *now};
    const struct filter *rules[FILTER_RULES_MOST];
    bool is_changed = campaign->inbound != NULL;

    fit.forms = arena_alloc(arena, (campaign->field_count + 1) * sizeof *fit.forms);
    fit.seen = arena_alloc(arena, (campaign->field_count + 1) * sizeof *fit.seen);
    for (size_t i = 0; is_changed && i < campaign->field_count; i++)
        look_again(&fit, i);
    while (is_changed) {
        fit.failing = count_failing(&fit, rules);
        is_changed = false;
        for (size_t i = 0; i < fit.failing && !is_changed; i++)
            is_changed = !is_tried(rules, i) && mend(&fit, rules[i]);
    }
}
