-- `leadctl apply` and whoever else changes the configuration return when the instances that run have read it.

ALTER TABLE stage_instance ADD COLUMN catalog_version bigint; -- that it decides by; null: a program that does not tell
