#include "leadctl/event_leftovers.h"

/* Locked in the order in which dispatchers lock. The page is counted, too: what ended by itself meanwhile is not in the next. */
static const char CANCEL[] =
    "WITH page AS MATERIALIZED"
    " (SELECT d.lead_id, d.id FROM event_endpoint e JOIN delivery d ON d.buyer_id = e.id AND d.state = 'OPEN' WHERE NOT e.is_live LIMIT 5000),"
    " locked AS MATERIALIZED"
    " (SELECT d.lead_id, d.id FROM page p JOIN delivery d ON d.lead_id = p.lead_id AND d.id = p.id WHERE d.state::text = 'OPEN'"
    "  ORDER BY d.lead_id, d.id FOR UPDATE OF d),"
    " cancelled AS (UPDATE delivery d SET state = 'CANCELLED', lease_by = NULL FROM locked l WHERE d.lead_id = l.lead_id AND d.id = l.id RETURNING 1)"
    " SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM cancelled)";

int event_leftovers_cancel(struct db_wait *db, int64_t *cancelled, struct error *err)
{
    int64_t found;

    *cancelled = 0;
    do {
        struct db_answer *answer = db_wait_ask(db, CANCEL, DB_NO_PARAMS, err);

        if (answer == NULL)
            return -1;
        found = db_answer_int(answer, 0, 0);
        *cancelled += db_answer_int(answer, 0, 1);
        db_answer_free(&answer);
    } while (found > 0);
    return 0;
}
