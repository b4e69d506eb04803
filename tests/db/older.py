"""A database as the older Security-Camera-Central scripts made it, with what years leave behind in one."""

from datetime import datetime, timedelta
from typing import Final

from securitycamd.db.engine import Database, DatabaseAddress

CAMERAS: Final = """
CREATE TABLE cameras (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  camera_id VARCHAR(50) NOT NULL UNIQUE,
  name VARCHAR(100) NOT NULL,
  location VARCHAR(255) NULL,
  ip_address VARCHAR(45) NULL,
  status ENUM('online', 'offline', 'error') DEFAULT 'offline',
  last_seen DATETIME NULL,
  created_at DATETIME NULL,
  updated_at DATETIME NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci
"""
EVENTS: Final = """
CREATE TABLE events (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  camera_id VARCHAR(50) NULL,
  timestamp DATETIME(6) NULL,
  motion_score FLOAT NULL,
  confidence_score FLOAT NULL,
  status VARCHAR(20) NULL DEFAULT 'processing',
  image_a_path VARCHAR(1000) NULL,
  image_b_path VARCHAR(255) NULL,
  thumbnail_path VARCHAR(255) NULL,
  video_h264_path VARCHAR(255) NULL,
  video_mp4_path VARCHAR(255) NULL,
  video_duration FLOAT NULL,
  image_a_transferred TINYINT(1) DEFAULT 0,
  image_b_transferred TINYINT(1) DEFAULT 0,
  thumbnail_transferred TINYINT(1) NULL,
  video_transferred TINYINT(1) DEFAULT 0,
  mp4_conversion_status VARCHAR(20) NULL DEFAULT 'pending',
  mp4_converted_at DATETIME NULL,
  mp4_claimed_by VARCHAR(100) NULL,
  ai_claimed_at DATETIME NULL,
  ai_processed TINYINT(1) DEFAULT 0,
  ai_processed_at DATETIME NULL,
  ai_person_detected TINYINT(1) NULL,
  ai_confidence DECIMAL(5,2) NULL,
  ai_objects JSON NULL,
  ai_description LONGTEXT NULL,
  ai_phrase VARCHAR(500) NULL,
  ai_error TEXT NULL,
  created_at DATETIME NULL,
  KEY idx_timestamp (timestamp),
  CONSTRAINT fk_events_camera_id FOREIGN KEY (camera_id) REFERENCES cameras (camera_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci
"""
LOGS: Final = """
CREATE TABLE logs (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  source VARCHAR(150) NULL,
  timestamp TIMESTAMP(3) NULL,
  level VARCHAR(20) NULL,
  message MEDIUMTEXT NULL,
  KEY idx_logs_source (source)
) ENGINE = InnoDB DEFAULT CHARSET = latin1
"""
RECENT: Final = datetime.now().replace(microsecond=0) - timedelta(days=2)  # noqa: DTZ005 - as their columns hold it
ORDINARY: Final = 40
NEXT_ID: Final = 9000
"""What the older counter stood at: the last events were removed."""

