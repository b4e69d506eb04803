"""A whole site for the page tests and the screenshots: a daemon, a detector that describes, cameras with real footage.

Everything goes the way of the agents: registered, posted, put on the share, reported; so what the pages show has
been converted and described by the daemon itself.
"""

import asyncio
import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from securitycamd.simulator.footage import prepare_assets
from securitycamd.simulator.scenes import STILL_SIZE, THUMBNAIL_SIZE, FrameReader, Scene, jpeg, prepare_scenes
from securitycamd.simulator.standin import StandIn
from tests.harness import DaemonProcess, wait_until

ALL_FILES: Final = ("thumbnail", "image_a", "image_b", "video")
_FOLDERS: Final = {"thumbnail": "thumbs", "image_a": "pictures", "image_b": "pictures", "video": "videos"}
_KINDS: Final = {"thumbnail": "thumb.jpg", "image_a": "a.jpg", "image_b": "b.jpg", "video": "video.h264"}
CAMERAS: Final = {
    "camera_1": ("Front walk", "North side, above the lawn"),
    "camera_2": ("Driveway", "Gate, towards the parked van"),
    "camera_3": ("Street", "Pavement by the railings"),
}


@dataclass
class World:
    """A running site. Its methods block: call them from a thread, or before the page is opened."""

    daemon: DaemonProcess
    scenes: list[Scene]
    _offsets: Iterator[int] = field(default_factory=lambda: itertools.count(3, 7))

    @property
    def url(self) -> str:
        """Where the pages are."""
        return self.daemon.url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request that must succeed; its JSON."""
        status, answer = self.daemon.call(method, path, body, timeout=60)
        assert status in {200, 201, 202}, f"{method} {path}: {status} {answer}"
        return answer

    def register(self, camera_id: str, name: str, location: str, address: str = "127.0.0.1") -> Any:
        """As an agent does when it starts."""
        body = {"camera_id": camera_id, "name": name, "location": location, "ip_address": address}
        return self.call("POST", "/api/v1/cameras/register", body)

    def post_event(
        self, camera_id: str = "camera_1", *, ago: timedelta = timedelta(), moment: datetime | None = None
    ) -> dict[str, Any]:
        """Motion; the event as the server answers it."""
        at = moment or datetime.now(UTC) - ago
        body = {"camera_id": camera_id, "timestamp": at.isoformat(), "motion_score": 1250.5, "confidence_score": 62.0}
        event: dict[str, Any] = self.call("POST", "/api/v1/events", body)
        return event

    def deliver(
        self, event: dict[str, Any], files: Iterable[str] = ALL_FILES, *, clip_seconds: float = 3.0, whole: bool = True
    ) -> None:
        """Put files of an event on the share and report them. ``whole=False``: a clip that no program can read."""
        camera_id, event_id = event["camera_id"], event["id"]
        scene = self.scenes[(int(camera_id.rpartition("_")[2]) - 1) % len(self.scenes)]
        start = next(self._offsets)
        taken = datetime.fromisoformat(event["timestamp"])
        for file_type in files:
            content = b"no clip at all" * 100
            if file_type == "video" and whole:
                content = scene.clip(start, clip_seconds)
            elif file_type != "video":
                content = self._still(scene, start + (4.0 if file_type == "image_b" else 0.0), file_type)
            path = f"{camera_id}/{_FOLDERS[file_type]}/{event_id}_{taken:%Y%m%d_%H%M%S}_{_KINDS[file_type]}"
            target = self.daemon.storage_root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"{target.name}.tmp")
            temporary.write_bytes(content)
            temporary.rename(target)
            report = {"file_type": file_type, "file_path": path, "transferred": True}
            self.call("PATCH", f"/api/v1/events/{event_id}/files", report)

    def complete(self, event: dict[str, Any], status: str = "complete") -> None:
        """The agent is done with it."""
        self.call("PATCH", f"/api/v1/events/{event['id']}/status", {"status": status})

    def event(self, event_id: int) -> dict[str, Any]:
        """An event as the API tells it now."""
        found: dict[str, Any] = self.call("GET", f"/api/v1/events/{event_id}")
        return found

    def wait_for(self, event_id: int, *, described: bool = True, seconds: float = 90.0) -> dict[str, Any]:
        """The event once its clip plays and (``described``) words are there."""

        def ready() -> dict[str, Any] | None:
            event = self.event(event_id)
            plays = event["mp4_conversion_status"] in {"complete", "optimized"}
            return event if plays and (event["ai_processed"] or not described) else None

        found: dict[str, Any] = wait_until(ready, seconds=seconds, every=0.2, what=f"event {event_id} is complete")
        return found

    def finished_event(self, camera_id: str = "camera_1", *, ago: timedelta = timedelta()) -> dict[str, Any]:
        """An event that went all the way."""
        event = self.post_event(camera_id, ago=ago)
        self.deliver(event)
        self.complete(event)
        return self.wait_for(event["id"])

    @staticmethod
    def _still(scene: Scene, position_seconds: float, file_type: str) -> bytes:
        reader = FrameReader(scene)
        try:
            return jpeg(reader.frame(position_seconds), THUMBNAIL_SIZE if file_type == "thumbnail" else STILL_SIZE)
        finally:
            reader.close()


@contextmanager
def detector() -> Iterator[str]:
    """The address of an AI server: the demo's small detector, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="detector", daemon=True)
    thread.start()
    standin = StandIn(prepare_assets(report=lambda _: None), models=("moondream", "deepseek-r1"))
    asyncio.run_coroutine_threadsafe(standin.__aenter__(), loop).result(30)
    try:
        yield standin.url
    finally:
        asyncio.run_coroutine_threadsafe(standin.__aexit__(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def running_world(folder: Path, **environment: str) -> Iterator[World]:
    """A site with no camera yet; keyword arguments are more of the daemon's environment."""
    scenes = prepare_scenes(prepare_assets(report=lambda _: None), report=lambda _: None)
    root = folder / "footage"
    root.mkdir(parents=True)
    with detector() as url:
        quiet = {
            "SECURITYCAMD_ANALYSER__URL": url,
            "SECURITYCAMD_SITE__NAME": "Home",
            "SECURITYCAMD_SITE__TIME_ZONE": "Europe/Berlin",
            "SECURITYCAMD_OPTIMISER__ENABLED": "false",
            "SECURITYCAMD_RETENTION__ENABLED": "false",
        }
        daemon = DaemonProcess(folder, root, environment=quiet | environment)
        try:
            yield World(daemon.start(), scenes)
        finally:
            daemon.stop(seconds=60)


def furnish(world: World, *, events: int = 4) -> list[dict[str, Any]]:
    """Register the cameras and let each see something; the events, newest first."""
    for camera_id, (name, location) in CAMERAS.items():
        world.register(camera_id, name, location)
    made = []
    for number in range(events):
        for at, camera_id in enumerate(CAMERAS):
            event = world.post_event(camera_id, ago=timedelta(minutes=3 + 47 * number + 5 * at))
            world.deliver(event)
            world.complete(event)
            made.append(event)
    finished = [world.wait_for(event["id"]) for event in made]
    return sorted(finished, key=lambda event: str(event["timestamp"]), reverse=True)
