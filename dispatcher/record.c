#include "dispatcher/record.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/must.h"

#include <stdlib.h>

enum { RETRY_MS = 200 };

struct record {
    struct stage *stage;
    struct store *store;
    struct lanes *lanes;
    struct loop_timer *pause; /* after trouble, before the next try */
    struct due_list waiting;
    struct due *sent[RECORD_BATCH];
    size_t sent_count;
    size_t batch_most; /* halved around a result that the database refuses */
    int64_t done;
    struct buf *item; /* for encoding, used again and again */
    struct metric *waiting_now, *overtaken, *seconds, *late, *untold;
    struct metric *attempts[VERDICT_COUNT];
};

/* The turn's end flushes. */
static void on_pause_end(void *ctx)
{
    (void)ctx;
}

struct record *record_new(struct stage *stage, struct store *store, struct lanes *lanes)
{
    struct record *record = must_zalloc(sizeof *record);

    record->stage = stage;
    record->item = buf_new(128);
    record->store = store;
    record->lanes = lanes;
    record->batch_most = RECORD_BATCH;
    record->pause = loop_timer_new(stage_loop(stage), on_pause_end, record);
    record->waiting_now = metric_gauge("leadline_results_waiting", NULL, "Results of attempts that are not written yet.");
    record->overtaken = metric_counter("leadline_results_overtaken_total", NULL,
                                       "Results not written, because the delivery had gone on without them.");
    record->seconds = metric_histogram("leadline_delivery_seconds", NULL, "From the sale to the written acceptance of the buyer.");
    record->late = metric_counter("leadline_late_acceptances_total", NULL, "Buyers' yes after their time was over: no sale.");
    record->untold = metric_counter("leadline_verdicts_unsent_total", NULL, "Verdicts that no longer found their router: somebody finds the row.");
#define VERDICT(name, word, meaning)                                                                                    \
    record->attempts[VERDICT_##name] =                                                                                  \
        metric_counter("leadline_attempts_total", "verdict=\"" word "\"", "Attempts to deliver, by what they came to.");
#include "proto/verdict.def"
#undef VERDICT
    return record;
}

void record_free(struct record **record)
{
    if (*record != NULL) {
        loop_timer_free(&(*record)->pause);
        buf_free(&(*record)->item);
        free(*record);
        *record = NULL;
    }
}

size_t record_waiting(const struct record *record)
{
    return record->waiting.count + record->sent_count;
}

int64_t record_done(const struct record *record)
{
    return record->done;
}

bool record_has_room(const struct record *record, size_t in_flight)
{
    return record_waiting(record) + in_flight < RECORDS_MOST;
}

void record_add(struct record *record, struct due *due)
{
    metric_add(record->attempts[due->result.verdict], 1);
    if (due->ask != NULL)
        due->ask->is_recording = true;
    due_append(&record->waiting, due);
    metric_set(record->waiting_now, (int64_t)record_waiting(record));
}

/* A hint to the router that waits for it. One that is lost costs the buyer's time. */
static void tell(struct record *record, const struct due *due)
{
    struct neighbour *router = neighbours_by_name(stage_neighbours(record->stage, STAGE_ROUTER), span_of(due->ask->router));
    struct buyer_verdict verdict = {.delivery_id = due->id, .lead_id = due->lead_id, .verdict = span_of(verdict_word(due->result.verdict))};

    record->item->len = 0;
    frame_put_buyer_verdict(record->item, &verdict);
    if (router == NULL || neighbour_add(router, FRAME_VERDICTS, buf_span(record->item)) != 0)
        metric_add(record->untold, 1);
}

void record_late(struct record *record, struct due *due)
{
    struct ask *ask = due->ask;

    if (!ask->has_late) {
        lanes_forget(record->lanes, &due);
        return;
    }
    result_clear(&due->result);
    due->result = ask->late;
    ask->late = (struct result){.price_cents = -1};
    ask->has_late = false;
    record_add(record, due);
}

/* Its row is written: it is forgotten, unless its buyer has said yes since or may still do. */
static void go_on(struct record *record, struct due *due)
{
    if (due->ask == NULL) {
        lanes_forget(record->lanes, &due);
        return;
    }
    if (due->result.verdict != VERDICT_LATE)
        tell(record, due);
    due->ask->is_recording = false;
    if (!due->ask->is_begun)
        record_late(record, due);
}

static void forget_sent(struct record *record)
{
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < record->sent_count; i++) {
        if (record->sent[i]->result.verdict == VERDICT_ACCEPTED && !record->sent[i]->is_event)
            metric_observe_ns(record->seconds, (now_ms - record->sent[i]->sold_at_ms) * 1000000);
        go_on(record, record->sent[i]);
    }
    record->done += (int64_t)record->sent_count;
    record->sent_count = 0;
}

