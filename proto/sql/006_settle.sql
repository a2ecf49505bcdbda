-- Sales that their buyer has refused afterwards (SPEC.md, 9: REJECTED, DUPLICATE), until a router has given place and money back. The
-- dispatcher that records the verdict writes the row in the same statement; a router takes it away in the transaction that settles it.

CREATE TABLE unsettled (
    lead_id uuid NOT NULL,
    n smallint NOT NULL,       -- of the sale
    verdict text NOT NULL,     -- a word of proto/verdict.def
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lead_id, n)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

GRANT INSERT ON unsettled TO "leadline-dispatcher";
GRANT SELECT, UPDATE, DELETE ON unsettled TO "leadline-router"; -- UPDATE: to lock
GRANT UPDATE (state) ON sale TO "leadline-router";
