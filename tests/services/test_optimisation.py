"""Clips become smaller, and never less: with real clips and FFmpeg, and a crash between any two steps."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from securitycamd.db import footage as footage_rows
from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.domain.errors import ConflictError, StorageUnavailableError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.domain.retention import Disk
from securitycamd.services import optimisation
from securitycamd.services.optimisation import GIVEN_BACK, MAX_ATTEMPTS, QUEUE_TARGET
from tests.footage import Footage
from tests.services.conftest import CAMERA, Bench, MakeBench

OPTIMISE = JobKind.OPTIMISE
FRAMES = 30


@pytest.fixture(scope="session")
def large(footage: Footage) -> bytes:
    """Two seconds that compress well once more."""
    return footage.clip(seconds=2.0, extra=":crf=8").read_bytes()


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    made = await make_bench(optimiser={"min_age_hours": 0, "encoder": "libx264", "preset": "ultrafast"})
    made.shared.optimisation.allow()
    return made


async def playable(bench: Bench, content: bytes) -> tuple[int, Path]:
    """An event with a converted clip of some age, and where that lies."""
    event_id = await bench.clip(content)
    await bench.shared.conversion.convert(await bench.claim())
    path = bench.playable_of(event_id)
    await asyncio.to_thread(os.utime, path, (1_600_000_000, 1_600_000_000.25))
    return event_id, path


async def optimise(bench: Bench) -> None:
    job = await bench.claim(OPTIMISE)
    try:
        await bench.shared.optimisation.optimise(job)
    finally:
        bench.shared.jobs.let_go(job)


def frames(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-of", "csv=p=0"]
    command += ["-show_entries", "stream=nb_read_frames", str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def names(bench: Bench) -> list[str]:
    return sorted(path.name for path in (bench.root / CAMERA / "videos").iterdir())


async def saved_in_all(bench: Bench) -> int:
    return await footage_rows.saved_bytes(bench.shared.database, [CAMERA])


async def test_a_smaller_clip_takes_the_place_of_the_other(bench: Bench, large: bytes) -> None:
    event_id, path = await playable(bench, large)
    before = path.stat()
    assert await bench.shared.optimisation.fill_queue() == 1
    await optimise(bench)
    after, event = path.stat(), await bench.seen(event_id)
    assert after.st_size < before.st_size
    assert after.st_mtime_ns == before.st_mtime_ns
    assert await asyncio.to_thread(frames, path) == FRAMES
    assert event.mp4_conversion_status is ConversionStatus.OPTIMIZED
    assert (event.saved_bytes, event.size_bytes) == (before.st_size - after.st_size, after.st_size)
    assert await saved_in_all(bench) == event.saved_bytes
    assert (await footage_rows.used_bytes(bench.shared.database, [CAMERA]))[CAMERA] == after.st_size
    assert (await bench.shared.stats.system(TRUSTED_OPERATOR)).saved_bytes == event.saved_bytes
    assert (await bench.job(event_id, OPTIMISE)).state is JobState.DONE
    assert names(bench) == [path.name]
    assert await bench.shared.optimisation.fill_queue() == 0


async def test_one_that_does_not_become_smaller_stays(make_bench: MakeBench, footage: Footage) -> None:
    small = footage.clip(seconds=2.0, extra=":crf=45").read_bytes()
    bench = await make_bench(optimiser={"min_age_hours": 0, "encoder": "libx264", "crf": 5})
    bench.shared.optimisation.allow()
    event_id, path = await playable(bench, small)
    before, content = path.stat(), path.read_bytes()
    await bench.shared.optimisation.fill_queue()
    await optimise(bench)
    assert path.read_bytes() == content
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    event = await bench.seen(event_id)
    assert (event.mp4_conversion_status, event.saved_bytes) == (ConversionStatus.OPTIMIZED, 0)
    assert names(bench) == [path.name]


class CrashError(Exception):
    """The process ends here."""


STEPS: dict[str, tuple[str, str, bool]] = {
    "before encoding": ("_media", "optimise", False),
    "after encoding": ("_media", "optimise", True),
    "before the word": ("_jobs", "leave_word", False),
    "after the word": ("_files", "publish", False),
    "after the change": ("_files", "publish", True),
    "before the row": ("_files", "each_size", False),
    "within the row": ("_jobs", "finish", True),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_between_any_two_steps(
    bench: Bench, large: bytes, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id, path = await playable(bench, large)
    before = path.stat().st_size
    service = bench.shared.optimisation
    encoded = 0
    encode = bench.shared.media.optimise

    async def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal encoded
        encoded += 1
        return await encode(*arguments, **options)

    monkeypatch.setattr(bench.shared.media, "optimise", counting)
    await service.fill_queue()
    part, method, is_after = STEPS[step]
    with monkeypatch.context() as patch:
        patch.setattr(getattr(service, part), method, crashing(getattr(getattr(service, part), method), is_after))
        with pytest.raises(CrashError):
            await optimise(bench)
    assert await asyncio.to_thread(frames, path) == FRAMES  # whatever came before, a whole clip is there
    assert (await bench.seen(event_id)).saved_bytes == 0

    # The next life.
    assert await bench.shared.jobs.give_back_own() == 1
    await bench.shared.files.sweep_temporaries(0)
    await optimise(bench)
    event = await bench.seen(event_id)
    assert await asyncio.to_thread(frames, path) == FRAMES
    assert path.stat().st_size < before
    assert event.mp4_conversion_status is ConversionStatus.OPTIMIZED
    assert (event.saved_bytes, event.size_bytes) == (before - path.stat().st_size, path.stat().st_size)
    assert await saved_in_all(bench) == event.saved_bytes
    job = await bench.job(event_id, OPTIMISE)
    assert (job.state, job.last_error) == (JobState.DONE, None)
    assert names(bench) == [path.name]
    # What was in its place already is not encoded again: that would cost quality.
    once = {"before encoding", "after the change", "before the row", "within the row"}
    assert encoded == (1 if step in once else 2)


def crashing(method: Callable[..., Awaitable[Any]], is_after: bool) -> Callable[..., Awaitable[Any]]:
    async def crash(*arguments: Any, **options: Any) -> Any:
        if is_after:
            await method(*arguments, **options)
        raise CrashError

    return crash


async def test_a_storage_that_goes_away_while_the_clip_is_put_in_place(
    bench: Bench, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is lost, but the change took effect: that must not be forgotten."""
    event_id, path = await playable(bench, large)
    before = path.stat().st_size
    await bench.shared.optimisation.fill_queue()
    publish = bench.shared.files.publish

    async def unanswered(*arguments: Any, **options: Any) -> None:
        await publish(*arguments, **options)
        raise StorageUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(bench.shared.files, "publish", unanswered)
        await optimise(bench)
    waiting = await bench.job(event_id, OPTIMISE)
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)
    await bench.due_now()
    await optimise(bench)
    event = await bench.seen(event_id)
    assert event.saved_bytes == before - path.stat().st_size > 0


