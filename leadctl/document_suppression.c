/* document_suppression.c - suppression lists, and who refers to them. */
#include "leadctl/document_check.h"

void document_check_suppression_lists(struct check *check)
{
    static const struct place lists = {NULL, "suppression_lists", 0};
    struct json *entry;

    EACH(entry, at, json_get(check->document, "suppression_lists"), &lists)
        document_claim(check, check->suppression_lists, json_get_text(entry, "id"), &at, "id", "suppression list");
}

void document_check_suppression(struct check *check, const struct json *owner, const struct place *place)
{
    struct place above = {place, "suppression_lists", 0};
    struct json *entry;

    EACH(entry, at, json_get(owner, "suppression_lists"), &above)
        if (json_text(entry).len > 0 && map_get(check->suppression_lists, json_text(entry)) == NULL)
            complain(check->list, &at, "there is no suppression list of this id");
}
