#include "validator/look_up.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/must.h"
#include "validator/store.h"

#include <stdlib.h>

enum {
    KEYS_MOST = 4096,  /* of one query; a parcel that begins below is taken whole */
    ASKED_MOST_MS = 5000,
    BUSY_PER_MS = 2,   /* when more leads come than that, */
    REST_MS = 2,       /* queries are so far apart: small ones would cost the database more than they find */
};

/* Parcels in order of arrival. */
struct line {
    struct parcel *first, **last;
};

struct look_up {
    struct db *db;
    look_up_fn *fn;
    void *ctx;
    struct line waiting, asked;
    size_t leads, bytes; /* of both */
    bool is_asking;
    int64_t asked_ms;
    struct metric *queries, *looked_up, *seconds;
    int64_t asked_ns;
    struct loop_timer *rest; /* until the next query may begin */
    bool is_busy;
};

static void kick(struct look_up *look_up);

/* Parcels ------------------------------------------------------------------------------------------------------------- */

struct parcel *parcel_new(struct arena *arena, size_t room, int64_t catalog_turn)
{
    struct parcel *parcel = must_zalloc(sizeof *parcel);

    parcel->leads = arena_alloc(arena, room * sizeof *parcel->leads);
    parcel->catalog_turn = catalog_turn;
    parcel->since_ms = parcel->until_ms = clock_mono_ms();
    return parcel;
}

void parcel_add(struct parcel *parcel, const struct lead *lead, const struct verdict *verdict, struct listed_value *values, size_t count)
{
    parcel->leads[parcel->count++] = (struct looked_up){.lead = *lead, .verdict = *verdict, .values = values, .value_count = count};
    parcel->value_count += count;
    if (parcel->since_ms + lead->left_ms > parcel->until_ms)
        parcel->until_ms = parcel->since_ms + lead->left_ms;
}

static void append(struct line *line, struct parcel *parcel)
{
    parcel->next = NULL;
    *line->last = parcel;
    line->last = &parcel->next;
}

/* Takes the one out at which *at points. */
static struct parcel *take_out(struct line *line, struct parcel **at)
{
    struct parcel *parcel = *at;

    *at = parcel->next;
    if (parcel->next == NULL)
        line->last = at;
    parcel->next = NULL;
    return parcel;
}

/* All of a line, taken out of it. */
static struct parcel *take_all(struct line *line)
{
    struct parcel *first = line->first;

    line->first = NULL;
    line->last = &line->first;
    return first;
}

static void count_out(struct look_up *look_up, const struct parcel *parcel)
{
    look_up->leads -= parcel->count;
    look_up->bytes -= parcel->bytes;
}

static void end(struct parcel *parcel)
{
    arena_free(&parcel->arena);
    free(parcel);
}

/* Tells the owner about all of these, and ends them. */
static void tell(struct look_up *look_up, struct parcel *first, const struct hits *hits)
{
    struct parcel *next;

    for (; first != NULL; first = next) {
        next = first->next;
        count_out(look_up, first);
        look_up->fn(look_up->ctx, first, hits);
        end(first);
    }
}

/* Asking -------------------------------------------------------------------------------------------------------------- */

/* Those that were asked about wait again, in front of the others. */
static void put_back(struct look_up *look_up)
{
    struct parcel *waiting = take_all(&look_up->waiting), *asked = take_all(&look_up->asked), *next;

    for (; asked != NULL; asked = next) {
        next = asked->next;
        append(&look_up->waiting, asked);
    }
    for (; waiting != NULL; waiting = next) {
        next = waiting->next;
        append(&look_up->waiting, waiting);
    }
}

static void on_answer(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct look_up *look_up = ctx;
    struct arena *arena;
    struct hits *hits;

    look_up->is_asking = false;
    if (look_up->is_busy)
        loop_timer_set(look_up->rest, REST_MS, 0);
    switch (error->trouble) {
    case DB_OK:
        metric_observe_ns(look_up->seconds, clock_mono_ns() - look_up->asked_ns);
        arena = arena_new();
        hits = hits_new(arena);
        store_hits(rows, hits);
        tell(look_up, take_all(&look_up->asked), hits);
        hits_free(&hits);
        arena_free(&arena);
        break;
    case DB_GONE: /* it comes back at once, or turns out to be away: on_state() */
        put_back(look_up);
        return;
    case DB_REFUSED:
        log_event(LOG_ERROR, "look_up.refused", "sqlstate=%s", error->sqlstate);
        tell(look_up, take_all(&look_up->asked), NULL);
        break;
    case DB_CONFLICT:
    case DB_DOWN:
        tell(look_up, take_all(&look_up->asked), NULL);
        break;
    }
    kick(look_up);
}