static void on_late(void *ctx, const struct uuid *delivery_id)
{
    struct record *record = ctx;
    char id[UUID_TEXT_BYTES], lead[UUID_TEXT_BYTES];

    metric_add(record->late, 1);
    for (size_t i = 0; i < record->sent_count; i++)
        if (uuid_compare(&record->sent[i]->id, delivery_id) == 0)
            log_event(LOG_WARN, "delivery.late", "buyer=%s delivery=%s lead=%s took_ms=%lld", log_quote(span_of(record->sent[i]->ask->buyer)),
                      uuid_text(delivery_id, id), uuid_text(&record->sent[i]->lead_id, lead), (long long)record->sent[i]->result.took_ms);
}

/* The batch goes back to where it came from, in its order. */
static void keep_sent(struct record *record)
{
    while (record->sent_count > 0)
        due_prepend(&record->waiting, record->sent[--record->sent_count]);
}

/*
 * One result that the database does not take. First its answer is suspected, then its attempt's row; the state of the
 * delivery is what must not be lost.
 */
static void mend(struct due *due)
{
    static const struct span replacement = SPAN("(the answer could not be stored)");
    char id[UUID_TEXT_BYTES];

    log_event(LOG_ERROR, "result.refused", "delivery=%s attempt=%d", uuid_text(&due->id, id), due->attempt + 1);
    if (span_equal(due->result.answer, replacement)) {
        due->result.is_unlogged = true;
        return;
    }
    free((char *)due->result.answer.ptr);
    due->result.answer = (struct span){must_copy(replacement.ptr, replacement.len), replacement.len};
}

static void on_refused(struct record *record)
{
    if (record->sent_count > 1) {
        record->batch_most = record->sent_count / 2;
        keep_sent(record);
    } else if (record->sent[0]->result.is_unlogged) {
        forget_sent(record); /* nothing is left to try: the lease runs out and the delivery is tried again */
    } else {
        mend(record->sent[0]);
        keep_sent(record);
    }
}

static void on_recorded(void *ctx, enum db_trouble trouble, int64_t rows)
{
    struct record *record = ctx;

    switch (trouble) {
    case DB_OK:
        metric_add(record->overtaken, (int64_t)record->sent_count - rows);
        forget_sent(record);
        record->batch_most = record->batch_most * 2 < RECORD_BATCH ? record->batch_most * 2 : RECORD_BATCH;
        break;
    case DB_GONE:
    case DB_CONFLICT:
    case DB_DOWN:
        keep_sent(record);
        loop_timer_set(record->pause, RETRY_MS, 0);
        break;
    case DB_REFUSED:
        on_refused(record);
        break;
    }
    metric_set(record->waiting_now, (int64_t)record_waiting(record));
}

void record_flush(struct record *record)
{
    struct due *due;

    if (record->sent_count > 0 || record->waiting.count == 0 || loop_timer_is_set(record->pause) || !store_is_up(record->store))
        return;
    while (record->sent_count < record->batch_most && (due = due_shift(&record->waiting)) != NULL)
        record->sent[record->sent_count++] = due;
    store_record(record->store, record->sent, record->sent_count, on_late, on_recorded, record);
}
