-- What people say of a camera, when it was there, and what its agent says of itself.

ALTER TABLE cameras
  ADD COLUMN IF NOT EXISTS label VARCHAR(100) NULL,
  ADD COLUMN IF NOT EXISTS place VARCHAR(200) NULL,
  ADD COLUMN IF NOT EXISTS hidden BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN IF NOT EXISTS removal VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN IF NOT EXISTS removal_events INT UNSIGNED NOT NULL DEFAULT 0;

-- Stretches in which an agent was heard of: the newest one grows, a silence ends it.
CREATE TABLE IF NOT EXISTS presence (
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  started_at DATETIME(6) NOT NULL,
  last_at DATETIME(6) NOT NULL,
  PRIMARY KEY (camera_id, started_at),
  KEY ix_presence_last_at (last_at),
  CONSTRAINT fk_presence_camera_id FOREIGN KEY (camera_id) REFERENCES cameras (camera_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- Stretches in which a daemon ran: outside of them nobody knows of any camera.
CREATE TABLE IF NOT EXISTS daemon_runs (
  instance VARCHAR(80) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  started_at DATETIME(6) NOT NULL,
  last_at DATETIME(6) NOT NULL,
  PRIMARY KEY (instance, started_at),
  KEY ix_daemon_runs_last_at (last_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- What an agent answered when it was last asked.
CREATE TABLE IF NOT EXISTS agent_status (
  camera_id VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  asked_at DATETIME(6) NOT NULL,
  answered_at DATETIME(6) NULL,
  error VARCHAR(200) NULL,
  version VARCHAR(50) NULL,
  running_since DATETIME(6) NULL,
  motion_state VARCHAR(40) NULL,
  streaming BOOLEAN NULL,
  clock_offset_seconds DOUBLE NULL,
  PRIMARY KEY (camera_id),
  CONSTRAINT fk_agent_status_camera_id FOREIGN KEY (camera_id) REFERENCES cameras (camera_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