/* Takes from the waiting ones what one query may hold. Returns how many values. */
static size_t take(struct look_up *look_up)
{
    size_t values = 0;

    while (look_up->waiting.first != NULL && 2 * values < KEYS_MOST) {
        struct parcel *parcel = take_out(&look_up->waiting, &look_up->waiting.first);

        values += parcel->value_count;
        append(&look_up->asked, parcel);
    }
    return values;
}

static void ask(struct look_up *look_up, size_t count)
{
    int64_t now_ns = clock_mono_ns();
    struct sought sought;
    size_t leads = 0;

    sought_init(&sought, count);
    for (const struct parcel *parcel = look_up->asked.first; parcel != NULL; parcel = parcel->next) {
        for (size_t i = 0; i < parcel->count; i++)
            for (size_t j = 0; j < parcel->leads[i].value_count; j++)
                sought_add(&sought, &parcel->leads[i].values[j]);
        leads += parcel->count;
    }
    look_up->is_asking = true;
    look_up->asked_ms = clock_mono_ms();
    look_up->is_busy = (int64_t)leads * 1000000 > (now_ns - look_up->asked_ns) * BUSY_PER_MS;
    look_up->asked_ns = now_ns;
    metric_add(look_up->queries, 1);
    metric_add(look_up->looked_up, (int64_t)leads);
    store_look_up(look_up->db, &sought, on_answer, look_up);
    sought_free(&sought);
}

static void forget_expired(struct look_up *look_up)
{
    int64_t now_ms = clock_mono_ms();
    struct parcel **at = &look_up->waiting.first;

    while (*at != NULL)
        if ((*at)->until_ms <= now_ms) {
            struct parcel *parcel = take_out(&look_up->waiting, at);

            count_out(look_up, parcel);
            end(parcel);
        } else {
            at = &(*at)->next;
        }
}

static void kick(struct look_up *look_up)
{
    if (look_up->is_asking || look_up->waiting.first == NULL || (loop_timer_is_set(look_up->rest) && db_is_up(look_up->db)))
        return;
    if (db_is_up(look_up->db)) {
        forget_expired(look_up);
        if (look_up->waiting.first != NULL)
            ask(look_up, take(look_up));
    } else if (db_is_away(look_up->db)) {
        tell(look_up, take_all(&look_up->waiting), NULL);
    }
}

static void on_rest_over(void *ctx)
{
    kick(ctx);
}

static void on_state(void *ctx, bool is_up)
{
    (void)is_up;
    kick(ctx);
}

void look_up_send(struct look_up *look_up, struct parcel **parcel, struct arena **arena)
{
    struct parcel *sent = *parcel;

    *parcel = NULL;
    sent->arena = *arena;
    *arena = NULL;
    sent->bytes = arena_bytes(sent->arena) + 2 * sent->value_count * sizeof(struct uuid);
    if (look_up->bytes + sent->bytes > LOOK_UP_BYTES_MOST) {
        look_up->fn(look_up->ctx, sent, NULL);
        end(sent);
        return;
    }
    look_up->leads += sent->count;
    look_up->bytes += sent->bytes;
    append(&look_up->waiting, sent);
    kick(look_up);
}

void look_up_sweep(struct look_up *look_up)
{
    forget_expired(look_up);
    if (look_up->is_asking && clock_mono_ms() - look_up->asked_ms > ASKED_MOST_MS)
        db_reset(look_up->db); /* frozen, or the network is: on_answer() has them wait for the next connection */
}

size_t look_up_waiting(const struct look_up *look_up)
{
    return look_up->leads;
}

struct look_up *look_up_new(struct stage *stage, look_up_fn *fn, void *ctx)
{
    struct look_up *look_up = must_zalloc(sizeof *look_up);

    look_up->fn = fn;
    look_up->ctx = ctx;
    take_all(&look_up->waiting);
    take_all(&look_up->asked);
    look_up->queries = metric_counter("leadline_look_ups_total", NULL, "Queries for suppression lists.");
    look_up->looked_up = metric_counter("leadline_looked_up_total", NULL, "Leads looked up in suppression lists.");
    look_up->seconds = metric_histogram("leadline_look_up_seconds", NULL, "How long a query for suppression lists took.");
    look_up->rest = loop_timer_new(stage_loop(stage), on_rest_over, look_up);
    look_up->db = store_open(stage, on_state, look_up);
    return look_up;
}

void look_up_free(struct look_up **look_up)
{
    if (*look_up == NULL)
        return;
    db_close(&(*look_up)->db);
    loop_timer_free(&(*look_up)->rest);
    put_back(*look_up);
    while ((*look_up)->waiting.first != NULL)
        end(take_out(&(*look_up)->waiting, &(*look_up)->waiting.first));
    free(*look_up);
    *look_up = NULL;
}
