-- What a rule of a buyer's `responses` has read from its answer.

ALTER TABLE attempt
    ADD COLUMN price_cents bigint, -- that the buyer named; the sale keeps its own price
    ADD COLUMN reference text,     -- the buyer's own id of the lead
    ADD COLUMN redirect_url text;  -- where the person may be sent
