#include "dispatcher/give_back.h"

#include "common/metrics.h"
#include "common/must.h"

#include <stdlib.h>

struct give_back {
    struct store *store;
    struct lanes *lanes;
    struct due_list waiting;
    struct due *sent[GIVE_BACK_BATCH];
    size_t sent_count;
    struct metric *total;
};

struct give_back *give_back_new(struct store *store, struct lanes *lanes)
{
    struct give_back *back = must_zalloc(sizeof *back);

    back->store = store;
    back->lanes = lanes;
    back->total = metric_counter("leadline_deliveries_given_back_total", NULL, "Deliveries taken and given back untried.");
    return back;
}

void give_back_free(struct give_back **back)
{
    free(*back);
    *back = NULL;
}

size_t give_back_waiting(const struct give_back *back)
{
    return back->waiting.count + back->sent_count;
}

void give_back_add(struct give_back *back, struct due *due)
{
    metric_add(back->total, 1);
    due_drop_webhook(due);
    if (give_back_waiting(back) < GIVE_BACK_MOST)
        due_append(&back->waiting, due);
    else
        lanes_forget(back->lanes, &due);
}

static void on_given_back(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct give_back *back = ctx;

    (void)trouble;
    (void)rows;
    while (back->sent_count > 0)
        lanes_forget(back->lanes, &back->sent[--back->sent_count]);
}

void give_back_flush(struct give_back *back)
{
    struct due *due;

    if (back->sent_count > 0 || back->waiting.count == 0)
        return;
    while (back->sent_count < GIVE_BACK_BATCH && (due = due_shift(&back->waiting)) != NULL)
        back->sent[back->sent_count++] = due;
    store_give_back(back->store, back->sent, back->sent_count, on_given_back, back);
}
