-- What an endpoint has shown of itself: runtime state of the installation, untouched by `leadctl apply` and not part of the document.

-- is_off: by the operator, or by the endpoint's own 410; its buyer is not eligible, its deliveries wait. A pause is the breaker's of the
-- dispatcher `paused_by`; it is only told here, deciding is done in that process.
CREATE TABLE buyer_endpoint (
    buyer_id text PRIMARY KEY,
    is_off boolean NOT NULL DEFAULT false,
    reason text,
    changed_at timestamptz, -- of is_off; null: it was never switched
    paused_at timestamptz,
    paused_by text
);

-- These endpoints have answered 410: switches off those that are on, as a new version of the configuration. Gives the present version.
CREATE FUNCTION endpoints_gone(ids text[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    version bigint;
BEGIN
    INSERT INTO buyer_endpoint AS e (buyer_id, is_off, reason, changed_at)
    SELECT id, true, 'it answered 410', now() FROM (SELECT DISTINCT id FROM unnest(ids) AS u (id) ORDER BY id) AS gone
    ON CONFLICT (buyer_id) DO UPDATE SET is_off = true, reason = excluded.reason, changed_at = excluded.changed_at WHERE NOT e.is_off;
    IF FOUND THEN
        UPDATE installation SET catalog_version = catalog_version + 1 RETURNING catalog_version INTO version;
        PERFORM pg_notify('leadline_catalog', version::text);
    ELSE
        SELECT catalog_version INTO version FROM installation;
    END IF;
    RETURN version;
END $$;
REVOKE EXECUTE ON FUNCTION endpoints_gone(text[]) FROM PUBLIC;

-- The moment that a version 7 id was made.
CREATE FUNCTION uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)
$$;

GRANT SELECT ON buyer_endpoint TO "leadline-router", "leadline-dispatcher";
GRANT INSERT (buyer_id, paused_at, paused_by), UPDATE (paused_at, paused_by) ON buyer_endpoint TO "leadline-dispatcher";
GRANT EXECUTE ON FUNCTION endpoints_gone(text[]) TO "leadline-dispatcher";
