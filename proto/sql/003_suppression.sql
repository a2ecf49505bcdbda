-- Suppression lists (SPEC.md, 5).

-- By natural key: a list that is taken out of the document keeps its number and its entries, and comes back with them.
CREATE TABLE suppression_list (
    id text PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY UNIQUE, -- in suppression_entry, which has a row for each of millions
    is_live boolean NOT NULL,                           -- the present document has it
    kinds integer NOT NULL DEFAULT 0,                   -- of its entries: bits of enum suppression_kind; set with the first entry of a kind
    doc jsonb NOT NULL
);

-- value is an MD5, or the first 16 bytes of a SHA-256 (proto/suppression.h): a look-up asks for both. By value first, so that
-- it costs one search however many lists there are.
CREATE TABLE suppression_entry (
    value uuid NOT NULL,
    list integer NOT NULL,
    PRIMARY KEY (value, list)
);

-- How far the import of a file has come, in the transaction of its latest entries; gone when it is through.
CREATE TABLE suppression_import (
    list integer NOT NULL,
    file text NOT NULL,            -- size and digest: the file's identity
    offset_bytes bigint NOT NULL,  -- so much of it is read
    line bigint NOT NULL,          -- and so many lines
    rejected_bytes bigint NOT NULL, -- of the file of bad lines
    counts bigint[] NOT NULL,      -- lines, values, added, bad so far
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list, file)
);

-- Which lists concern a campaign: its own ('' as contract), and for each contract its own and its buyer's. With the owner's
-- rights, so that a validator learns the lists and nothing else of contracts and buyers.
CREATE VIEW suppression_use AS
SELECT u.campaign_id, u.contract_id, l.id AS list_id, l.number
FROM (SELECT c.id AS campaign_id, '' AS contract_id, e.id AS list_id
        FROM campaign c, jsonb_array_elements_text(c.doc->'suppression_lists') AS e(id)
      UNION
      SELECT k.campaign_id, k.id, e.id FROM contract k, jsonb_array_elements_text(k.doc->'suppression_lists') AS e(id)
      UNION
      SELECT k.campaign_id, k.id, e.id FROM contract k JOIN buyer b ON b.id = k.buyer_id,
             jsonb_array_elements_text(b.doc->'suppression_lists') AS e(id)) u
JOIN suppression_list l ON l.id = u.list_id;

GRANT SELECT ON suppression_use TO "leadline-validator", "leadline-router";
GRANT SELECT ON suppression_entry TO "leadline-validator";
GRANT SELECT (is_live, kinds) ON suppression_list TO "leadline-validator";
