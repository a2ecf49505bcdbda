#include "validator/inbound.h"

#include "proto/filter.h"

size_t inbound_judge(struct arena *arena, const struct moment *now, struct verdict *verdict)
{
    const struct filter *filter = verdict->campaign != NULL ? verdict->campaign->inbound : NULL;
    struct filter_view view = {.arena = arena, .now = *now};
    struct filter_failures failures = {.room = FILTER_RULES_MOST};

    if (verdict->reason != REASON_NONE || filter == NULL)
        return 0;
    view.values = filter_values(arena, verdict->campaign, &verdict->normal);
    failures.rules = arena_alloc(arena, FILTER_RULES_MOST * sizeof *failures.rules);
    if (filter_judge(filter, &view, &failures))
        return view.gave_up;
    verdict->reason = REASON_FILTERED;
    verdict->errors.items = arena_alloc(arena, failures.count * sizeof *verdict->errors.items);
    verdict->errors.count = failures.count;
    for (size_t i = 0; i < failures.count; i++)
        verdict->errors.items[i] = (struct field_error){
            .field = failures.rules[i]->field_name, .code = SPAN("filtered"),
            .op = span_of(filter_op_word(failures.rules[i]->op)), .message = failures.rules[i]->message,
        };
    return view.gave_up;
}
