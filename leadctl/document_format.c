/* document_format.c - templates, headers and response rules of buyers: whatever compiles here can be used by the dispatcher. */
#include "leadctl/document_check.h"

#include "common/must.h"
#include "proto/format.h"
#include "proto/response_read.h"

/* The campaigns on which a buyer has a contract: their fields may be named. */
struct buyer_fields {
    const struct json *document;
    struct span buyer_id;
};

/* Goes through these campaigns: *at begins at 0. Returns NULL after the last. */
static const struct json *next_campaign(const struct buyer_fields *fields, size_t *at)
{
    const struct json *campaigns = json_get(fields->document, "campaigns"), *campaign;

    while ((campaign = document_entry(campaigns, *at)) != NULL) {
        const struct json *contracts = json_get(campaign, "contracts"), *contract;

        (*at)++;
        for (size_t i = 0; (contract = document_entry(contracts, i)) != NULL; i++)
            if (span_equal(json_get_text(contract, "buyer_id"), fields->buyer_id))
                return campaign;
    }
    return NULL;
}

/* The type that one campaign gives a field, or -1 when it has none of that name. */
static int type_on(const struct json *campaign, struct span name)
{
    const struct system_field *system = system_field_find(name);
    const struct json *list = json_get(campaign, "fields"), *field;

    for (size_t i = 0; (field = document_entry(list, i)) != NULL; i++)
        if (span_equal(json_get_text(field, "name"), name)) {
            int type = field_type_of(json_get_text(field, "type"));

            return type >= 0 ? type : system != NULL ? (int)system->type : FIELD_STRING;
        }
    return system != NULL && !system->is_control ? (int)system->type : -1;
}

/* One of the campaigns is enough; a date on one of them is a date. */
static int type_of(void *ctx, struct span name)
{
    const struct buyer_fields *fields = ctx;
    const struct json *campaign;
    size_t at = 0;
    int found = -1;

    while ((campaign = next_campaign(fields, &at)) != NULL) {
        int type = type_on(campaign, name);

        found = type == FIELD_DATE || found < 0 ? type : found;
        if (found == FIELD_DATE)
            break;
    }
    return found;
}

void document_check_format(struct check *check, const struct json *buyer, const struct place *place)
{
    const struct json *delivery = json_get(buyer, "delivery");
    struct buyer_fields fields = {check->document, json_get_text(buyer, "id")};
    struct place responses = {place, "responses", 0};
    struct catalog *into = must_zalloc(sizeof *into);
    struct complaints *list = complaints_new();
    size_t at = 0;
    bool has_contract = next_campaign(&fields, &at) != NULL;

    into->arena = arena_new();
    format_read(into->arena, delivery, has_contract ? type_of : NULL, &fields, place, list); /* without one nothing is delivered yet */
    responses_read(into, json_get(delivery, "responses"), &responses, list);
    complaints_merge(check->list, list);
    complaints_free(&list);
    catalog_free(&into);
}
