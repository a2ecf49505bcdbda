#include "leadctl/counters.h"

/* Windows of a buyer and of its contracts go by its own time zone, the others' by the installation's. */
const char COUNTERS_WANTED[] =
    "CREATE TEMPORARY TABLE wanted_counter ON COMMIT DROP AS"
    " SELECT 'contract'::counter_kind AS kind, c.campaign_id, c.id AS owner_id, coalesce(b.time_zone, i.time_zone) AS time_zone"
    "  FROM new_contract c JOIN new_buyer b ON b.id = c.buyer_id JOIN new_campaign k ON k.id = c.campaign_id CROSS JOIN new_installation i"
    "  WHERE jsonb_array_length(c.doc->'caps') > 0 OR k.doc->>'distribution' IN ('ROUND_ROBIN', 'WEIGHTED')"
    " UNION ALL"
    " SELECT 'buyer', '', b.id, coalesce(b.time_zone, i.time_zone)"
    "  FROM new_buyer b CROSS JOIN new_installation i WHERE jsonb_array_length(b.doc->'caps') > 0"
    " UNION ALL"
    " SELECT 'source', s.campaign_id, s.supplier_id, i.time_zone"
    "  FROM new_source s CROSS JOIN new_installation i WHERE jsonb_array_length(s.doc->'caps') > 0"
    " UNION ALL"
    " SELECT 'supplier', '', s.id, i.time_zone"
    "  FROM new_supplier s CROSS JOIN new_installation i WHERE jsonb_array_length(s.doc->'caps') > 0"
    " UNION ALL"
    " SELECT 'campaign', c.id, c.id, i.time_zone"
    "  FROM new_campaign c CROSS JOIN new_installation i WHERE jsonb_array_length(c.doc->'caps') > 0";

/* Those that change, in the order in which routers lock. */
static const char LOCK[] =
    "SELECT count(*) FROM (SELECT c.id FROM counter c LEFT JOIN wanted_counter w USING (kind, campaign_id, owner_id)"
    " WHERE c.is_live <> (w.kind IS NOT NULL) OR (w.kind IS NOT NULL AND c.time_zone <> w.time_zone)"
    " ORDER BY c.id FOR NO KEY UPDATE OF c) locked";

static const char REST[] =
    "UPDATE counter c SET is_live = false WHERE c.is_live AND NOT EXISTS (SELECT FROM wanted_counter w"
    " WHERE (w.kind, w.campaign_id, w.owner_id) = (c.kind, c.campaign_id, c.owner_id))";

/*
 * The sums of one kind's sales, over five windows each. What a buyer has refused or returned counts for leads
 * sold and their cost only; a place that is held for a buyer who is being asked counts like a sale.
 */
#define SUMS(kind_word, cents, condition)                                                                                       \
    " SELECT a.kind, a.campaign_id, a.owner_id,"                                                                                \
    " count(*) FILTER (WHERE s.sold_at >= a.hour_start) AS hour_leads, sum(" cents ") FILTER (WHERE s.sold_at >= a.hour_start) AS hour_cents," \
    " count(*) FILTER (WHERE s.sold_at >= a.day_start) AS day_leads, sum(" cents ") FILTER (WHERE s.sold_at >= a.day_start) AS day_cents," \
    " count(*) FILTER (WHERE s.sold_at >= a.week_start) AS week_leads, sum(" cents ") FILTER (WHERE s.sold_at >= a.week_start) AS week_cents," \
    " count(*) FILTER (WHERE s.sold_at >= a.month_start) AS month_leads, sum(" cents ") FILTER (WHERE s.sold_at >= a.month_start) AS month_cents," \
    " count(*) AS total_leads, sum(" cents ") AS total_cents"                                                                   \
    " FROM alive a JOIN sold s ON " condition                                                                                   \
    " WHERE a.kind = '" kind_word "' AND NOT s.is_test GROUP BY a.kind, a.campaign_id, a.owner_id"

/*
 * The one time is read here, behind the fence: no batch that was decided is later. A new contract begins with as much credit as
 * the campaign's others have on average: contracts that were taken out have left theirs to these, and it shall neither catch up nor wait.
 */
