-- The shared record of leads and caps (DESIGN.md, 4). Applied by `leadctl migrate`, once, in one transaction.

CREATE TYPE lead_status AS ENUM ('ACCEPTED', 'UNMATCHED', 'REJECTED', 'DUPLICATE', 'DISTRIBUTING', 'RETURNED', 'ERASED');
CREATE TYPE sale_state AS ENUM ('SOLD', 'REJECTED', 'RETURNED');
CREATE TYPE delivery_state AS ENUM ('OPEN', 'DELIVERED', 'REJECTED', 'DUPLICATE', 'FAILED', 'CANCELLED');
CREATE TYPE counter_kind AS ENUM ('contract', 'buyer', 'campaign', 'source', 'supplier');

-- The configuration -----------------------------------------------------------------------------------------------

-- One row: what holds for the whole installation. doc is the document's top level without its lists.
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    catalog_version bigint NOT NULL DEFAULT 0,
    time_zone text NOT NULL DEFAULT 'UTC',
    is_development boolean NOT NULL DEFAULT false, -- set by `leadctl dev`: private endpoints are allowed unless the document says no
    doc jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO installation DEFAULT VALUES;

-- Keys the digests of duplicate rules, idempotency keys and look-ups; apart, because not every daemon may read it.
CREATE TABLE installation_secret (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    secret bytea NOT NULL
);
INSERT INTO installation_secret (secret)
SELECT sha256(string_agg(uuid_send(gen_random_uuid()), ''::bytea)) FROM generate_series(1, 4);

