-- Leads whose sale depends on the buyer's answer (SPEC.md, 6: `confirm`), while they are DISTRIBUTING. When a lead is ACCEPTED or
-- UNMATCHED its rows here are gone; what happened is told by sale, delivery, attempt and trail.

CREATE TABLE distributing (
    lead_id uuid PRIMARY KEY,
    router text NOT NULL,             -- who goes on with it; another one may when the time of its try is over
    deadline_at timestamptz NOT NULL, -- no buyer is asked any more
    keys uuid[] NOT NULL              -- of duplicate_key: let go when nobody buys
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- One row for each buyer asked. An OPEN and an ACCEPTED one hold a place in every cap.
CREATE TABLE reservation (
    lead_id uuid NOT NULL,
    try smallint NOT NULL,            -- from 1
    campaign_id text NOT NULL,
    supplier_id text NOT NULL,
    contract_id text NOT NULL,
    buyer_id text NOT NULL,
    price_cents bigint NOT NULL,
    cost_cents bigint NOT NULL,       -- by which this sale raises the supplier's cost
    keys uuid[] NOT NULL,             -- of duplicate_key, by the buyer's rules: let go when it refuses
    delivery_id uuid NOT NULL,
    is_test boolean NOT NULL,
    reserved_at timestamptz NOT NULL, -- the place was taken from the windows of this moment
    deadline_at timestamptz NOT NULL, -- of this buyer's answer
    state text NOT NULL CHECK (state IN ('OPEN', 'ACCEPTED', 'REFUSED')),
    PRIMARY KEY (lead_id, try)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

GRANT SELECT, INSERT, UPDATE, DELETE ON distributing, reservation TO "leadline-router";
GRANT UPDATE (status, decided_at, reasons, price_cents, cost_cents, answer_status, answer_body) ON lead TO "leadline-router";
GRANT UPDATE (state, n, lease_by) ON delivery TO "leadline-router";
GRANT SELECT ON attempt TO "leadline-router"; -- redirect_url of a buyer that accepts
