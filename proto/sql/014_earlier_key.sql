-- Whose a key was before a lead took it over whose buyer is being asked (`confirm`): the key goes back when the buyer refuses.

ALTER TABLE duplicate_key ADD COLUMN earlier_lead_id uuid, ADD COLUMN earlier_supplier_id text, ADD COLUMN earlier_at timestamptz,
    ADD COLUMN earlier_expires_at timestamptz;
