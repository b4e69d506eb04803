"""The words of the wire: enumerations and the shapes of identifiers."""

import re
from enum import StrEnum
from typing import Final

CAMERA_ID_PATTERN: Final = r"^[A-Za-z0-9_]{1,50}$"
_CAMERA_ID: Final = re.compile(CAMERA_ID_PATTERN)


def is_camera_id(text: str) -> bool:
    """Whether a camera can be called so.

    Nothing else may be compared with the column, to which final spaces do not count.
    """
    return _CAMERA_ID.fullmatch(text) is not None


class EventStatus(StrEnum):
    """How far the agent is with an event. ``interrupted``: it stopped recording to stream live."""

    PROCESSING = "processing"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class ConversionStatus(StrEnum):
    """How far the clip is on its way from raw H.264 to an optimised MP4 (``mp4_conversion_status``)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    OPTIMIZED = "optimized"
    FAILED = "failed"


class FileType(StrEnum):
    """The files of an event that an agent reports."""

    IMAGE_A = "image_a"
    IMAGE_B = "image_b"
    THUMBNAIL = "thumbnail"
    VIDEO = "video"


class Category(StrEnum):
    """What an event shows above all, the most telling first (``ai_category``)."""

    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    PACKAGE = "package"
    LIGHT = "light"
    """Light, shadow or weather."""
    VEGETATION = "vegetation"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


class AnalysisState(StrEnum):
    """How far an event's description is."""

    WAITING = "waiting"
    """Nothing is known yet."""
    DESCRIBED = "described"
    """The vision model has spoken; what it said is not put in order yet."""
    DONE = "done"
    AGAIN = "again"
    """An operator wants it once more; what is known stays until then."""


class ReadBy(StrEnum):
    """How a description became a structure."""

    SCHEMA = "schema"
    """The model's reply followed the schema."""
    REPEAT = "repeat"
    """Its second reply did; the first broke it."""
    RULES = "rules"
    """Both broke it: words were counted, and nobody judged."""
    STILLS = "stills"
    """No model was asked; there is nothing to see in the stills."""


class StillNote(StrEnum):
    """What is odd about an event's stills."""

    SINGLE = "single"
    """Only one of them arrived."""
    IDENTICAL = "identical"
    """Both show the same, to the noise."""
    BLACK_A = "black_a"
    BLACK_B = "black_b"


class LogLevel(StrEnum):
    """Levels of log lines, least to most severe."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class CameraStatus(StrEnum):
    """Whether a camera was heard of lately."""

    ONLINE = "online"
    OFFLINE = "offline"


class CameraRemoval(StrEnum):
    """How an operator removed a camera."""

    FOOTAGE = "footage"
    """With its footage: its events are on their way out, and the record goes after them."""
    RETIRED = "retired"
    """Without its footage: the record stays for the events; an agent that registers again brings it back."""


CENTRAL_SOURCE: Final = "central"
"""The source under which the daemon's own log lines are kept."""
