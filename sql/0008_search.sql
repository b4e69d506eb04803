-- What events say, to be searched; and the reports of the days.

-- The words of an event's texts, each with its month: see securitycamd/domain/words.py.
CREATE TABLE IF NOT EXISTS event_texts (
  event_id INT UNSIGNED NOT NULL,
  words TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (event_id),
  FULLTEXT KEY ft_event_texts_words (words)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Events whose texts are older than this table: the daemon takes them in, a few at a time.
CREATE TABLE IF NOT EXISTS unread_texts (
  event_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (event_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

INSERT IGNORE INTO unread_texts (event_id)
  SELECT id FROM events WHERE ai_description IS NOT NULL OR ai_phrase IS NOT NULL OR note <> '';

-- One report a day of the site.
CREATE TABLE IF NOT EXISTS digests (
  day DATE NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  events INT UNSIGNED NOT NULL,
  facts TEXT NOT NULL,
  text TEXT NOT NULL,
  model VARCHAR(200) NULL,
  error VARCHAR(500) NULL,
  attempts SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Events of all cameras by category, from those of each.
INSERT INTO tallies (series, span, start, n)
  SELECT CONCAT('kind||', SUBSTRING_INDEX(series, '|', -1)) AS everywhere, span, start, SUM(n) FROM tallies
    WHERE series LIKE 'kind|%' AND series NOT LIKE 'kind||%' GROUP BY everywhere, span, start
  ON DUPLICATE KEY UPDATE n = VALUES(n);
