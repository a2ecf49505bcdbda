#include "proto/catalog_suppression.h"

#include "common/arena.h"

#include <string.h>

/* (campaign, contract or '', list, its number): of a campaign its lists by id, of a list its campaign before the contracts. */
const char catalog_suppression_sql[] =
    "SELECT campaign_id, contract_id, list_id, number FROM suppression_use"
    " ORDER BY campaign_id COLLATE \"C\", list_id COLLATE \"C\", contract_id COLLATE \"C\"";

static struct contract *find_contract(struct campaign *campaign, struct span id)
{
    for (size_t i = 0; i < campaign->contract_count; i++)
        if (span_equal(campaign->contracts[i].id, id))
            return &campaign->contracts[i];
    return NULL;
}

/* How many rows, from this on, have the same text in that column? */
static int run_of(const struct db_rows *rows, int first, int column)
{
    int row = first + 1;

    while (row < db_count(rows) && span_equal(db_text(rows, row, column), db_text(rows, first, column)))
        row++;
    return row - first;
}

static void add_to_contract(struct arena *arena, struct contract *contract, struct span list_id)
{
    struct span *lists = arena_alloc(arena, (contract->suppression_list_count + 1) * sizeof *lists);

    if (contract->suppression_list_count > 0)
        memcpy(lists, contract->suppression_lists, contract->suppression_list_count * sizeof *lists);
    lists[contract->suppression_list_count++] = list_id;
    contract->suppression_lists = lists;
}

static void read_campaign(struct arena *arena, struct campaign *campaign, const struct db_rows *rows, int first, int count)
{
    struct suppression_use *use = NULL;

    campaign->suppression = arena_alloc(arena, (size_t)count * sizeof *campaign->suppression);
    for (int row = first; row < first + count; row++) {
        struct span contract_id = db_text(rows, row, 1), list_id = db_text(rows, row, 2);
        struct contract *contract;

        if (use == NULL || !span_equal(use->list_id, list_id)) {
            use = &campaign->suppression[campaign->suppression_count++];
            use->list_id = arena_copy(arena, list_id);
            use->number = db_int(rows, row, 3);
        }
        contract = contract_id.len > 0 ? find_contract(campaign, contract_id) : NULL;
        if (contract_id.len == 0)
            use->is_of_campaign = true;
        else if (contract != NULL)
            add_to_contract(arena, contract, use->list_id);
    }
}

void catalog_read_suppression(struct catalog *catalog, const struct db_rows *rows)
{
    for (int row = 0; row < db_count(rows);) {
        int count = run_of(rows, row, 0);
        struct campaign *campaign = (struct campaign *)(uintptr_t)catalog_campaign(catalog, db_text(rows, row, 0));

        if (campaign != NULL)
            read_campaign(catalog->arena, campaign, rows, row, count);
        row += count;
    }
}
