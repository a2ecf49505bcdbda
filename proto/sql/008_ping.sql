-- Ping-post (DESIGN.md, 3): pings themselves leave nothing here.

-- Keys that seal ping ids. The routers' upkeep adds one a day and takes the third last away.
CREATE TABLE ping_key (
    id smallint PRIMARY KEY CHECK (id BETWEEN 1 AND 255),
    key bytea NOT NULL CHECK (length(key) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO ping_key (id, key)
SELECT 1, sha256(string_agg(uuid_send(gen_random_uuid()), ''::bytea)) FROM generate_series(1, 4);

-- A ping that was sold; kept until its id has expired, and an hour longer.
CREATE TABLE ping_used (
    ping_id uuid PRIMARY KEY,
    lead_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX ping_used_expiry ON ping_used USING brin (expires_at) WITH (pages_per_range = 32);

GRANT SELECT, INSERT, UPDATE, DELETE ON ping_key, ping_used TO "leadline-router";
