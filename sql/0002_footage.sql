-- Footage that is measured, made smaller, protected and let go.

ALTER TABLE events
  ADD COLUMN IF NOT EXISTS protected BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN IF NOT EXISTS size_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS saved_bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD KEY IF NOT EXISTS ix_events_conversion (mp4_conversion_status, id);

-- Bytes are counted like rows, and outgrow an INT.
ALTER TABLE tallies MODIFY COLUMN n BIGINT NOT NULL;

-- Events that are being removed: marked here before the first file goes, gone with the event's row.
CREATE TABLE IF NOT EXISTS removals (
  event_id INT UNSIGNED NOT NULL,
  reason VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  marked_at DATETIME(6) NOT NULL,
  PRIMARY KEY (event_id),
  CONSTRAINT fk_removals_event_id FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Which storage root is ours: what its marker must say. At most one row.
CREATE TABLE IF NOT EXISTS storage_roots (
  id TINYINT UNSIGNED NOT NULL,
  identity VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Files under the storage root that belong to no event: shown to people, never removed by the daemon itself.
CREATE TABLE IF NOT EXISTS strays (
  path VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  size_bytes BIGINT UNSIGNED NOT NULL,
  modified_at DATETIME(6) NOT NULL,
  reason VARCHAR(200) NOT NULL,
  found_at DATETIME(6) NOT NULL,
  seen_at DATETIME(6) NOT NULL,
  PRIMARY KEY (path),
  KEY ix_strays_camera_id_path (camera_id, path)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
