-- Stretches in which a camera streamed live pictures, and so did not look for motion.

CREATE TABLE IF NOT EXISTS live_sessions (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  instance VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  started_at DATETIME(6) NOT NULL,
  seen_at DATETIME(6) NOT NULL,
  ended_at DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY ix_live_sessions_camera_id_started_at (camera_id, started_at),
  KEY ix_live_sessions_ended_at (ended_at),
  CONSTRAINT fk_live_sessions_camera_id FOREIGN KEY (camera_id) REFERENCES cameras (camera_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
