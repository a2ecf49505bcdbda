#include "router/auction.h"

#include "common/clock.h"
#include "common/map.h"
#include "common/metrics.h"
#include "common/must.h"
#include "proto/ping_fields.h"

#include <stdio.h>
#include <stdlib.h>

struct auction;

/* What one buyer was asked. In the entry's arena, as its quote. */
struct question {
    struct uuid id;
    struct auction *auction;
    struct quote *quote;
    struct neighbour *dispatcher;
    bool is_open;
};

struct auction {
    struct auction *before, *behind; /* in order of their ends */
    struct entry *entry;
    struct quotes *quotes;
    struct question *questions;      /* one for each quote */
    size_t open;
    int64_t began_ns;
    int64_t due_ms;                  /* monotonic */
};

struct auctions {
    struct stage *stage;
    auction_done_fn *done;
    void *ctx;
    struct map *questions; /* open ones by id */
    struct auction line;   /* head of all */
    size_t count;
    struct loop_timer *timer;
    int64_t timer_due_ms;  /* 0: not set */
    struct buf *item;
    struct metric *held, *seconds, *outcomes[BID_OUTCOMES];
};

/* The line ------------------------------------------------------------------------------------------------------------- */

static void arm(struct auctions *all)
{
    const struct auction *first = all->line.behind;
    int64_t now_ms;

    if (first == &all->line || (all->timer_due_ms != 0 && all->timer_due_ms <= first->due_ms))
        return;
    now_ms = clock_mono_ms();
    all->timer_due_ms = first->due_ms;
    loop_timer_set(all->timer, first->due_ms > now_ms ? first->due_ms - now_ms : 0, 0);
}

/* Nearly always who joins last is due last. */
static void join(struct auctions *all, struct auction *auction)
{
    struct auction *before = all->line.before;

    while (before != &all->line && before->due_ms > auction->due_ms)
        before = before->before;
    auction->before = before;
    auction->behind = before->behind;
    before->behind->before = auction;
    before->behind = auction;
    all->count++;
    arm(all);
}

static void leave(struct auctions *all, struct auction *auction)
{
    auction->before->behind = auction->behind;
    auction->behind->before = auction->before;
    all->count--;
}

/* The end -------------------------------------------------------------------------------------------------------------- */

static void answer(struct auctions *all, struct question *question, enum bid_outcome outcome, int64_t price_cents, int64_t took_ms)
{
    map_remove(all->questions, uuid_span(&question->id));
    question->is_open = false;
    question->quote->outcome = outcome;
    question->quote->price_cents = price_cents;
    question->quote->took_ms = took_ms;
    question->auction->open--;
    metric_add(all->outcomes[outcome], 1);
}

static void finish(struct auctions *all, struct auction *auction)
{
    struct entry *entry = auction->entry;

    leave(all, auction);
    entry->quotes = auction->quotes;
    entry->waited_ns = clock_mono_ns() - auction->began_ns;
    metric_add(all->held, 1);
    metric_observe_ns(all->seconds, entry->waited_ns);
    free(auction);
    all->done(all->ctx, &entry);
}

/* Whoever has not answered is late. */
static void end_late(struct auctions *all, struct auction *auction)
{
    int64_t took_ms = (clock_mono_ns() - auction->began_ns) / 1000000;

    for (size_t i = 0; i < auction->quotes->count; i++)
        if (auction->questions[i].is_open)
            answer(all, &auction->questions[i], BID_OUTCOME_LATE, 0, took_ms);
    finish(all, auction);
}

static void on_timer(void *ctx)
{
    struct auctions *all = ctx;
    int64_t now_ms = clock_mono_ms();

    all->timer_due_ms = 0;
    while (all->line.behind != &all->line && all->line.behind->due_ms <= now_ms)
        end_late(all, all->line.behind);
    arm(all);
}

/* Asking --------------------------------------------------------------------------------------------------------------- */

static int64_t time_for(const struct buyer *buyer, int64_t left_ms)
{
    return buyer->ping_timeout_ms < left_ms ? buyer->ping_timeout_ms : left_ms;
}

/* Sends one question. Returns how much time it has, or 0 when it could not be sent: then it is answered. */
static int64_t ask(struct auctions *all, struct question *question, const struct buyer *buyer, const struct field_list *fields, int64_t left_ms)
{
    const struct lead *lead = &question->auction->entry->lead;
    struct ping ping = {.id = question->id, .ping_id = lead->id, .buyer_id = buyer->id, .campaign_id = lead->campaign_id,
                        .left_ms = time_for(buyer, left_ms), .fields = *fields, .is_test = lead->is_test};

    question->dispatcher = neighbours_by_key(stage_neighbours(all->stage, STAGE_DISPATCHER), buyer->id);
    map_put(all->questions, uuid_span(&question->id), question);
    question->is_open = true;
    question->auction->open++;
    all->item->len = 0;
    frame_put_ping(all->item, &ping);
    if (ping.left_ms >= AUCTION_LEAST_MS && question->dispatcher != NULL &&
        neighbour_add(question->dispatcher, FRAME_PINGS, buf_span(all->item)) == 0)
        return ping.left_ms;
    answer(all, question, BID_OUTCOME_SKIPPED, 0, 0);
    return 0;
}

