"""Rows of the older Security-Camera-Central scripts, read as ours: any value becomes the nearest one that is valid.

No row is refused. What had to be changed is counted in :attr:`Reader.mended`; the older rows themselves stay.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.models import Detection, NewLogLine
from securitycamd.domain.names import Category, ConversionStatus, EventStatus, LogLevel, is_camera_id
from securitycamd.domain.times import EARLIEST, LATEST, read_time

Word = TypeVar("Word", EventStatus, ConversionStatus, LogLevel)
Row = Mapping[str, Any]

TEXT_BYTES: Final = 65_535
"""What a column of type TEXT holds."""
PATH_LIMIT: Final = 500
OLDER_ROOTS: Final = ("/mnt/security_footage/",)
"""Where the older scripts had the footage; their workers may have noted whole paths."""
_STEP_BACK: Final = timedelta(seconds=-5)
"""Rows are written in the order of their ids, but for so much."""
_REPEATED: Final = timedelta(hours=-3)
"""No clock change repeats more; what is earlier still was written by a clock that was wrong."""
_NOT_OF_IDS: Final = re.compile("[^A-Za-z0-9_]")
_STATUSES: Final = {"completed": EventStatus.COMPLETE, "done": EventStatus.COMPLETE, "error": EventStatus.FAILED}
_CONVERSIONS: Final = {
    "completed": ConversionStatus.COMPLETE,
    "converted": ConversionStatus.COMPLETE,
    "done": ConversionStatus.COMPLETE,
    "optimised": ConversionStatus.OPTIMIZED,
    "converting": ConversionStatus.PROCESSING,
    "error": ConversionStatus.FAILED,
}
_LEVELS: Final = {"WARN": LogLevel.WARNING, "CRITICAL": LogLevel.ERROR, "FATAL": LogLevel.ERROR}
_PLAYABLE: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})
_LABELS: Final = ("label", "name", "object", "class")
_STILLS: Final = ("image_a", "image_b")

CategoryOf = Callable[[str, tuple[Detection, ...], bool], Category]
"""What an event shows above all, from its description, what was seen, and whether a person was."""


@dataclass(frozen=True, slots=True)
class OlderEvent:
    """An older event as our columns, and the work that is left on it."""

    columns: dict[str, Any]
    remux: bool
    analyse: bool
    failed: bool
    """Its clip could not be converted."""


@dataclass(slots=True)
class Reader:
    """Reads rows in the order of their ids, which tells the two passes of a repeated hour apart."""

    zone: ZoneInfo
    now: datetime
    roots: Sequence[str] = OLDER_ROOTS
    is_utc: frozenset[str] = frozenset()
    """Columns that hold UTC already: those of type TIMESTAMP, which the database converts."""
    previous: datetime = EARLIEST
    """When the last row was written."""
    mended: Counter[str] = field(default_factory=Counter)

    def camera(self, row: Row, camera_id: str) -> dict[str, Any]:
        """A camera as our columns, but for its ``id``."""
        created = self._local(row, "created_at", self.now) or self.now
        updated = self._local(row, "updated_at", self.now) or created
        seen = self._local(row, "last_seen", self.now) or updated
        return {
            "camera_id": camera_id,
            "name": self._cut(row, "name", 100) or camera_id,
            "location": self._cut(row, "location", 200) or "",
            "ip_address": self._cut(row, "ip_address", 45) or "",
            # A clock that is ahead would have it online for as long.
            "last_seen": min(seen, self.now),
            "created_at": created,
            "updated_at": updated,
        }

    def event(self, row: Row, camera_id: str, category_of: CategoryOf) -> OlderEvent:
        """An event as our columns; its time may be taken, which only the caller sees."""
        created = self._written(row)
        at = self._local(row, "timestamp", created or self.previous)
        if at is None:
            self.mended["timestamp"] += 1
            at = created or self.previous
        if created is None:
            created = at
        paths = {name: self._path(row, name) for name in (*(f"{still}_path" for still in _STILLS), "thumbnail_path")}
        source, clip = self._path(row, "video_h264_path"), self._path(row, "video_mp4_path")
        status = self._conversion(row, source, clip)
        converted_at = self._local(row, "mp4_converted_at", created)
        columns: dict[str, Any] = {
            "id": row["id"],
            "camera_id": camera_id,
            "timestamp": at,
            "motion_score": self._number(row, "motion_score") or 0.0,
            "confidence_score": self._number(row, "confidence_score"),
            "status": self._word(row, "status", EventStatus, _STATUSES, EventStatus.COMPLETE),
            **paths,
            "video_h264_path": source,
            "video_mp4_path": clip,
            "video_duration": self._number(row, "video_duration") or None,
            "image_a_transferred": _flag(row, "image_a_transferred", paths["image_a_path"]),
            "image_b_transferred": _flag(row, "image_b_transferred", paths["image_b_path"]),
            "thumbnail_transferred": _flag(row, "thumbnail_transferred", paths["thumbnail_path"]),
            "video_transferred": _flag(row, "video_transferred", source or clip),
            "mp4_conversion_status": status,
            "mp4_converted_at": converted_at if status in _PLAYABLE else None,
            "created_at": created,
        }
        analyse = not row.get("ai_processed") and any(paths[f"{still}_path"] for still in _STILLS)
        columns |= self._findings(row, created, category_of, analyse=analyse)
        is_pending = status is ConversionStatus.PENDING and source is not None
        return OlderEvent(columns, is_pending, analyse, status is ConversionStatus.FAILED and source is not None)

    def line(self, row: Row) -> NewLogLine:
        """A log line."""
        at = self._local(row, "timestamp", self.previous)
        if at is None:
            self.mended["timestamp"] += 1
            at = self.previous
        self.previous = at
        source = self._cut(row, "source", 100) or self._default("source", "unknown")
        message = self._bytes(row, "message") or self._default("message", "(empty)")
        level = self._word(row, "level", LogLevel, _LEVELS, LogLevel.INFO, fold=str.upper)
        return NewLogLine(source, at, level, message)

    # --- what was found out ------------------------------------------------------------------------------------------

    def _findings(self, row: Row, created: datetime, category_of: CategoryOf, *, analyse: bool) -> dict[str, Any]:
        seen = detections(row.get("ai_objects"))
        objects = [{"label": each.label, "count": each.count} for each in seen]
        description = self._bytes(row, "ai_description")
        person = row.get("ai_person_detected")
        confidence = self._number(row, "ai_confidence")
        if confidence is not None and confidence > 1:
            confidence = min(confidence / 100, 1.0)
        processed = bool(row.get("ai_processed"))
        was_seen = processed and bool(description or seen or person is not None)
        text = json.dumps(objects, ensure_ascii=False, separators=(",", ":")) if row.get("ai_objects") else None
        if text is not None and len(text.encode()) > TEXT_BYTES:
            self.mended["ai_objects"] += 1
            text = None
        return {
            "ai_processed": processed,
            "ai_processed_at": self._local(row, "ai_processed_at", created) if processed else None,
            "ai_person_detected": None if person is None else bool(person),
            "ai_confidence": confidence,
            "ai_objects": text,
            "ai_description": description,
            "ai_phrase": self._cut(row, "ai_phrase", 200),
            # It is described anew: why it could not be is history.
            "ai_error": None if analyse else self._cut(row, "ai_error", 500),
            "ai_category": category_of(description or "", seen, bool(person)) if was_seen else None,
        }

    def _conversion(self, row: Row, source: str | None, clip: str | None) -> ConversionStatus:
        otherwise = ConversionStatus.COMPLETE if clip is not None and source is None else ConversionStatus.PENDING
        found = self._word(row, "mp4_conversion_status", ConversionStatus, _CONVERSIONS, otherwise)
        if found in _PLAYABLE and clip is None:
            # Nothing is playable; with a source it can be made so.
            self.mended["mp4_conversion_status"] += 1
            return ConversionStatus.PENDING
        # Whoever was at it is gone.
        return ConversionStatus.PENDING if found is ConversionStatus.PROCESSING else found

    # --- values ------------------------------------------------------------------------------------------------------

    def _default(self, name: str, value: str) -> str:
        self.mended[name] += 1
        return value

    def _written(self, row: Row) -> datetime | None:
        """When an event was written: never before the one before it, so a repeated hour has one reading only."""
        at = self._local(row, "created_at", EARLIEST)
        if at is None:
            return None
        if _REPEATED < at - self.previous < _STEP_BACK:
            at = self._local(row, "created_at", LATEST) or at
        self.previous = at
        return at

    def _local(self, row: Row, name: str, arrival: datetime) -> datetime | None:
        """A time as UTC; ``None`` for what is none, such as 0000-00-00."""
        value = row.get(name)
        if not isinstance(value, datetime):
            return None
        if name in self.is_utc:
            value = value.replace(tzinfo=UTC)
        try:
            return read_time(value, self.zone, arrival=arrival).at
        except InvalidError:
            self.mended[name] += 1
            return EARLIEST if value.year <= EARLIEST.year else LATEST - timedelta(days=1)

    def _number(self, row: Row, name: str) -> float | None:
        value = row.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if number < 0:
            self.mended[name] += 1
            return None
        return number

    def _word(
        self,
        row: Row,
        name: str,
        words: type[Word],
        others: Mapping[str, Word],
        otherwise: Word,
        *,
        fold: Callable[[str], str] = str.lower,
    ) -> Word:
        if name not in row:
            return otherwise
        text = fold(str(row[name] or "").strip())
        if text in set(words):
            return words(text)
        self.mended[name] += 1
        return others.get(text, otherwise)

    def _cut(self, row: Row, name: str, limit: int) -> str | None:
        text = _text(row.get(name))
        if text is not None and len(text) > limit:
            self.mended[name] += 1
            return text[:limit].strip()
        return text

    def _bytes(self, row: Row, name: str) -> str | None:
        text = _text(row.get(name))
        if text is not None and len(text.encode()) > TEXT_BYTES:
            self.mended[name] += 1
            return text.encode()[:TEXT_BYTES].decode(errors="ignore")
        return text

    def _path(self, row: Row, name: str) -> str | None:
        path = _text(row.get(name))
        for root in self.roots:
            if path is not None and path.startswith(root):
                path = path.removeprefix(root).lstrip("/") or None
        if path is not None and len(path) > PATH_LIMIT:
            # Half a path names nothing.
            self.mended[name] += 1
            return None
        return path


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return None if value is None else str(value).strip() or None


def _flag(row: Row, name: str, path: str | None) -> bool:
    value = row.get(name)
    return path is not None if value is None else bool(value)


def detections(value: Any) -> tuple[Detection, ...]:
    """What was seen: older texts are JSON of several shapes, or labels with commas between."""
    text = _text(value)
    if text is None:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text.split(",")
    if isinstance(found, dict):
        found = [{"label": label, "count": count} for label, count in found.items()]
    if not isinstance(found, list):
        found = [found]
    counts: Counter[str] = Counter()
    for each in found:
        label, count = each, 1
        if isinstance(each, dict):
            label = next((each[key] for key in _LABELS if each.get(key)), "")
            count = each.get("count", 1)
        if label := str(label).strip()[:100]:
            counts[label] += count if type(count) is int and 0 < count < 1000 else 1
    return tuple(Detection(label, count) for label, count in counts.items())


def camera_names(cameras: Sequence[str | None], others: Sequence[str | None]) -> dict[str, str]:
    """What each older ``camera_id`` becomes: itself, where it can be a camera's name, else one that is like it.

    The same for the same names in the same order, however often it is asked.

    Args:
        cameras: those that have a row.
        others: those that events name.
    """
    found = {name: name for name in map(name_key, cameras) if is_camera_id(name)}
    # The older tables compare without regard to case: an event of Camera_1 is one of camera_1.
    by_case = {name.casefold(): name for name in reversed(found)}
    for name in map(name_key, others):
        if is_camera_id(name):
            found.setdefault(name, by_case.setdefault(name.casefold(), name))
    taken = set(found.values())
    for name in map(name_key, (*cameras, *others)):
        if name not in found:
            like = _NOT_OF_IDS.sub("_", name)[:50] or "unknown"
            ours, number = like, 1
            while ours in taken:
                number += 1
                ours = f"{like[:46]}_{number}"
            taken.add(ours)
            found[name] = ours
    return found


def name_key(camera_id: str | None) -> str:
    """An older ``camera_id`` as the keys of :func:`camera_names` are written."""
    return _text(camera_id) or ""
