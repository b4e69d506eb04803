"""Two daemons on one database and one storage root share the work: every clip is converted exactly once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securitycamd.db.engine import DatabaseAddress
from tests.chaos.agents import ACCEPTED, Clip, Wire, post_clip
from tests.chaos.conftest import MakeDaemon, processes_of, unfinished_jobs
from tests.chaos.whole import packets
from tests.harness import DaemonProcess, wait_until

CLIPS = 100


def url_of(address: DatabaseAddress) -> str:
    return f"mysql://root@localhost/{address.name}?unix_socket={address.socket}"


def converted(daemon: DaemonProcess) -> list[int]:
    """The events whose clips this daemon's log says it converted."""
    return [line["event_id"] for line in daemon.log_lines() if line["event"] == "clip is playable"]


@pytest.mark.slow
def test_each_clip_is_converted_exactly_once(
    make_daemon: MakeDaemon, fresh_database: DatabaseAddress, clips: list[Clip], place: Path
) -> None:
    root = place / "footage"
    daemons = [
        make_daemon(
            name,
            storage_root=root,
            SECURITYCAMD_DATABASE__URL=url_of(fresh_database),
            SECURITYCAMD_ANALYSER__ENABLED="false",
        )
        for name in ("one", "two")
    ]
    for daemon in daemons:
        daemon.start()
    wires = [Wire(daemon.port) for daemon in daemons]
    camera = {"camera_id": "camera_1", "name": "a", "location": "b", "ip_address": "127.0.0.1"}
    assert wires[0].send("POST", "/api/v1/cameras/register", camera).status in ACCEPTED
    videos = root / "camera_1" / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    frames: dict[int, int] = {}
    start = datetime.now(UTC)
    for number in range(CLIPS):
        wire, clip = wires[number % 2], clips[number % len(clips)]
        body = {
            "camera_id": "camera_1",
            "timestamp": (start + timedelta(seconds=number)).isoformat(),
            "motion_score": 1.0,
        }
        event_id = wire.send("POST", "/api/v1/events", body).body["id"]
        videos.joinpath(f"{event_id}_video.h264").write_bytes(clip.content)
        report = {
            "file_type": "video",
            "file_path": f"camera_1/videos/{event_id}_video.h264",
            "transferred": True,
        }
        assert wire.send("PATCH", f"/api/v1/events/{event_id}/files", report).status in ACCEPTED
        frames[event_id] = clip.frames
    wait_until(lambda: not unfinished_jobs(daemons[0], "remux"), seconds=90, what="all clips are converted")
    for wire in wires:
        wire.close()
    assert [daemon.stop() for daemon in daemons] == [0, 0]

    shares = [converted(daemon) for daemon in daemons]
    print(f"shares: {[len(share) for share in shares]}")
    assert Counter(shares[0] + shares[1]) == Counter(frames.keys())
    assert all(shares)
    assert sorted(path.name for path in videos.iterdir()) == sorted(f"{id_}_video.mp4" for id_ in frames)
    assert {id_: packets(videos / f"{id_}_video.mp4") for id_ in list(frames)[::10]} == {
        id_: count for index, (id_, count) in enumerate(frames.items()) if index % 10 == 0
    }
    complaints = [line for daemon in daemons for line in daemon.log_lines() if line["level"] != "info"]
    assert complaints == []
    assert processes_of(place) == []


@pytest.mark.slow
def test_both_start_at_once_on_an_empty_database(
    make_daemon: MakeDaemon, fresh_database: DatabaseAddress, place: Path
) -> None:
    """One makes the tables, the other waits for it."""
    daemons = [make_daemon(name, SECURITYCAMD_DATABASE__URL=url_of(fresh_database)) for name in ("one", "two", "three")]
    for daemon in daemons:
        daemon.start(ready=False)
    for daemon in daemons:
        wait_until(daemon.is_healthy, seconds=30, what="all are healthy")
    assert [daemon.stop() for daemon in daemons] == [0, 0, 0]


@pytest.mark.slow
def test_a_silent_daemons_jobs_are_taken_over(
    make_daemon: MakeDaemon, fresh_database: DatabaseAddress, clips: list[Clip], place: Path
) -> None:
    """One daemon is killed with a clip under way and never comes back: the other takes over when the lease ends."""
    root = place / "footage"
    shared = {
        "SECURITYCAMD_DATABASE__URL": url_of(fresh_database),
        "SECURITYCAMD_ANALYSER__ENABLED": "false",
        "SECURITYCAMD_CONVERTER__LEASE_SECONDS": "3",
    }
    programs = place / "programs"
    programs.mkdir()
    slow = programs / "ffmpeg"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    first = make_daemon("first", storage_root=root, PATH=f"{programs}:/usr/bin:/bin", **shared)
    first.start()
    event_id = post_clip(first.port, root, clips[0])
    video = root / f"camera_1/videos/{event_id}_video.h264"
    # Not any child of that name: the daemon also asks for the version of its FFmpeg.
    wait_until(
        lambda: first.call("GET", f"/api/v1/events/{event_id}")[1]["mp4_conversion_status"] == "processing",
        seconds=10,
        what="the conversion is under way",
    )
    first.kill()

    second = make_daemon("second", storage_root=root, **shared)
    second.start()
    wait_until(lambda: not unfinished_jobs(second, "remux"), seconds=30, what="the clip is converted")
    assert converted(second) == [event_id]
    assert "jobs of a daemon that went silent are queued again" in second.log_tail()
    assert packets(video.with_suffix(".mp4")) == clips[0].frames
    assert not video.exists()
    assert second.stop() == 0
