"""The history of an event in plain words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from securitycamd.domain.history import BY_PEOPLE, JOB_WORDS, Entry, What
from securitycamd.domain.models import Event
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.web.ui.contexts import Site
from securitycamd.web.ui.event_contexts import HistoryEntry
from securitycamd.web.ui.words import moment

_TEXTS: Final[Mapping[What, str]] = MappingProxyType(
    {
        What.MOTION: "motion",
        What.REPORTED: "reported by the camera",
        What.PICTURES_ARRIVED: "pictures here",
        What.CLIP_ARRIVED: "clip here",
        What.REVIEWED: "reviewed",
        What.UNREVIEWED: "not reviewed any more",
        What.STARRED: "starred",
        What.UNSTARRED: "star taken away",
        What.NOTED: "note written",
        What.CLIP_DONE: "clip playable",
        What.CLIP_DELAYED: "converting the clip failed; it is tried again",
        What.CLIP_FAILED: "clip could not be converted",
        What.CLIP_RETRIED: "asked to convert the clip again",
        What.AI_DONE: "described",
        What.AI_DELAYED: "describing failed; it is tried again",
        What.AI_FAILED: "could not be described",
        What.AI_RETRIED: "asked to describe it again",
        What.SMALLER_DONE: "clip optimised",
        What.SMALLER_DELAYED: "optimising the clip failed; it is tried again",
        What.SMALLER_FAILED: "clip stays as large as it is",
        What.SMALLER_RETRIED: "asked to make the clip smaller again",
        What.STILLS_DONE: "made from the clip",
        What.STILLS_DELAYED: "making pictures failed; it is tried again",
        What.STILLS_FAILED: "pictures could not be made from the clip",
        What.STILLS_RETRIED: "asked to make pictures again",
    }
)
_PICTURES: Final[Mapping[str, str]] = MappingProxyType(
    {"image_a": "picture A", "image_b": "picture B", "thumbnail": "thumbnail"}
)
_FAILURES: Final = frozenset(word for words in JOB_WORDS.values() for word in (words.delayed, words.failed))
_CAMERA: Final = frozenset({What.MOTION, What.REPORTED, What.PICTURES_ARRIVED, What.CLIP_ARRIVED})
# How long it took is told only where it says something: "described, in 0.0 s" does not.
_NO_TIME: Final = "in 0.0 s"


def history_of(event: Event, entries: Sequence[Entry], *, site: Site, now: datetime) -> tuple[HistoryEntry, ...]:
    """Everything that happened, in the order in which it was given."""
    first = moment(event.timestamp, site.zone, now)
    told = []
    for entry in entries:
        when = moment(entry.at, site.zone, now)
        shown = when.clock if when.day == first.day else f"{when.day} {when.clock}"
        is_failure = entry.what in _FAILURES
        told.append(HistoryEntry(when, shown, _text(entry), entry.detail if is_failure else "", _kind(entry.what)))
    return tuple(told)


def _text(entry: Entry) -> str:
    text = _TEXTS[entry.what]
    if entry.what is What.STILLS_DONE:
        names = [_PICTURES.get(name, name) for name in entry.detail.split(", ") if name]
        return f"{_listed(names) or 'pictures'} {text}"
    if entry.what in _FAILURES:
        return text
    if entry.what in BY_PEOPLE:
        # Until people log in there is one name, which says nothing.
        return text if entry.who in {"", TRUSTED_OPERATOR.name} else f"{text} by {entry.who}"
    if entry.detail.startswith("in ") and entry.detail != _NO_TIME:
        return f"{text} {entry.detail}" if entry.what is What.AI_DONE else f"{text}, {entry.detail}"
    return f"{text}, {entry.detail}" if entry.detail and entry.detail != _NO_TIME else text


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _kind(what: What) -> Literal["camera", "work", "person", "failure"]:
    if what in _FAILURES:
        return "failure"
    if what in BY_PEOPLE:
        return "person"
    return "camera" if what in _CAMERA else "work"
