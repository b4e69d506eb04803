-- With which prompt a day's report was asked for.

ALTER TABLE digests ADD COLUMN IF NOT EXISTS prompt_version VARCHAR(16) NULL AFTER model;