void auction_begin(struct auctions *all, struct entry **entry, const struct campaign *campaign, const struct buyer *const *buyers, size_t count)
{
    struct arena *arena = hold_arena((*entry)->hold);
    struct auction *auction = must_zalloc(sizeof *auction);
    int64_t now_ms = clock_mono_ms(), left_ms = (*entry)->expires_ms - now_ms - AUCTION_RESERVE_MS, longest_ms = 0;
    struct field_list fields;

    auction->entry = *entry;
    *entry = NULL;
    auction->began_ns = clock_mono_ns();
    auction->quotes = arena_alloc(arena, sizeof *auction->quotes);
    auction->quotes->items = arena_alloc(arena, count * sizeof *auction->quotes->items);
    auction->quotes->count = count;
    auction->questions = arena_alloc(arena, count * sizeof *auction->questions);
    ping_fields(arena, campaign, &auction->entry->lead.fields, &fields);
    for (size_t i = 0; i < count; i++) {
        struct question *question = &auction->questions[i];
        int64_t its_ms;

        auction->quotes->items[i].buyer_id = arena_copy(arena, buyers[i]->id);
        *question = (struct question){.id = uuid_v7(clock_wall_ms()), .auction = auction, .quote = &auction->quotes->items[i]};
        its_ms = ask(all, question, buyers[i], &fields, all->count < AUCTIONS_MOST ? left_ms : 0);
        longest_ms = its_ms > longest_ms ? its_ms : longest_ms;
    }
    /* A dispatcher answers each in its time; should it not, nobody waits much longer. */
    auction->due_ms = now_ms + (longest_ms + AUCTION_RESERVE_MS < left_ms ? longest_ms + AUCTION_RESERVE_MS : left_ms);
    join(all, auction);
    if (auction->open == 0)
        finish(all, auction);
}

/* Answers -------------------------------------------------------------------------------------------------------------- */

bool auction_bid(struct auctions *all, const struct bid *bid)
{
    struct question *question = map_get(all->questions, uuid_span(&bid->id));
    int outcome = bid_outcome_of(bid->outcome);

    if (outcome < 0 || (outcome == BID_OUTCOME_BID && bid->price_cents <= 0))
        return false;
    if (question == NULL)
        return true;
    answer(all, question, (enum bid_outcome)outcome, bid->price_cents, bid->took_ms);
    if (question->auction->open == 0)
        finish(all, question->auction);
    return true;
}

void auction_lost(struct auctions *all, struct neighbour *dispatcher)
{
    struct auction *auction = all->line.behind, *behind;

    for (; auction != &all->line; auction = behind) {
        behind = auction->behind;
        for (size_t i = 0; i < auction->quotes->count; i++)
            if (auction->questions[i].is_open && auction->questions[i].dispatcher == dispatcher)
                answer(all, &auction->questions[i], BID_OUTCOME_FAILED, 0, (clock_mono_ns() - auction->began_ns) / 1000000);
        if (auction->open == 0)
            finish(all, auction);
    }
}

/* Coming and going ----------------------------------------------------------------------------------------------------- */

struct auctions *auctions_new(struct stage *stage, auction_done_fn *done, void *ctx)
{
    struct auctions *all = must_zalloc(sizeof *all);

    all->stage = stage;
    all->done = done;
    all->ctx = ctx;
    all->questions = map_new();
    all->line.before = all->line.behind = &all->line;
    all->timer = loop_timer_new(stage_loop(stage), on_timer, all);
    all->item = buf_new(1024);
    all->held = metric_counter("leadline_auctions_total", NULL, "Leads and pings for which buyers were asked for bids.");
    all->seconds = metric_histogram("leadline_auction_seconds", NULL, "From the questions to the last bid that was waited for.");
#define BID_OUTCOME(name, word, meaning)                                                                                    \
    all->outcomes[BID_OUTCOME_##name] = metric_counter("leadline_questions_total", "outcome=\"" word "\"", "Questions for bids, by what came of them.");
#include "proto/bid_outcome.def"
#undef BID_OUTCOME
    return all;
}

void auctions_free(struct auctions **all, struct inbox *inbox)
{
    if (*all == NULL)
        return;
    while ((*all)->line.behind != &(*all)->line) {
        struct auction *auction = (*all)->line.behind;

        leave(*all, auction);
        inbox_done(inbox, &auction->entry);
        free(auction);
    }
    loop_timer_free(&(*all)->timer);
    map_free(&(*all)->questions);
    buf_free(&(*all)->item);
    free(*all);
    *all = NULL;
}

size_t auctions_open(const struct auctions *all)
{
    return all->count;
}