async def test_a_job_is_given_back_when_the_window_closes(bench: Bench, footage: Footage) -> None:
    long = footage.clip(seconds=8.0, size="1280x720", extra=":crf=20").read_bytes()
    event_id, path = await playable(bench, long)
    content = path.read_bytes()
    await bench.shared.optimisation.fill_queue()
    job = await bench.claim(OPTIMISE)
    working = asyncio.create_task(bench.shared.optimisation.optimise(job))
    async with asyncio.timeout(20):
        while not (await bench.job(event_id, OPTIMISE)).progress:  # noqa: ASYNC110 - FFmpeg's state, not ours
            await asyncio.sleep(0.01)
    started = asyncio.get_running_loop().time()
    bench.shared.optimisation.give_up()
    await working
    assert asyncio.get_running_loop().time() - started < 5
    bench.shared.jobs.let_go(job)
    found = await bench.job(event_id, OPTIMISE)
    assert (found.state, found.attempts, found.last_error, found.progress) == (JobState.QUEUED, 0, GIVEN_BACK, None)
    assert path.read_bytes() == content
    assert names(bench) == [path.name]
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.COMPLETE
    assert bench.shared.optimisation.slots == 0


async def test_a_clip_that_cannot_be_optimised_is_left_alone(bench: Bench, large: bytes) -> None:
    event_id, path = await playable(bench, large)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 4000] = bytes(range(1, 251)) * 16
    path.write_bytes(damaged)
    await bench.shared.optimisation.fill_queue()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        await optimise(bench)
        assert (await bench.job(event_id, OPTIMISE)).attempts == attempt
        await bench.due_now()
    job = await bench.job(event_id, OPTIMISE)
    assert job.state is JobState.FAILED
    assert job.last_error
    assert path.read_bytes() == damaged
    assert names(bench) == [path.name]
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.COMPLETE
    assert await bench.shared.optimisation.fill_queue() == 0  # not again by itself
    await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, OPTIMISE)
    assert (await bench.job(event_id, OPTIMISE)).state is JobState.QUEUED


