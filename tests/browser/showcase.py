"""A site as it is after a month, for pictures of its pages: with a past, with work under way, with what went wrong."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.browser.camera_history import give_past, sql
from tests.browser.world import CAMERAS, World, furnish, running_world
from tests.harness import wait_until
from tests.streams import Streamer, every_scene, streaming_agents

ABSENT: Final = ("camera_4", "Cellar stairs", "Below the kitchen window")
OLDER_DAYS: Final = 6
LINES: Final = (
    ("INFO", "motion detected, score 1250, event {event}"),
    ("DEBUG", "frame 4711: 1250 changed pixels in 3 regions"),
    ("INFO", "pictures copied to the share in 0.8 s"),
    ("WARNING", "copy of {event}_video.h264 took 14.2 s, the share is slow"),
    ("ERROR", "clip of event {event} could not be copied: Connection timed out; trying again"),
    ("INFO", "clip copied at the second try"),
)
SETTINGS: Final = {
    "SECURITYCAMD_RETENTION__ENABLED": "true",
    "SECURITYCAMD_RETENTION__MAX_AGE_DAYS": "30",
    "SECURITYCAMD_DIGEST__ENABLED": "false",
}


@dataclass(frozen=True)
class Showcase:
    """What is there to be looked at."""

    world: World
    event: dict[str, Any]
    """An event that went all the way."""
    arriving: dict[str, Any]
    """One whose pictures are here and whose clip is awaited."""
    failed: dict[str, Any]
    """One whose clip no program can read."""
    absent: str
    """A camera that was not heard of for two hours."""

    @property
    def places(self) -> dict[str, str]:
        """What the addresses of pages name."""
        return {
            "event": str(self.event["id"]),
            "arriving": str(self.arriving["id"]),
            "failed": str(self.failed["id"]),
            "camera": str(self.event["camera_id"]),
            "absent": self.absent,
            "yesterday": f"{datetime.now().astimezone() - timedelta(days=1):%Y-%m-%d}",
        }


@contextmanager
def agents() -> Iterator[list[Streamer]]:
    """Cameras that can be watched, in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="agents", daemon=True)
    thread.start()
    first, *others = every_scene()
    running = streaming_agents([name for name, _ in CAMERAS.values()], [others[-1], first, *others[:-1]])
    try:
        yield asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def showcase(folder: Path) -> Iterator[Showcase]:
    """The site, running."""
    with agents() as cameras, running_world(folder, **SETTINGS) as world:
        furnish(world)
        for camera in cameras:
            world.register(camera.camera_id, *CAMERAS[camera.camera_id], camera.address)
            give_past(world, camera.camera_id)
            world.call("POST", f"/api/v1/cameras/{camera.camera_id}/refresh")
        _add_absent_camera(world)
        older = [
            world.finished_event(camera_id, ago=timedelta(days=day, hours=3 * at + day))
            for day in range(1, OLDER_DAYS + 1)
            for at, camera_id in enumerate(CAMERAS)
        ]
        _review(world, older)
        event = world.finished_event("camera_1", ago=timedelta(minutes=2))
        note = {"note": "The neighbours' visitors; they left at four.", "starred": True}
        world.call("PATCH", f"/api/v1/events/{event['id']}", note)
        failed = world.post_event("camera_2", ago=timedelta(seconds=90))
        world.deliver(failed, whole=False)
        world.complete(failed)
        _log(world, event)
        _add_strays(world)
        day = Showcase(world, event, failed, failed, ABSENT[0]).places["yesterday"]
        world.call("POST", f"/api/v1/digests/{day}")
        wait_until(lambda: world.call("GET", f"/api/v1/digests/{day}")["text"], seconds=60, what="a report is written")
        wait_until(
            lambda: world.event(failed["id"])["mp4_conversion_status"] == "failed", seconds=60, what="a clip failed"
        )
        arriving = world.post_event("camera_3", ago=timedelta(seconds=20))
        world.deliver(arriving, ("thumbnail", "image_a", "image_b"))
        yield Showcase(world, event, arriving, failed, ABSENT[0])


def _add_absent_camera(world: World) -> None:
    camera_id, name, location = ABSENT
    silent_since = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
    sql(
        world,
        "INSERT INTO cameras (camera_id, name, location, ip_address, last_seen, created_at, updated_at) VALUES"
        f" ('{camera_id}', '{name}', '{location}', '127.0.0.1', '{silent_since}', '{silent_since}', '{silent_since}')",
    )


def _review(world: World, events: list[dict[str, Any]]) -> None:
    for event in events[:-4]:
        world.call("PATCH", f"/api/v1/events/{event['id']}", {"reviewed": True})


def _log(world: World, event: dict[str, Any]) -> None:
    moment = datetime.fromisoformat(event["timestamp"])
    lines = [
        {
            "source": event["camera_id"],
            "timestamp": (moment + timedelta(seconds=5 * number)).isoformat(),
            "level": level,
            "message": message.format(event=event["id"]),
        }
        for number, (level, message) in enumerate(LINES)
    ]
    world.call("POST", "/api/v1/logs", lines)


def _add_strays(world: World) -> None:
    """Files that fit no event: of an event that is not there, and with a name that no agent gives."""
    folder = world.daemon.storage_root / "camera_2" / "videos"
    for name in ("4711_20251028_143022_video.h264", "holiday.h264"):
        (folder / name).write_bytes(b"\0\0\0\1" * 250_000)
        long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
        os.utime(folder / name, (long_ago, long_ago))  # what is young may still find its event
    world.call("POST", "/api/v1/tasks/linker/run-now")
    wait_until(lambda: world.call("GET", "/api/v1/storage/strays")["total"] >= 1, seconds=60, what="strays are found")
