-- Whose turn it is: what leads owe a contract of a ROUND_ROBIN or WEIGHTED campaign, in units of router/turn.h.

ALTER TABLE counter ADD COLUMN turn_credit bigint NOT NULL DEFAULT 0;
