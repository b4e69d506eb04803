"""Camera agents as threads, and requests as they make them: they retry, and remember all that was acknowledged."""

import http.client
import io
import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from PIL import Image

from tests.footage import Footage, slice_starts

FRAMES_PER_SECOND: Final = 15
ACCEPTED: Final = frozenset({200, 201})


@dataclass(frozen=True)
class Reply:
    """What came back (``body``: of JSON only), and how long it took."""

    status: int
    headers: dict[str, str]
    body: Any
    seconds: float


class Wire:
    """One keep-alive connection, as an agent has it; not for several threads."""

    def __init__(self, port: int, *, timeout_seconds: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)

    def send(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Reply:
        """Make a request; bytes go as they are. Raises ``OSError`` or ``HTTPException`` when no reply comes."""
        started = time.monotonic()
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            self._connection.request(method, path, data, headers or {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        is_json = "json" in headers.get("content-type", "")
        seconds = time.monotonic() - started
        return Reply(response.status, headers, json.loads(content) if content and is_json else None, seconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@dataclass(frozen=True)
class Clip:
    """A raw clip and how many frames a whole MP4 of it has."""

    content: bytes
    frames: int

    @property
    def seconds(self) -> float:
        """How long the MP4 plays."""
        return self.frames / FRAMES_PER_SECOND


def make_clips(footage: Footage, lengths: tuple[float, ...] = (0.6, 1.0, 2.0)) -> list[Clip]:
    """Short clips of several lengths."""
    clips = []
    for seconds in lengths:
        content = footage.clip(seconds=seconds).read_bytes()
        clips.append(Clip(content, len(slice_starts(content))))
    return clips


def post_clip(port: int, root: Path, clip: Clip, *, number: int = 0, camera_id: str = "camera_1") -> int:
    """Register, post an event, deliver its clip, report it; the event's id."""
    wire = Wire(port)
    camera = {"camera_id": camera_id, "name": "Front", "location": "Garden", "ip_address": "127.0.0.1"}
    assert wire.send("POST", "/api/v1/cameras/register", camera).status in ACCEPTED
    # Of today: neither retention nor the optimiser, which minds the age of clips, shall have an eye on it.
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(microseconds=number)
    event = {"camera_id": camera_id, "timestamp": moment.isoformat(), "motion_score": 1.0}
    event_id = int(wire.send("POST", "/api/v1/events", event).body["id"])
    path = f"{camera_id}/videos/{event_id}_video.h264"
    if root.is_dir():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(clip.content)
    report = {"file_type": "video", "file_path": path, "transferred": True}
    assert wire.send("PATCH", f"/api/v1/events/{event_id}/files", report).status in ACCEPTED
    wire.close()
    return event_id


def make_still(shade: int = 90) -> bytes:
    """A small JPEG."""
    with io.BytesIO() as buffer:
        Image.new("RGB", (64, 48), (shade, 120, 60)).save(buffer, "JPEG")
        return buffer.getvalue()


@dataclass
class Told:
    """An event that was acknowledged, and what of its files was."""

    id: int
    camera_id: str
    timestamp: datetime
    motion_score: float
    clip: Clip
    delivered: dict[str, str] = field(default_factory=dict)
    """File type -> path, of files that are whole on the share."""
    reported: set[str] = field(default_factory=set)
    """File types whose report was acknowledged."""


@dataclass
class Refused:
    """A reply that an agent does not accept."""

    method: str
    path: str
    reply: Reply


class Agent(threading.Thread):
    """Posts an event, delivers its files, reports them, and so on, until told to finish.

    As real agents do, it posts an event until that is acknowledged, and reports a file three times; unlike them, it
    comes back later to what it gave up, so that in the end everything is known to the server.
    """

    _times: Iterator[int] = itertools.count()

    def __init__(self, port: int, camera_id: str, root: Path, clips: list[Clip], *, pace_seconds: float) -> None:
        super().__init__(name=f"agent {camera_id}", daemon=True)
        self.camera_id = camera_id
        self.told: list[Told] = []
        self.refused: list[Refused] = []
        self.slowest = 0.0
        self.error: BaseException | None = None
        self._wire = Wire(port)
        self._root = root
        self._clips = itertools.cycle(clips)
        self._stills = [make_still(60), make_still(160)]
        self._pace_seconds = pace_seconds
        self._finishing = threading.Event()
        self._aborted = threading.Event()
        self._start = datetime.now(UTC).replace(microsecond=0)

    def run(self) -> None:
        """The agent's life."""
        try:
            self._until_accepted("POST", "/api/v1/cameras/register", self._registration())
            while not self._finishing.is_set():
                self._deliver(self._post_event())
                self._tell_again()
                self._finishing.wait(self._pace_seconds)
            while not self._tell_again():
                self._pause(0.05)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._wire.close()

    def finish(self, seconds: float = 30.0) -> None:
        """Post no more events; returns when all there is has been acknowledged."""
        self._finishing.set()
        self.join(seconds)
        assert not self.is_alive(), f"{self.name} still waits for replies"
        assert self.error is None

    def abort(self) -> None:
        """End, whatever is left; for the end of a test that failed."""
        self._finishing.set()
        self._aborted.set()
        self.join(35.0)

    def _registration(self) -> dict[str, str]:
        return {
            "camera_id": self.camera_id,
            "name": self.camera_id.title(),
            "location": "Garden",
            "ip_address": "127.0.0.1",
        }

    def _post_event(self) -> Told:
        moment = self._start + timedelta(microseconds=next(self._times) * 1000 + 7)
        score = 100.0 + moment.microsecond % 1000
        body = {
            "camera_id": self.camera_id,
            "timestamp": moment.isoformat(),
            "motion_score": score,
            "confidence_score": 62.5,
        }
        reply = self._until_accepted("POST", "/api/v1/events", body)
        event = Told(int(reply.body["id"]), self.camera_id, moment, score, next(self._clips))
        self.told.append(event)
        return event

    def _deliver(self, event: Told) -> None:
        for file_type, (path, content) in self._files_of(event).items():
            self._put(event, path, content)
            event.delivered[file_type] = path
            for pause_seconds in (0.05, 0.1, 0.0):
                if self._report(event, file_type):
                    break
                self._pause(pause_seconds)

    def _files_of(self, event: Told) -> dict[str, tuple[str, bytes]]:
        """Path and content of what is delivered, by file type, in that order."""
        stem = f"{event.id}_{event.timestamp:%Y%m%d_%H%M%S}"
        return {
            "image_a": (f"{self.camera_id}/pictures/{stem}_a.jpg", self._stills[0]),
            "image_b": (f"{self.camera_id}/pictures/{stem}_b.jpg", self._stills[1]),
            "thumbnail": (f"{self.camera_id}/thumbs/{stem}_thumb.jpg", self._stills[0]),
            "video": (f"{self.camera_id}/videos/{stem}_video.h264", event.clip.content),
        }

    def _put(self, event: Told, path: str, content: bytes) -> None:
        """Copy a file to the share; beside some videos a sign that they are whole."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.tmp")
        temporary.write_bytes(content)
        temporary.rename(target)
        if target.suffix == ".h264" and event.id % 3 == 0:
            target.with_name(f"{target.name}.READY").touch()

    def _tell_again(self) -> bool:
        """Report what was given up; whether nothing is left."""
        left = [(event, file_type) for event in self.told for file_type in event.delivered.keys() - event.reported]
        # All of them, also after one that failed.
        told = [self._report(event, file_type) for event, file_type in left]
        return all(told)

    def _report(self, event: Told, file_type: str) -> bool:
        body = {"file_type": file_type, "file_path": event.delivered[file_type], "transferred": True}
        if file_type == "video":
            body["video_duration"] = 44.0  # agents guess; the server measures
        if self._once("PATCH", f"/api/v1/events/{event.id}/files", body) is None:
            return False
        event.reported.add(file_type)
        return True

    def _until_accepted(self, method: str, path: str, body: Any) -> Reply:
        while (reply := self._once(method, path, body)) is None:
            self._pause(0.05)
        return reply

    def _once(self, method: str, path: str, body: Any) -> Reply | None:
        started = time.monotonic()
        try:
            reply = self._wire.send(method, path, body)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - started)
        if reply.status in ACCEPTED:
            return reply
        self.refused.append(Refused(method, path, reply))
        return None

    def _pause(self, seconds: float) -> None:
        if self._aborted.wait(seconds):
            raise TimeoutError("the test ended before the server had answered")
