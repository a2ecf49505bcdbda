-- Rules compare with leads that were accepted on the campaign, with all of the campaign's, or with those sold to a buyer: of the last kind
-- the owner is the buyer.

ALTER TABLE duplicate_rule_todo RENAME COLUMN campaign_id TO owner_id;
ALTER TABLE duplicate_rule_todo ADD COLUMN against text NOT NULL DEFAULT 'accepted' CHECK (against IN ('accepted', 'all', 'sold'));
ALTER TABLE duplicate_rule_todo ALTER COLUMN against DROP DEFAULT;
ALTER TABLE duplicate_rule_todo DROP CONSTRAINT duplicate_rule_todo_pkey, ADD PRIMARY KEY (against, owner_id, fields);
