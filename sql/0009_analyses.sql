-- How an event's description came about: models, prompts, times; and what is kept of one that is half done.

CREATE TABLE IF NOT EXISTS analyses (
  event_id INT UNSIGNED NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  vision_model VARCHAR(200) NULL,
  vision_seconds DOUBLE NULL,
  text_model VARCHAR(200) NULL,
  text_seconds DOUBLE NULL,
  prompt_version VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
  read_by VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  still_notes VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  description TEXT NULL,
  runs INT UNSIGNED NOT NULL DEFAULT 0,
  faults SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  faulted_at DATETIME(6) NULL,
  finished_at DATETIME(6) NULL,
  PRIMARY KEY (event_id),
  KEY ix_analyses_finished_at (finished_at),
  CONSTRAINT fk_analyses_event_id FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
