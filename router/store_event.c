#include "router/store_event.h"

#include "router/event.h"

/* They belong to no sale, and no frame tells of them: the dispatchers' sweeps find them. */
const char store_write_events_sql[] =
    "INSERT INTO delivery (lead_id, id, n, buyer_id, state, attempt, due_at, event)"
    " SELECT lead_id, id, -1, buyer_id, 'OPEN', 0, due_at, event"
    " FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) AS e (lead_id, id, buyer_id, due_at, event)";

/* Calls what follows for each row: a decision, one of its types, an endpoint that wants it. */
#define EACH_EVENT                                                                                                     \
    for (size_t i = 0; i < count; i++)                                                                                 \
        for (size_t t = 0, type_count = event_types(decisions[i], types); t < type_count; t++)                         \
            for (size_t e = 0; e < facts->event_endpoint_count; e++)                                                   \
                if (facts->event_endpoints[e].types & 1u << types[t])

void store_write_events(struct db_job *job, const struct decision *const *decisions, size_t count, const struct facts *facts)
{
    enum event_type types[EVENTS_MOST];
    struct buf *body;
    size_t rows = 0;

    if (facts->event_endpoint_count == 0)
        return;
    EACH_EVENT
        rows++;
    if (rows == 0)
        return;
    body = buf_new(512);
    db_prepared(job, "write_events");
    db_array(job, DB_UUID, rows);
    EACH_EVENT
        db_item_uuid(job, &decisions[i]->plan->lead->id);
    db_array(job, DB_UUID, rows);
    EACH_EVENT {
        struct uuid id = uuid_v7(uuid_ms(&decisions[i]->plan->lead->id)); /* by whose time a delivery is found: its lead's, nearly */

        db_item_uuid(job, &id);
    }
    db_array(job, DB_TEXT, rows);
    EACH_EVENT
        db_item_text(job, facts->event_endpoints[e].id);
    db_array(job, DB_TIMESTAMPTZ, rows);
    EACH_EVENT
        db_item_time(job, facts->now_us + (int64_t)t); /* in their order */
    db_array(job, DB_TEXT, rows);
    EACH_EVENT {
        body->len = 0;
        event_print(decisions[i], types[t], facts->now_us, body);
        db_item_text(job, buf_span(body));
    }
    buf_free(&body);
}
