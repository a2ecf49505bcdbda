-- Replays of deliveries, how a delivery is found by its id alone, and secrets of buyers that go by themselves.

-- The schedule of attempts counts from here; their numbers go on.
ALTER TABLE delivery ADD COLUMN attempts_before smallint NOT NULL DEFAULT 0; -- those recorded before its latest replay

-- The lead of a delivery; null when there is no such delivery. A delivery's id is made at the sale, and a lead's time is at most an
-- hour from that: mostly some milliseconds, so the last seconds are looked at first. Only index entries of that time are read.
CREATE FUNCTION lead_of_delivery(delivery_id uuid) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE SET enable_seqscan = off AS $$
DECLARE
    made timestamptz := uuid_time(delivery_id);
    found uuid;
BEGIN
    SELECT d.lead_id INTO found FROM delivery d WHERE d.lead_id >= uuid_floor(greatest(made - interval '10 seconds', 'epoch'))
        AND d.lead_id < uuid_floor(made + interval '1 second') AND d.id = delivery_id LIMIT 1;
    IF found IS NULL THEN
        SELECT d.lead_id INTO found FROM delivery d WHERE d.lead_id >= uuid_floor(greatest(made - interval '65 minutes', 'epoch'))
            AND d.lead_id < uuid_floor(made + interval '65 minutes') AND d.id = delivery_id LIMIT 1;
    END IF;
    RETURN found;
END $$;

-- expires_at: until then it signs beside the others; null: until somebody takes it away.
ALTER TABLE buyer_secret ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE buyer_secret ADD COLUMN expires_at timestamptz;

-- Secrets that `leadctl secret rotate` made or retired, by their SHA-256. While the document lists none but these for a buyer,
-- `apply` leaves the buyer's secrets alone: an old document neither undoes a rotation nor brings a retired secret back.
CREATE TABLE rotated_secret (
    buyer_id text NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (buyer_id, sha256)
);

-- Secrets whose time is over sign nothing any more; this takes them out of the database.
CREATE FUNCTION drop_expired_secrets() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH dropped AS (DELETE FROM buyer_secret WHERE expires_at <= now() RETURNING 1) SELECT count(*) FROM dropped
$$;
REVOKE EXECUTE ON FUNCTION drop_expired_secrets() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_expired_secrets() TO "leadline-dispatcher";