_SAID: Final = """'["person", "dog", "dog"]', 'Somebody walks a dog.', 'Walk'"""
_ROWS: Final = (
    (
        "INSERT INTO cameras (id, camera_id, name, location, ip_address, status, last_seen, created_at) VALUES"
        " (3, 'camera_1', 'Front', 'Garden', '192.168.1.21', 'online', '2025-07-01 12:00:00', '2024-12-24 18:00:00'),"
        " (7, 'cam-2', 'Bäck yard', NULL, NULL, 'offline', NULL, NULL)"
    ),
    # An event each hour, whole in every way.
    (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, confidence_score, status, image_a_path,"
        " image_b_path, thumbnail_path, video_mp4_path, video_duration, image_a_transferred, image_b_transferred,"
        " thumbnail_transferred, video_transferred, mp4_conversion_status, mp4_converted_at, ai_processed,"
        " ai_processed_at, ai_person_detected, ai_confidence, ai_objects, ai_description, ai_phrase, created_at,"
        " mp4_claimed_by)"
        " SELECT 100 + seq, 'camera_1', '2025-07-01 10:00:00.5' + INTERVAL seq HOUR, 1250.5, 62, 'complete',"
        " CONCAT('camera_1/pictures/', 100 + seq, '_a.jpg'), CONCAT('camera_1/pictures/', 100 + seq, '_b.jpg'),"
        " CONCAT('camera_1/thumbs/', 100 + seq, '_thumb.jpg'), CONCAT('camera_1/videos/', 100 + seq, '_video.mp4'),"
        " 45.5, 1, 1, 1, 1, 'complete', '2025-07-01 10:05:00' + INTERVAL seq HOUR, 1, '2025-07-01 10:06:00',"
        " seq % 2, 0.85,"
        f" {_SAID}, '2025-07-01 10:00:02' + INTERVAL seq HOUR,"
        f" 'w1' FROM seq_1_to_{ORDINARY}"
    ),
    # The hour that the clocks repeated: 02:10 twice.
    (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, created_at) VALUES"
        " (201, 'camera_1', '2025-10-26 02:10:00', 1, '2025-10-26 02:10:01'),"
        " (202, 'camera_1', '2025-10-26 02:50:00', 1, '2025-10-26 02:50:01'),"
        " (203, 'camera_1', '2025-10-26 02:10:00', 1, '2025-10-26 02:10:01')"
    ),
    # Posted three times, in another case too, and one that has the time that the second is moved to.
    (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, created_at) VALUES"
        " (301, 'camera_1', '2025-11-01 08:00:00.000001', 1, '2025-11-01 08:00:01'),"
        " (302, 'camera_1', '2025-11-01 08:00:00', 1, '2025-11-01 08:00:01'),"
        " (303, 'camera_1', '2025-11-01 08:00:00', 1, '2025-11-01 08:00:02'),"
        " (304, 'CAMERA_1', '2025-11-01 08:00:00', 1, '2025-11-01 08:00:03')"
    ),
    # Work that is left.
    (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, image_a_path, image_b_path, video_h264_path,"
        " video_mp4_path, mp4_conversion_status, ai_processed, ai_error, created_at) VALUES"
        " (401, 'cam-2', '2025-11-02 08:00:00', 1, 'a.jpg', 'b.jpg', 'v.h264', NULL, 'pending', 0, 'busy', NULL),"
        " (402, 'cam-2', '2025-11-02 08:01:00', 1, NULL, NULL, 'v.h264', NULL, 'processing', 0, NULL, NULL),"
        " (403, 'cam-2', '2025-11-02 08:02:00', 1, NULL, NULL, 'v.h264', NULL, 'failed', 1, 'no stills', NULL),"
        " (404, 'cam-2', '2025-11-02 08:03:00', 1, NULL, NULL, NULL, NULL, 'pending', 0, NULL, NULL)"
    ),
    # What nobody would expect.
    "SET foreign_key_checks = 0",
    (
        "INSERT INTO events (id, camera_id, timestamp, motion_score, status, image_a_path, video_mp4_path,"
        " mp4_conversion_status, ai_processed, ai_confidence, ai_objects, ai_phrase, created_at) VALUES"
        " (501, 'gone', '2025-11-03 08:00:00', NULL, 'odd', '', '/mnt/security_footage/gone/videos/501.mp4', 'Done', 1,"
        """ 85, '{"car": 2}', REPEAT('é', 300), '2025-11-03 08:00:01'),"""
        " (502, NULL, NULL, -1, NULL, REPEAT('x', 600), NULL, 'complete', NULL, -3, NULL, NULL, '2025-11-03 08:00:02')"
    ),
    "SET foreign_key_checks = 1",
    f"ALTER TABLE events AUTO_INCREMENT = {NEXT_ID}",
    (
        "INSERT INTO logs (source, timestamp, level, message) VALUES"
        f" ('camera_1', '{RECENT}', 'INFO', 'motion'), (NULL, '{RECENT}', 'warn', NULL),"
        f" (REPEAT('s', 120), '{RECENT}', 'CRITICAL', REPEAT('m', 70000)),"
        " ('camera_1', '2024-01-01', 'INFO', 'too old')"
    ),
)
EVENT_IDS: Final = [
    *range(101, 101 + ORDINARY), 201, 202, 203, 301, 302, 303, 304, 401, 402, 403, 404, 501, 502,
]  # fmt: skip


async def make_older(address: DatabaseAddress) -> None:
    """Make the older tables and their rows."""
    database = Database(address, pool_size=1, wait_seconds=5, statement_seconds=30)
    await database.open()
    try:
        async with database.session() as session:
            for statement in (CAMERAS, EVENTS, LOGS, *_ROWS):
                await session.script(statement)
    finally:
        await database.close()
