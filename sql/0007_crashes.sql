-- How often in a row the daemon ended while a job ran: one that always takes it down is not begun for ever.

ALTER TABLE jobs ADD COLUMN IF NOT EXISTS crashes SMALLINT UNSIGNED NOT NULL DEFAULT 0 AFTER attempts;
