-- What happened to an event after it was reported; bounded for each event by who writes it.

CREATE TABLE IF NOT EXISTS event_history (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  event_id INT UNSIGNED NOT NULL,
  at DATETIME(6) NOT NULL,
  what VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  who VARCHAR(80) NOT NULL,
  detail VARCHAR(500) NOT NULL DEFAULT '',
  -- An event's entries lie together, in the order in which they are read.
  PRIMARY KEY (event_id, id),
  KEY ix_event_history_id (id),
  CONSTRAINT fk_event_history_event_id FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
