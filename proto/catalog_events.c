#include "proto/catalog_events.h"

#include "common/arena.h"
#include "proto/event.h"

const char catalog_events_sql[] =
    "SELECT id, array_to_string(types, ' ') FROM event_endpoint WHERE is_live ORDER BY id COLLATE \"C\"";

const char catalog_receivers_sql[] =
    "SELECT b.id, b.status, b.doc::text, coalesce(e.is_off, false), coalesce(extract(epoch FROM e.changed_at) * 1000000, 0)::int8"
    " FROM (SELECT id, status, doc FROM buyer UNION ALL"
    "  SELECT id, 'ACTIVE', jsonb_build_object('delivery', doc - 'limits', 'limits', coalesce(doc->'limits', '{}')) FROM event_endpoint WHERE is_live) b"
    " LEFT JOIN buyer_endpoint e ON e.buyer_id = b.id ORDER BY b.id COLLATE \"C\"";

void catalog_read_events(struct catalog *catalog, const struct db_rows *rows)
{
    catalog->event_endpoints = arena_alloc(catalog->arena, (size_t)db_count(rows) * sizeof *catalog->event_endpoints);
    for (int row = 0; row < db_count(rows); row++)
        catalog->event_endpoints[catalog->event_endpoint_count++] = (struct event_endpoint){
            .id = arena_copy(catalog->arena, db_text(rows, row, 0)),
            .types = db_is_null(rows, row, 1) ? (1u << EVENT_COUNT) - 1 : event_set(db_text(rows, row, 1)),
        };
}
