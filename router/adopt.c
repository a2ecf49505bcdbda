#include "router/adopt.h"

#include "common/log.h"
#include "common/must.h"
#include "proto/stored_fields.h"
#include "router/confirm.h"

#include <stdlib.h>

enum { ADOPTED_AT_ONCE = 500 };

static const char FIND[] =
    "SELECT l.id, l.supplier_id, l.campaign_id, l.is_test, " STORED_FIELDS("l.fields") ", btrim(l.raw->>'flo_ping_id', E' \\t\\r\\n'), btrim(l.raw->>'flo_buyer_id', E' \\t\\r\\n')"
    " FROM distributing d JOIN lead l ON l.id = d.lead_id"
    " WHERE d.deadline_at < clock_timestamp() - $1 * interval '1 millisecond' ORDER BY d.deadline_at LIMIT $2";

struct adopt {
    struct stage *stage;
    struct inbox *inbox;
    void (*found)(void *ctx);
    void *ctx;
    bool is_busy, is_gone;
};

struct adopt *adopt_new(struct stage *stage, struct inbox *inbox, void (*found)(void *ctx), void *ctx)
{
    struct adopt *adopt = must_alloc(sizeof *adopt);

    *adopt = (struct adopt){stage, inbox, found, ctx, false, false};
    return adopt;
}

/* The control connection is closed later than we are: who is under way then is freed by its answer. */
void adopt_free(struct adopt **adopt)
{
    if (*adopt != NULL && (*adopt)->is_busy)
        (*adopt)->is_gone = true;
    else
        free(*adopt);
    *adopt = NULL;
}

static bool take(struct adopt *adopt, struct arena *arena, struct hold *hold, const struct db_rows *rows, int row)
{
    struct lead lead = {
        .id = db_uuid(rows, row, 0), .supplier_id = arena_copy(arena, db_text(rows, row, 1)), .campaign_id = arena_copy(arena, db_text(rows, row, 2)),
        .is_test = db_bool(rows, row, 3), .is_resent = true, .mode = MODE_ADOPTED, .ping_id = arena_copy(arena, db_text(rows, row, 5)),
        .wanted_buyer_id = arena_copy(arena, db_text(rows, row, 6)),
    };
    char id[UUID_TEXT_BYTES];

    if (stored_fields_read(&lead.fields, arena, db_text(rows, row, 4)) != 0 || !inbox_adopt(adopt->inbox, &lead, hold))
        return false;
    log_event(LOG_INFO, "lead.adopted", "lead=%s", uuid_text(&lead.id, id));
    return true;
}

static void on_found(void *ctx, struct db_rows *const *rows, const struct db_error *error)
{
    struct adopt *adopt = ctx;
    struct arena *arena, *held;
    struct hold *hold;
    size_t taken = 0;

    adopt->is_busy = false;
    if (adopt->is_gone) {
        free(adopt);
        return;
    }
    if (error->trouble != DB_OK) {
        if (error->trouble != DB_GONE)
            log_event(LOG_ERROR, "adopt.failed", "sqlstate=%s", error->sqlstate);
        return;
    }
    if (db_count(rows[0]) == 0)
        return;
    arena = held = arena_new();
    hold = hold_new(&held);
    for (int row = 0; row < db_count(rows[0]); row++)
        taken += take(adopt, arena, hold, rows[0], row);
    hold_release(&hold);
    if (taken > 0)
        adopt->found(adopt->ctx);
}

void adopt_tick(struct adopt *adopt)
{
    struct db_job *job;

    if (adopt->is_busy || stage_is_stopping(adopt->stage))
        return;
    adopt->is_busy = true;
    job = db_job_new();
    db_sql(job, FIND);
    db_add_int(job, ADOPT_AFTER_MS);
    db_add_int(job, ADOPTED_AT_ONCE);
    db_send(stage_db(adopt->stage), &job, on_found, adopt);
}
