-- All times are UTC. Identifiers that agents choose are compared byte by byte.
-- Every statement may run again: a crash between two of them leaves the file unrecorded.

CREATE TABLE IF NOT EXISTS cameras (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(100) NOT NULL,
  location VARCHAR(200) NOT NULL,
  ip_address VARCHAR(45) NOT NULL,
  last_seen DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uq_cameras_camera_id (camera_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE IF NOT EXISTS events (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  timestamp DATETIME(6) NOT NULL,
  motion_score DOUBLE NOT NULL,
  confidence_score DOUBLE NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  image_a_path VARCHAR(500) NULL,
  image_b_path VARCHAR(500) NULL,
  thumbnail_path VARCHAR(500) NULL,
  video_h264_path VARCHAR(500) NULL,
  video_mp4_path VARCHAR(500) NULL,
  video_duration DOUBLE NULL,
  image_a_transferred BOOLEAN NOT NULL DEFAULT FALSE,
  image_b_transferred BOOLEAN NOT NULL DEFAULT FALSE,
  thumbnail_transferred BOOLEAN NOT NULL DEFAULT FALSE,
  video_transferred BOOLEAN NOT NULL DEFAULT FALSE,
  mp4_conversion_status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  mp4_converted_at DATETIME(6) NULL,
  ai_processed BOOLEAN NOT NULL DEFAULT FALSE,
  ai_processed_at DATETIME(6) NULL,
  ai_person_detected BOOLEAN NULL,
  ai_confidence DOUBLE NULL,
  ai_objects TEXT NULL,
  ai_description TEXT NULL,
  ai_phrase VARCHAR(200) NULL,
  ai_error VARCHAR(500) NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  -- A re-posted event is the same event; also serves one camera's newest first.
  UNIQUE KEY uq_events_camera_id_timestamp (camera_id, timestamp),
  KEY ix_events_timestamp (timestamp),
  CONSTRAINT fk_events_camera_id FOREIGN KEY (camera_id) REFERENCES cameras (camera_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- The one queue of background work. "queued" newest event first; "running" under a lease.
CREATE TABLE IF NOT EXISTS jobs (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  event_id INT UNSIGNED NOT NULL,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  priority SMALLINT NOT NULL DEFAULT 0,
  attempts SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  run_after DATETIME(6) NOT NULL,
  lease_owner VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NULL,
  lease_until DATETIME(6) NULL,
  last_error VARCHAR(500) NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uq_jobs_event_id_kind (event_id, kind),
  KEY ix_jobs_claim (kind, state, priority, event_id, run_after),
  KEY ix_jobs_lease (state, lease_until),
  CONSTRAINT fk_jobs_event_id FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Counts are kept, not computed: rows of a series in a month, day, hour or minute of UTC.
CREATE TABLE IF NOT EXISTS tallies (
  series VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  span VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  start DATETIME NOT NULL,
  n INT NOT NULL,
  PRIMARY KEY (series, span, start)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Clustered by time, as it is read; one partition a day, as it is dropped. The daemon makes the days' partitions.
CREATE TABLE IF NOT EXISTS logs (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  source VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  timestamp DATETIME(6) NOT NULL,
  level VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (timestamp, id),
  KEY ix_logs_id (id),
  -- The id, which InnoDB appends anyway, is named: only then does MariaDB see that no sort is needed.
  KEY ix_logs_source_timestamp (source, timestamp, id),
  KEY ix_logs_level_timestamp (level, timestamp, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci
PARTITION BY RANGE COLUMNS (timestamp) (
  PARTITION p_past VALUES LESS THAN ('2026-01-01'),
  PARTITION p_future VALUES LESS THAN (MAXVALUE)
);
