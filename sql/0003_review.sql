-- What people say of an event, and what kind of thing it shows.

ALTER TABLE events
  ADD COLUMN IF NOT EXISTS ai_category VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN IF NOT EXISTS reviewed BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN IF NOT EXISTS note VARCHAR(2000) NOT NULL DEFAULT '';
