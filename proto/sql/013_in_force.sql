-- Which configuration each process goes by, so that who changes it can wait until it holds everywhere. Null: a process that does not say.
ALTER TABLE stage_instance ADD COLUMN catalog_version bigint;
