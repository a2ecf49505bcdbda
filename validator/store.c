#include "validator/store.h"

/* A batch's look-up is a few searches in the index, whatever the statistics of a list just imported may say. */
const char look_up_settings[] =
    "SET default_transaction_read_only = on; SET statement_timeout = '2s'; SET plan_cache_mode = force_generic_plan;"
    " SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off";

/* A kind of which no list has an entry is not searched for: the condition is looked at once. The bits are those of enum suppression_kind. */
#define OF_KIND(kind, keys)                                                                                            \
    "SELECT value, list FROM suppression_entry WHERE value = ANY (" keys "::uuid[])"                                   \
    " AND (SELECT bit_or(kinds) & (1 << " kind ") <> 0 FROM suppression_list WHERE is_live)"

const struct db_statement look_up_statements[] = {
    {"look_up", OF_KIND("0", "$1") " UNION ALL " OF_KIND("1", "$2") " UNION ALL " OF_KIND("2", "$3") " UNION ALL " OF_KIND("3", "$4")},
    {NULL, NULL},
};

struct db *store_open(struct stage *stage, db_state_fn *on_state, void *ctx)
{
    return stage_open_db(stage, look_up_settings, look_up_statements, on_state, ctx);
}

void store_look_up(struct db *db, const struct sought *sought, db_done_fn *fn, void *ctx)
{
    struct db_job *job = db_job_new();

    db_prepared(job, "look_up");
    for (size_t kind = 0; kind < SUPPRESSION_KINDS; kind++) {
        db_array(job, DB_UUID, sought->counts[kind]);
        for (size_t i = 0; i < sought->counts[kind]; i++)
            db_item_uuid(job, &sought->keys[kind][i]);
    }
    db_send(db, &job, fn, ctx);
}

void store_hits(struct db_rows *const *rows, struct hits *hits)
{
    for (int row = 0; row < db_count(rows[0]); row++)
        hits_add(hits, db_uuid(rows[0], row, 0), db_int(rows[0], row, 1));
}