static const char FILL[] =
    "WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at),"
    " alive AS MATERIALIZED (SELECT w.*, window_start('hour', clock.at, w.time_zone) AS hour_start,"
    "  window_start('day', clock.at, w.time_zone) AS day_start, window_start('week', clock.at, w.time_zone) AS week_start,"
    "  window_start('month', clock.at, w.time_zone) AS month_start"
    "  FROM clock, wanted_counter w LEFT JOIN counter c USING (kind, campaign_id, owner_id)"
    "  WHERE c.id IS NULL OR NOT c.is_live OR c.time_zone <> w.time_zone),"
    " sold AS NOT MATERIALIZED (SELECT campaign_id, supplier_id, contract_id, buyer_id, price_cents, cost_cents, n, state::text, is_test, sold_at FROM sale"
    "  UNION ALL SELECT campaign_id, supplier_id, contract_id, buyer_id, price_cents, (sum(cost_cents) OVER (PARTITION BY lead_id))::int8,"
    "   row_number() OVER (PARTITION BY lead_id ORDER BY try), 'SOLD', is_test, reserved_at FROM reservation WHERE state <> 'REFUSED'),"
    " sums AS ("
    SUMS("contract", "s.price_cents", "s.campaign_id = a.campaign_id AND s.contract_id = a.owner_id AND s.state = 'SOLD'")
    " UNION ALL"
    SUMS("buyer", "s.price_cents", "s.buyer_id = a.owner_id AND s.state = 'SOLD'")
    " UNION ALL"
    SUMS("source", "s.cost_cents", "s.campaign_id = a.campaign_id AND s.supplier_id = a.owner_id AND s.n = 1")
    " UNION ALL"
    SUMS("supplier", "s.cost_cents", "s.supplier_id = a.owner_id AND s.n = 1")
    " UNION ALL"
    SUMS("campaign", "s.cost_cents", "s.campaign_id = a.owner_id AND s.n = 1")
    ")"
    " INSERT INTO counter (kind, campaign_id, owner_id, is_live, time_zone, hour_start, hour_leads, hour_cents, day_start, day_leads,"
    "  day_cents, week_start, week_leads, week_cents, month_start, month_leads, month_cents, total_leads, total_cents, turn_credit)"
    " SELECT a.kind, a.campaign_id, a.owner_id, true, a.time_zone,"
    "  a.hour_start, coalesce(s.hour_leads, 0), coalesce(s.hour_cents, 0), a.day_start, coalesce(s.day_leads, 0), coalesce(s.day_cents, 0),"
    "  a.week_start, coalesce(s.week_leads, 0), coalesce(s.week_cents, 0), a.month_start, coalesce(s.month_leads, 0),"
    "  coalesce(s.month_cents, 0), coalesce(s.total_leads, 0), coalesce(s.total_cents, 0), CASE a.kind WHEN 'contract' THEN coalesce("
    "   (SELECT avg(o.turn_credit)::int8 FROM counter o WHERE o.kind = 'contract' AND o.campaign_id = a.campaign_id AND o.is_live), 0) ELSE 0 END"
    " FROM alive a LEFT JOIN sums s USING (kind, campaign_id, owner_id) ORDER BY a.kind, a.campaign_id, a.owner_id"
    " ON CONFLICT (kind, campaign_id, owner_id) DO UPDATE SET is_live = true, time_zone = excluded.time_zone,"
    "  hour_start = excluded.hour_start, hour_leads = excluded.hour_leads, hour_cents = excluded.hour_cents,"
    "  day_start = excluded.day_start, day_leads = excluded.day_leads, day_cents = excluded.day_cents,"
    "  week_start = excluded.week_start, week_leads = excluded.week_leads, week_cents = excluded.week_cents,"
    "  month_start = excluded.month_start, month_leads = excluded.month_leads, month_cents = excluded.month_cents,"
    "  total_leads = excluded.total_leads, total_cents = excluded.total_cents";

/* Nothing is known of how many rows the temporary table joins; a nested loop over all sales would hold the fence for minutes. */
static const char PLAN[] = "SET LOCAL enable_nestloop = off";

int counters_settle(struct db_wait *db, struct error *err)
{
    if (db_wait_do(db, PLAN, DB_NO_PARAMS, err) < 0)
        return -1;
    if (db_wait_do(db, LOCK, DB_NO_PARAMS, err) < 0 || db_wait_do(db, REST, DB_NO_PARAMS, err) < 0)
        return -1;
    return db_wait_do(db, FILL, DB_NO_PARAMS, err) < 0 ? -1 : 0;
}