-- What is counted, joined or locked is a column; doc is the whole entry as the document has it
-- (without the campaign's lists of sources and contracts, the keys and the secrets).
CREATE TABLE supplier (
    id text PRIMARY KEY,
    status text NOT NULL,
    keys_listed boolean NOT NULL, -- the document lists this supplier's api_keys
    doc jsonb NOT NULL
);
CREATE TABLE api_key (
    sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32),
    supplier_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE buyer (
    id text PRIMARY KEY,
    status text NOT NULL,
    time_zone text, -- its own, for its windows; null: the installation's
    doc jsonb NOT NULL
);
CREATE TABLE buyer_secret (
    buyer_id text NOT NULL,
    place integer NOT NULL,
    secret text NOT NULL,
    PRIMARY KEY (buyer_id, place)
);
CREATE TABLE campaign (
    id text PRIMARY KEY,
    status text NOT NULL,
    doc jsonb NOT NULL
);
CREATE TABLE campaign_supplier (
    campaign_id text NOT NULL,
    supplier_id text NOT NULL,
    status text NOT NULL,
    doc jsonb NOT NULL,
    PRIMARY KEY (campaign_id, supplier_id)
);
CREATE TABLE contract (
    campaign_id text NOT NULL,
    id text NOT NULL,
    buyer_id text NOT NULL,
    status text NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    doc jsonb NOT NULL,
    PRIMARY KEY (campaign_id, id)
);

-- One row for each owner that has a cap (later: credit, turns). By natural key, so that removing and adding again resets nothing.
-- is_live: the present configuration counts here; a row that comes alive is filled from sale.
CREATE TABLE counter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind counter_kind NOT NULL,
    campaign_id text NOT NULL DEFAULT '', -- of a contract, a campaign and a source
    owner_id text NOT NULL,               -- contract, buyer, campaign, supplier (of a source, too)
    is_live boolean NOT NULL,
    time_zone text NOT NULL,              -- of its windows
    hour_start timestamptz NOT NULL DEFAULT '-infinity', hour_leads bigint NOT NULL DEFAULT 0, hour_cents bigint NOT NULL DEFAULT 0,
    day_start timestamptz NOT NULL DEFAULT '-infinity', day_leads bigint NOT NULL DEFAULT 0, day_cents bigint NOT NULL DEFAULT 0,
    week_start timestamptz NOT NULL DEFAULT '-infinity', week_leads bigint NOT NULL DEFAULT 0, week_cents bigint NOT NULL DEFAULT 0,
    month_start timestamptz NOT NULL DEFAULT '-infinity', month_leads bigint NOT NULL DEFAULT 0, month_cents bigint NOT NULL DEFAULT 0,
    total_leads bigint NOT NULL DEFAULT 0, total_cents bigint NOT NULL DEFAULT 0,
    UNIQUE (kind, campaign_id, owner_id)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- The record ------------------------------------------------------------------------------------------------------

-- Partitioned by the lead's id, which is ordered in time: a month each, made by make_partitions().
CREATE TABLE lead (
    id uuid NOT NULL PRIMARY KEY,
    campaign_id text,          -- null when the lead named none
    supplier_id text NOT NULL,
    status lead_status NOT NULL,
    is_test boolean NOT NULL,
    received_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL, -- the one time of its batch, by the database's clock
    reasons jsonb NOT NULL,    -- [{"code","field","message"}]
    price_cents bigint,        -- sum over its sales
    cost_cents bigint,         -- what the supplier gets
    phone_key uuid,            -- digests for look-ups, see proto/key.h
    email_key uuid,
    answer_status smallint NOT NULL,
    answer_body text NOT NULL,
    raw jsonb NOT NULL,        -- as sent
    fields jsonb NOT NULL      -- normalised
) PARTITION BY RANGE (id);
CREATE INDEX lead_phone ON lead (phone_key) WHERE phone_key IS NOT NULL;
CREATE INDEX lead_email ON lead (email_key) WHERE email_key IS NOT NULL;

CREATE TABLE sale (
    lead_id uuid NOT NULL,
    n smallint NOT NULL,       -- order of sale, from 1
    campaign_id text NOT NULL,
    supplier_id text NOT NULL,
    buyer_id text NOT NULL,
    contract_id text NOT NULL,
    price_cents bigint NOT NULL,
    cost_cents bigint NOT NULL, -- on the first sale of a lead the supplier's whole cost, else 0
    state sale_state NOT NULL,
    is_test boolean NOT NULL,
    sold_at timestamptz NOT NULL,
    PRIMARY KEY (lead_id, n)
) PARTITION BY RANGE (lead_id);

-- due_at of an OPEN one: when its next attempt may be taken up. Taking it up moves due_at to the end of the lease.
CREATE TABLE delivery (
    lead_id uuid NOT NULL,
    id uuid NOT NULL,          -- the webhook-id
    n smallint NOT NULL,       -- of the sale
    buyer_id text NOT NULL,
    state delivery_state NOT NULL,
    attempt smallint NOT NULL, -- attempts begun and recorded so far
    due_at timestamptz NOT NULL,
    lease_by text,             -- the dispatcher that has it in hand
    last_http_status smallint,
    PRIMARY KEY (lead_id, id)
) PARTITION BY RANGE (lead_id);
CREATE INDEX delivery_due ON delivery (buyer_id, due_at) WHERE state = 'OPEN';

CREATE TABLE attempt (
    lead_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt smallint NOT NULL, -- from 1
    at timestamptz NOT NULL,
    took_ms integer NOT NULL,
    http_status smallint,      -- null: no answer
    verdict text NOT NULL,     -- a word of proto/verdict.def
    answer text,               -- what the buyer said, cut; or why there is no answer
    PRIMARY KEY (lead_id, delivery_id, attempt)
) PARTITION BY RANGE (lead_id);

-- One row a step; decisions is [{"contract_id","decision","reason","detail"}].
CREATE TABLE trail (
    lead_id uuid NOT NULL,
    step text NOT NULL,
    at timestamptz NOT NULL,
    decisions jsonb NOT NULL,
    PRIMARY KEY (lead_id, step, at)
) PARTITION BY RANGE (lead_id);

-- What must be unique across time is in plain tables, cleaned in small batches.
CREATE TABLE duplicate_key (
    key uuid PRIMARY KEY,
    lead_id uuid NOT NULL,
    supplier_id text NOT NULL,
    at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX duplicate_key_expiry ON duplicate_key USING brin (expires_at) WITH (pages_per_range = 32);

-- Duplicate rules, new or with a longer window, whose keys of the leads already stored `leadctl apply` still has to make.
CREATE TABLE duplicate_rule_todo (
    campaign_id text NOT NULL,
    fields text[] NOT NULL,    -- sorted
    PRIMARY KEY (campaign_id, fields)
);

CREATE TABLE idempotency_key (
    key uuid PRIMARY KEY,
    body_sha256 bytea NOT NULL,
    lead_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX idempotency_key_expiry ON idempotency_key USING brin (expires_at) WITH (pages_per_range = 32);

-- The processes ---------------------------------------------------------------------------------------------------

CREATE TABLE stage_instance (
    stage text NOT NULL,
    name text NOT NULL,
    endpoint text NOT NULL,    -- where its neighbours write to
    admin text NOT NULL,       -- http://127.0.0.1:N or unix:/path, with /metrics, /healthz, /readyz
    public_key text,           -- CURVE, for tcp:// endpoints
    version text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at timestamptz NOT NULL DEFAULT now(),
    is_stopping boolean NOT NULL DEFAULT false, -- takes no more, finishes what it has
    per_second double precision NOT NULL DEFAULT 0,
    queue_depth bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (stage, name)
) WITH (fillfactor = 50);

-- Functions -------------------------------------------------------------------------------------------------------

-- Ends a statement that touched fewer or more rows than it must: the whole transaction is decided again.
CREATE FUNCTION expect_rows(got bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF got <> wanted THEN
        RAISE EXCEPTION 'expected % rows, got %', wanted, got USING ERRCODE = 'LL001';
    END IF;
END $$;

-- The smallest version 7 id of that moment.
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- When the window ('hour', 'day', 'week', 'month', 'total') that holds this moment began, by the clocks of that zone. An hour that
-- comes twice is two windows, and a day begins at the first of two midnights; date_trunc() alone takes the second of both.
CREATE FUNCTION window_start(size text, at timestamptz, zone text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN size = 'total' THEN '-infinity'
        WHEN size = 'hour' THEN at - (at AT TIME ZONE zone - date_trunc('hour', at AT TIME ZONE zone))
        WHEN (date_trunc(size, at, zone) - interval '1 hour') AT TIME ZONE zone = date_trunc(size, at, zone) AT TIME ZONE zone
            THEN date_trunc(size, at, zone) - interval '1 hour'
        ELSE date_trunc(size, at, zone)
    END
$$;

-- Sees to it that the partitions of last month (leads are refused when older than an hour), this one and the next three are there.
CREATE FUNCTION make_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamptz;
    parent text;
    child text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leadline.partitions'));
    FOR i IN -1..3 LOOP
        month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i)) AT TIME ZONE 'UTC';
        FOREACH parent IN ARRAY ARRAY['lead', 'sale', 'delivery', 'attempt', 'trail'] LOOP
            child := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                -- Attached, not made as a partition: that would lock out whoever reads or writes the parent.
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, uuid_floor(month),
                               uuid_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
                IF parent = 'delivery' THEN
                    EXECUTE format('ALTER TABLE %I SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)', child);
                END IF;
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION make_partitions() FROM PUBLIC;
SELECT make_partitions();

-- Who may do what: a role for each daemon, with its part and no more -----------------------------------------------

DO $$
DECLARE
    daemon text;
BEGIN
    FOREACH daemon IN ARRAY ARRAY['leadline-gateway', 'leadline-validator', 'leadline-router', 'leadline-dispatcher'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = daemon) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', daemon);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), daemon);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON stage_instance TO %I', daemon);
        EXECUTE format('GRANT SELECT ON installation, campaign, campaign_supplier, supplier TO %I', daemon);
    END LOOP;
END $$;
GRANT SELECT ON api_key, lead, installation_secret TO "leadline-gateway";
GRANT SELECT ON buyer, contract, counter, installation_secret TO "leadline-router";
GRANT SELECT, INSERT ON lead, sale, delivery, trail TO "leadline-router";
GRANT SELECT, INSERT, UPDATE, DELETE ON duplicate_key, idempotency_key TO "leadline-router";
GRANT UPDATE ON counter TO "leadline-router";
GRANT EXECUTE ON FUNCTION make_partitions() TO "leadline-router";
GRANT SELECT ON buyer, buyer_secret, lead, sale TO "leadline-dispatcher";
GRANT SELECT, UPDATE ON delivery TO "leadline-dispatcher";
GRANT SELECT, INSERT ON attempt TO "leadline-dispatcher";
