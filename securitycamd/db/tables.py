"""The tables, as statements see them. ``sql/`` builds them; a test holds both equal. Times are UTC without a zone."""

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.mysql import BIGINT, BOOLEAN, DATETIME, DOUBLE, INTEGER, SMALLINT, TINYINT

metadata = MetaData()

_ZERO = text("0")
_ID = INTEGER(unsigned=True)
_TIME = DATETIME(fsp=6)
_WORD = String(16, collation="ascii_bin")
_CAMERA_ID = String(50, collation="ascii_bin")
_FACETS = ("ai_category", "ai_person_detected", "status", "reviewed", "protected", "ai_confidence")
"""What filters ask of an event, in the indexes themselves."""

cameras = Table(
    "cameras",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("camera_id", _CAMERA_ID, nullable=False),
    Column("name", String(100), nullable=False),
    Column("location", String(200), nullable=False),
    Column("ip_address", String(45), nullable=False),
    Column("last_seen", _TIME, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    Column("label", String(100)),
    Column("place", String(200)),
    Column("hidden", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("removal", _WORD),
    Column("removal_events", _ID, nullable=False, server_default=_ZERO),
    UniqueConstraint("camera_id", name="uq_cameras_camera_id"),
)

presence = Table(
    "presence",
    metadata,
    Column(
        "camera_id",
        _CAMERA_ID,
        ForeignKey("cameras.camera_id", name="fk_presence_camera_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("started_at", _TIME, primary_key=True),
    Column("last_at", _TIME, nullable=False),
    Index("ix_presence_last_at", "last_at"),
)

daemon_runs = Table(
    "daemon_runs",
    metadata,
    Column("instance", String(80, collation="ascii_bin"), primary_key=True),
    Column("started_at", _TIME, primary_key=True),
    Column("last_at", _TIME, nullable=False),
    Index("ix_daemon_runs_last_at", "last_at"),
)

agent_status = Table(
    "agent_status",
    metadata,
    Column(
        "camera_id",
        _CAMERA_ID,
        ForeignKey("cameras.camera_id", name="fk_agent_status_camera_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("asked_at", _TIME, nullable=False),
    Column("answered_at", _TIME),
    Column("error", String(200)),
    Column("version", String(50)),
    Column("running_since", _TIME),
    Column("motion_state", String(40)),
    Column("streaming", BOOLEAN),
    Column("clock_offset_seconds", DOUBLE),
)

events = Table(
    "events",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("camera_id", _CAMERA_ID, ForeignKey("cameras.camera_id", name="fk_events_camera_id"), nullable=False),
    Column("timestamp", _TIME, nullable=False),
    Column("motion_score", DOUBLE, nullable=False),
    Column("confidence_score", DOUBLE),
    Column("status", _WORD, nullable=False),
    Column("image_a_path", String(500)),
    Column("image_b_path", String(500)),
    Column("thumbnail_path", String(500)),
    Column("video_h264_path", String(500)),
    Column("video_mp4_path", String(500)),
    Column("video_duration", DOUBLE),
    Column("image_a_transferred", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("image_b_transferred", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("thumbnail_transferred", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("video_transferred", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("mp4_conversion_status", _WORD, nullable=False),
    Column("mp4_converted_at", _TIME),
    Column("ai_processed", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("ai_processed_at", _TIME),
    Column("ai_person_detected", BOOLEAN),
    Column("ai_confidence", DOUBLE),
    Column("ai_objects", Text),
    Column("ai_description", Text),
    Column("ai_phrase", String(200)),
    Column("ai_error", String(500)),
    Column("created_at", _TIME, nullable=False),
    Column("protected", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("size_bytes", BIGINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("saved_bytes", BIGINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("ai_category", _WORD),
    Column("reviewed", BOOLEAN, nullable=False, server_default=_ZERO),
    Column("note", String(2000), nullable=False, server_default=text("''")),
    UniqueConstraint("camera_id", "timestamp", name="uq_events_camera_id_timestamp"),
    Index("ix_events_conversion", "mp4_conversion_status", "id"),
    Index("ix_events_time", "timestamp", "id", "camera_id", *_FACETS),
    Index("ix_events_kind", "camera_id", "ai_category", "timestamp", "id", *_FACETS[1:]),
    Index("ix_events_protected", "protected", "timestamp", "id"),
    Index("ix_events_reviewed", "reviewed", "timestamp", "id"),
    Index("ix_events_status", "status", "timestamp", "id"),
    Index("ix_events_person", "ai_person_detected", "timestamp", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("event_id", _ID, ForeignKey("events.id", name="fk_jobs_event_id", ondelete="CASCADE"), nullable=False),
    Column("kind", _WORD, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default=_ZERO),
    Column("attempts", SMALLINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("crashes", SMALLINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("run_after", _TIME, nullable=False),
    Column("lease_owner", String(80, collation="ascii_bin")),
    Column("lease_until", _TIME),
    Column("last_error", String(500)),
    Column("created_at", _TIME, nullable=False),
    Column("updated_at", _TIME, nullable=False),
    UniqueConstraint("event_id", "kind", name="uq_jobs_event_id_kind"),
    Index("ix_jobs_claim", "kind", "state", "priority", "event_id", "run_after"),
    Index("ix_jobs_lease", "state", "lease_until"),
)

tallies = Table(
    "tallies",
    metadata,
    Column("series", String(160, collation="utf8mb4_bin"), primary_key=True),
    Column("span", String(6, collation="ascii_bin"), primary_key=True),
    Column("start", DATETIME, primary_key=True),
    Column("n", BIGINT, nullable=False),
)

event_texts = Table(
    "event_texts",
    metadata,
    Column("event_id", _ID, primary_key=True, autoincrement=False),
    Column("words", Text(collation="ascii_bin"), nullable=False),
    Index("ft_event_texts_words", "words", mysql_prefix="FULLTEXT"),
)

unread_texts = Table(
    "unread_texts",
    metadata,
    Column("event_id", _ID, primary_key=True, autoincrement=False),
)

digests = Table(
    "digests",
    metadata,
    Column("day", Date, primary_key=True),
    Column("state", _WORD, nullable=False),
    Column("events", _ID, nullable=False),
    Column("facts", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("model", String(200)),
    Column("prompt_version", String(16)),
    Column("error", String(500)),
    Column("attempts", SMALLINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("updated_at", _TIME, nullable=False),
)

logs = Table(
    "logs",
    metadata,
    Column("id", BIGINT(unsigned=True), nullable=False, autoincrement=True),
    Column("source", String(100, collation="utf8mb4_bin"), nullable=False),
    Column("timestamp", _TIME, nullable=False),
    Column("level", String(8, collation="ascii_bin"), nullable=False),
    Column("message", Text, nullable=False),
    PrimaryKeyConstraint("timestamp", "id"),
    Index("ix_logs_id", "id"),
    Index("ix_logs_source_timestamp", "source", "timestamp", "id"),
    Index("ix_logs_level_timestamp", "level", "timestamp", "id"),
)

analyses = Table(
    "analyses",
    metadata,
    Column(
        "event_id",
        _ID,
        ForeignKey("events.id", name="fk_analyses_event_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("state", _WORD, nullable=False),
    Column("vision_model", String(200)),
    Column("vision_seconds", DOUBLE),
    Column("text_model", String(200)),
    Column("text_seconds", DOUBLE),
    Column("prompt_version", String(40, collation="ascii_bin")),
    Column("read_by", _WORD),
    Column("still_notes", String(80, collation="ascii_bin"), nullable=False, server_default=text("''")),
    Column("description", Text),
    Column("runs", _ID, nullable=False, server_default=_ZERO),
    Column("faults", SMALLINT(unsigned=True), nullable=False, server_default=_ZERO),
    Column("faulted_at", _TIME),
    Column("finished_at", _TIME),
    Index("ix_analyses_finished_at", "finished_at"),
)

removals = Table(
    "removals",
    metadata,
    Column(
        "event_id",
        _ID,
        ForeignKey("events.id", name="fk_removals_event_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("reason", _WORD, nullable=False),
    Column("marked_at", _TIME, nullable=False),
)

event_history = Table(
    "event_history",
    metadata,
    Column("id", BIGINT(unsigned=True), nullable=False, autoincrement=True),
    Column(
        "event_id",
        _ID,
        ForeignKey("events.id", name="fk_event_history_event_id", ondelete="CASCADE"),
        nullable=False,
        autoincrement=False,
    ),
    Column("at", _TIME, nullable=False),
    Column("what", _WORD, nullable=False),
    Column("who", String(80), nullable=False),
    Column("detail", String(500), nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("event_id", "id"),
    Index("ix_event_history_id", "id"),
)

storage_roots = Table(
    "storage_roots",
    metadata,
    Column("id", TINYINT(unsigned=True), primary_key=True, autoincrement=False),
    Column("identity", String(32, collation="ascii_bin"), nullable=False),
    Column("created_at", _TIME, nullable=False),
)

strays = Table(
    "strays",
    metadata,
    Column("path", String(500, collation="utf8mb4_bin"), primary_key=True),
    Column("camera_id", _CAMERA_ID, nullable=False),
    Column("size_bytes", BIGINT(unsigned=True), nullable=False),
    Column("modified_at", _TIME, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("found_at", _TIME, nullable=False),
    Column("seen_at", _TIME, nullable=False),
    Index("ix_strays_camera_id_path", "camera_id", "path"),
)

live_sessions = Table(
    "live_sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "camera_id",
        _CAMERA_ID,
        ForeignKey("cameras.camera_id", name="fk_live_sessions_camera_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("instance", String(16, collation="ascii_bin"), nullable=False),
    Column("started_at", _TIME, nullable=False),
    Column("seen_at", _TIME, nullable=False),
    Column("ended_at", _TIME),
    Index("ix_live_sessions_camera_id_started_at", "camera_id", "started_at"),
    Index("ix_live_sessions_ended_at", "ended_at"),
)

migrations = Table(
    "schema_migrations",
    metadata,
    Column("version", _ID, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("checksum", String(64, collation="ascii_bin"), nullable=False),
    Column("applied_at", _TIME, nullable=False),
)
