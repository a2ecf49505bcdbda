/* document_campaign.c - campaigns: sources, contracts, and what they refer to. */
#include "leadctl/document_check.h"

#include "proto/normal.h"

static void check_cost(struct check *check, const struct json *cost, const struct place *place)
{
    static const struct { const char *mode, *needs; } rows[] = {{"FIXED", "amount"}, {"REVENUE_SHARE", "percent"}};
    struct span mode = json_get_text(cost, "mode");

    if (mode.ptr == NULL)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place at = {place, rows[i].needs, 0};
        bool is_needed = span_is(mode, rows[i].mode), is_there = json_get(cost, rows[i].needs) != NULL;

        if (is_needed && !is_there)
            complain(check->list, &at, "is required by mode %s", rows[i].mode);
        if (!is_needed && is_there)
            complain(check->list, &at, "is for mode %s only", rows[i].mode);
    }
}

static void check_sources(struct check *check, const struct json *campaign, const struct place *place)
{
    struct place sources = {place, "sources", 0};
    struct map *seen = map_new();
    struct json *source;

    EACH(source, at, json_get(campaign, "sources"), &sources) {
        struct place cost = {&at, "cost", 0};

        document_claim(check, seen, json_get_text(source, "supplier_id"), &at, "supplier_id", "supplier's source");
        document_must_know(check, check->suppliers, json_get_text(source, "supplier_id"), &at, "supplier_id", "supplier");
        check_cost(check, json_get(source, "cost"), &cost);
        document_check_caps(check, source, &at);
    }
    map_free(&seen);
}

static void check_states(struct check *check, const struct json *contract, const struct place *place)
{
    struct place states = {place, "states", 0};
    struct json *state;

    EACH(state, at, json_get(contract, "states"), &states) {
        struct span text = json_text(state);

        if (text.ptr != NULL && (text.len != 2 || !span_equal(normal_state(check->arena, text), text)))
            complain(check->list, &at, "must be the two upper-case letters of a state, DC or a territory");
    }
}

/* How many contracts has this buyer here? */
static size_t contracts_of(const struct json *contracts, struct span buyer_id)
{
    size_t count = 0;

    for (size_t i = 0; i < json_count(contracts); i++)
        count += span_equal(json_get_text(json_at(contracts, i), "buyer_id"), buyer_id);
    return count;
}

static void check_contracts(struct check *check, const struct json *campaign, const struct place *place)
{
    const struct json *contracts = json_get(campaign, "contracts");
    struct place above = {place, "contracts", 0};
    struct map *ids = map_new();
    struct json *contract;

    EACH(contract, at, contracts, &above) {
        struct place id = {&at, "id", 0};
        struct span buyer_id = json_get_text(contract, "buyer_id");

        if (json_get(contract, "id") != NULL)
            document_claim(check, ids, json_get_text(contract, "id"), &at, "id", "contract's id");
        else if (buyer_id.len > 0 && contracts_of(contracts, buyer_id) > 1)
            complain(check->list, &id, "is required, because the buyer has several contracts on this campaign");
        else
            document_claim(check, ids, buyer_id, &at, "buyer_id", "contract's id");
        document_must_know(check, check->buyers, buyer_id, &at, "buyer_id", "buyer");
        check_states(check, contract, &at);
        document_check_caps(check, contract, &at);
        document_check_suppression(check, contract, &at);
    }
    map_free(&ids);
}

void document_check_campaign(struct check *check, const struct json *campaign, struct map *ids, const struct place *place)
{
    document_claim(check, ids, json_get_text(campaign, "id"), place, "id", "campaign");
    document_check_fields(check, campaign, place);
    document_check_caps(check, campaign, place);
    document_check_suppression(check, campaign, place);
    check_sources(check, campaign, place);
    check_contracts(check, campaign, place);
    document_check_filters(check, campaign, place);
}