async def test_a_full_disk_is_no_fault_of_the_clip(bench: Bench, large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id, path = await playable(bench, large)
    content = path.read_bytes()
    await bench.shared.optimisation.fill_queue()

    async def fails(*arguments: Any, **options: Any) -> None:
        raise ClipError(ClipFault.FFMPEG, "FFmpeg could not write the clip.")

    async def full() -> Disk:
        return Disk(total_bytes=10**9, free_bytes=100)

    monkeypatch.setattr(bench.shared.media, "optimise", fails)
    monkeypatch.setattr(bench.shared.files, "disk", full)
    await optimise(bench)
    job = await bench.job(event_id, OPTIMISE)
    assert (job.state, job.attempts, job.last_error) == (JobState.QUEUED, 0, optimisation.FULL)
    assert path.read_bytes() == content


async def test_a_clip_that_is_gone_is_told(bench: Bench, large: bytes) -> None:
    event_id, path = await playable(bench, large)
    path.unlink()
    await bench.shared.optimisation.fill_queue()
    await optimise(bench)
    job = await bench.job(event_id, OPTIMISE)
    assert (job.state, job.last_error) == (JobState.FAILED, "The clip is not in the storage.")


# --- the queue ------------------------------------------------------------------------------------------------------


async def complete(bench: Bench, count: int, *, hours_ago: float = 5) -> list[int]:
    """Events with a playable clip, as far as their rows say."""
    ids = [await bench.event() for _ in range(count)]
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    listed = ", ".join(map(str, ids))
    await bench.sql(
        f"UPDATE events SET mp4_conversion_status = 'complete', mp4_converted_at = '{at:%Y-%m-%d %H:%M:%S}',"
        f" video_mp4_path = CONCAT('camera_1/videos/', id, '.mp4') WHERE id IN ({listed})"
    )
    return ids


async def queued(bench: Bench) -> list[int]:
    rows = await bench.sql("SELECT event_id FROM jobs WHERE kind = 'optimise' AND state = 'queued' ORDER BY event_id")
    return [event_id for (event_id,) in rows]


async def test_the_queue_is_short_and_gets_the_newest_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimisation, "STRETCH", 5)
    ids = await complete(bench, 30)
    service, jobs = bench.shared.optimisation, bench.shared.jobs
    assert await service.fill_queue() == QUEUE_TARGET
    assert await service.fill_queue() == 0
    assert await queued(bench) == ids[-QUEUE_TARGET:]
    seen = set(await queued(bench))
    while waiting := await queued(bench):
        assert len(waiting) <= QUEUE_TARGET
        await jobs.done(await bench.claim(OPTIMISE))
        await service.fill_queue()
        seen |= set(await queued(bench))
    assert seen == set(ids)


async def test_what_was_looked_at_or_goes_or_is_young_is_not_queued(make_bench: MakeBench) -> None:
    bench = await make_bench(optimiser={"min_age_hours": 2})
    done, failed, going, due = await complete(bench, 4)
    await complete(bench, 1, hours_ago=1)
    for event_id, state in ((done, "done"), (failed, "failed")):
        await bench.sql(
            "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at) VALUES"
            f" ({event_id}, 'optimise', '{state}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
        )
    await bench.sql(f"INSERT INTO removals (event_id, reason, marked_at) VALUES ({going}, 'age', UTC_TIMESTAMP(6))")
    assert await bench.shared.optimisation.fill_queue() == 1
    assert await queued(bench) == [due]


# --- the window -----------------------------------------------------------------------------------------------------

CLOSED = {"window_start": "03:00", "window_end": "03:01"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_it_works_in_its_window_or_when_told(make_bench: MakeBench) -> None:
    bench = await make_bench(optimiser=CLOSED | {"min_age_hours": 0})
    service = bench.shared.optimisation
    assert service.is_open(datetime(2026, 3, 1, 2, 0, 30, tzinfo=UTC))  # three o'clock in Berlin
    assert not service.is_open(NOON)
    service.run_now(30)
    assert service.is_open(NOON)
    service.run_now(0.0001)
    await asyncio.sleep(0.02)
    assert not service.is_open(NOON)
    (event_id,) = await complete(bench, 1)
    service.run_now(None)
    service.allow()
    assert await service.fill_queue() == 1
    (later,) = await complete(bench, 1)
    assert later > event_id
    assert service.is_open(NOON)
    await bench.sql("UPDATE jobs SET state = 'done' WHERE kind = 'optimise'")
    await bench.sql(f"UPDATE events SET mp4_conversion_status = 'pending' WHERE id = {later}")
    while service.is_open(NOON):
        assert await service.fill_queue() == 0


async def test_switched_off_it_never_works(make_bench: MakeBench) -> None:
    bench = await make_bench(optimiser={"enabled": False, "window_start": "00:00", "window_end": "00:00"})
    assert not bench.shared.optimisation.is_open(NOON)
    with pytest.raises(ConflictError, match="switched off"):
        bench.shared.optimisation.run_now(None)
