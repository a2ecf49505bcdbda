-- Events for the operator's own endpoints (SPEC.md, 9): deliveries among those of leads, to endpoints that are treated like buyers.

-- id: '@' and the beginning of the url's SHA-256, so no buyer's id. One that is taken out of the document stays here, not live: who has
-- written to it is known, and what was on its way can be cancelled. Its secrets are in buyer_secret, which only a dispatcher may read.
CREATE TABLE event_endpoint (
    id text PRIMARY KEY CHECK (id LIKE '@%'),
    is_live boolean NOT NULL, -- the present document has it
    types text[],             -- null: all
    doc jsonb NOT NULL        -- the entry without its secrets
);

-- event: the whole body, made once by whoever writes the row. An event belongs to no sale: its n is -1.
ALTER TABLE delivery ADD COLUMN event text;
ALTER TABLE delivery ADD CONSTRAINT delivery_event CHECK ((event IS NULL) = (n >= 0));

-- Who wants to know of this type. Until the transaction ends, nobody of them is taken out of the document: `leadctl apply` cancels
-- what it finds, and afterwards nothing more may come.
CREATE FUNCTION event_listeners(type text) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT e.id FROM event_endpoint e WHERE e.is_live AND (e.types IS NULL OR event_listeners.type = ANY (e.types)) FOR SHARE
$$;
REVOKE EXECUTE ON FUNCTION event_listeners(text) FROM PUBLIC;

GRANT SELECT (id, is_live, types) ON event_endpoint TO "leadline-router";
GRANT SELECT ON event_endpoint TO "leadline-dispatcher";
GRANT EXECUTE ON FUNCTION event_listeners(text) TO "leadline-dispatcher";
GRANT INSERT (lead_id, id, n, buyer_id, state, attempt, due_at, event) ON delivery TO "leadline-dispatcher"; -- delivery.failed
