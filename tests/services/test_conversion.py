"""One claimed clip after another, with the real FFmpeg; and a crash between any two steps."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.typing import EventDict

from securitycamd.domain.clips import FAULT_SENTENCES, ClipFault
from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.jobs import MAX_ATTEMPTS, Job, JobKind, JobState
from securitycamd.domain.names import ConversionStatus, FileType
from securitycamd.services.conversion import target_of
from securitycamd.services.jobs import JobQueue, JobReport, LeaseLostError
from tests.chaos.whole import packets
from tests.conftest import INSTANCE
from tests.footage import Footage
from tests.services.conftest import LEASE_SECONDS, Bench, MakeBench

FRAMES = 15
OTHER = "00000000000000bb"


async def convert(bench: Bench) -> Job:
    """Claim the next clip and convert it."""
    job = await bench.claim()
    try:
        await bench.shared.conversion.convert(job)
    finally:
        bench.shared.jobs.let_go(job)
    return job


async def is_playable(bench: Bench, event_id: int, *, frames: int = FRAMES, rate: float = 15.0) -> None:
    """The chain is at its end: an MP4 that is whole and durable, a row that says so, and nothing else."""
    event = await bench.seen(event_id)
    playable = bench.playable_of(event_id, event.camera_id)
    assert event.mp4_conversion_status is ConversionStatus.COMPLETE
    assert event.video_mp4_path == str(playable.relative_to(bench.root))
    assert event.video_h264_path is None
    assert event.video_duration == pytest.approx(frames / rate)
    assert event.mp4_converted_at is not None
    assert event.video_transferred
    assert (await bench.job(event_id)).state is JobState.DONE
    assert await asyncio.to_thread(packets, playable) == frames
    assert [path.name for path in playable.parent.iterdir()] == [playable.name]


async def stands(bench: Bench, event_id: int, status: ConversionStatus, state: JobState) -> JobReport:
    """The job, whose state and the event's outward status must be these."""
    assert (await bench.seen(event_id)).mp4_conversion_status is status
    job = await bench.job(event_id)
    assert job.state is state
    return job


def put_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have this shell script in the place of FFmpeg."""
    folder.mkdir()
    tool = folder / "ffmpeg"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# --- what goes well --------------------------------------------------------------------------------------------------


async def test_a_clip_becomes_playable(bench: Bench, clip: bytes, logs: list[EventDict]) -> None:
    event_id = await bench.clip(clip, ready=True)
    await convert(bench)
    await is_playable(bench, event_id)
    (line,) = [line for line in logs if line["event"] == "clip is playable"]
    assert line["event_id"] == event_id


async def test_a_camera_of_its_own_frame_rate(make_bench: MakeBench, clip: bytes) -> None:
    bench = await make_bench(converter={"frame_rate": 15, "frame_rates": {"camera_2": 30}})
    await bench.register("camera_2")
    event_id = await bench.clip(clip, camera_id="camera_2")
    await convert(bench)
    await is_playable(bench, event_id, rate=30.0)


async def test_a_clip_that_ends_in_the_middle_of_a_frame_keeps_its_whole_ones(bench: Bench, footage: Footage) -> None:
    path, whole = await asyncio.to_thread(footage.cut_mid_frame, seconds=1.0)
    event_id = await bench.clip(path.read_bytes())
    await convert(bench)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.COMPLETE
    assert await asyncio.to_thread(packets, bench.playable_of(event_id)) in {whole, whole + 1}


async def test_what_an_agent_tells_again_while_it_is_converted_is_no_second_job(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    job = await bench.claim()
    await bench.report(event_id, FileType.VIDEO, bench.source_of(event_id))
    await bench.shared.conversion.convert(job)
    await bench.report(event_id, FileType.VIDEO, bench.source_of(event_id))
    await is_playable(bench, event_id)
    assert await bench.shared.jobs.claim(JobKind.REMUX, lease_seconds=1) is None


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a/videos/1.h264", "a/videos/1.mp4"),
        ("a/videos/1.H264", "a/videos/1.mp4"),
        ("a/videos/1.264", "a/videos/1.mp4"),
        ("a/videos/1.mp4", "a/videos/1.mp4.mp4"),
        ("a/videos/1", "a/videos/1.mp4"),
        ("a/videos/1.h264.bin", "a/videos/1.h264.bin.mp4"),
    ],
)
def test_the_mp4_never_takes_the_sources_name(source: str, target: str) -> None:
    assert target_of(source) == target
    assert target_of(source) != source


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def test_a_clip_that_is_missing_yet_waits_and_costs_nothing(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(None)
    for _ in range(MAX_ATTEMPTS + 1):
        await bench.due_now()
        await convert(bench)
    job = await bench.job(event_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert job.last_error == FAULT_SENTENCES[ClipFault.MISSING_YET]
    assert await bench.shared.jobs.claim(JobKind.REMUX, lease_seconds=1) is None, "it waits a little"
    bench.write(bench.source_of(event_id), clip)
    await bench.due_now()
    await convert(bench)
    await is_playable(bench, event_id)


async def test_a_clip_that_never_arrives_fails_and_is_tried_again_when_it_is_told_anew(
    make_bench: MakeBench, clip: bytes
) -> None:
    bench = await make_bench(converter={"missing_after_seconds": 600})
    event_id = await bench.clip(None)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 700 SECOND")
    await convert(bench)
    job = await stands(bench, event_id, ConversionStatus.FAILED, JobState.FAILED)
    assert job.last_error == FAULT_SENTENCES[ClipFault.MISSING]
    bench.write(bench.source_of(event_id), clip)
    await bench.report(event_id, FileType.VIDEO, bench.source_of(event_id))
    await stands(bench, event_id, ConversionStatus.PENDING, JobState.QUEUED)
    await convert(bench)
    await is_playable(bench, event_id)


async def test_told_anew_a_clip_may_be_missing_as_long_as_at_first(make_bench: MakeBench) -> None:
    bench = await make_bench(converter={"missing_after_seconds": 600})
    event_id = await bench.clip(None)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 700 SECOND")
    await convert(bench)
    await bench.report(event_id, FileType.VIDEO, bench.source_of(event_id))
    await convert(bench)
    assert (await bench.job(event_id)).state is JobState.QUEUED


async def test_no_verdict_on_a_clip_while_the_storage_root_is_away(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 7 DAY")
    away = bench.root.with_name("away")
    bench.root.rename(away)
    await convert(bench)
    job = await bench.job(event_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert job.last_error == "The storage did not answer."
    assert not bench.root.exists()
    away.rename(bench.root)
    await bench.shared.storage.watch()  # as the guard's task does
    await bench.due_now()
    await convert(bench)
    await is_playable(bench, event_id)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("jpeg", ClipFault.NOT_H264),
        ("empty", ClipFault.EMPTY),
        ("cut_in_first_frame", ClipFault.CUT_SHORT),
    ],
)
async def test_what_is_no_clip_fails_at_once_and_stays_where_it_is(
    bench: Bench, footage: Footage, clip: bytes, kind: str, fault: ClipFault
) -> None:
    broken = (await asyncio.to_thread(getattr(footage, kind))).read_bytes()
    event_id = await bench.clip(broken)
    await convert(bench)
    job = await stands(bench, event_id, ConversionStatus.FAILED, JobState.FAILED)
    assert (job.attempts, job.last_error) == (1, FAULT_SENTENCES[fault])
    source = bench.root / bench.source_of(event_id)
    assert source.read_bytes() == broken
    assert list(source.parent.iterdir()) == [source]
    # The agent delivers it once more, whole.
    bench.write(bench.source_of(event_id), clip)
    await bench.report(event_id, FileType.VIDEO, bench.source_of(event_id))
    assert (await stands(bench, event_id, ConversionStatus.PENDING, JobState.QUEUED)).attempts == 0
    await convert(bench)
    await is_playable(bench, event_id)


async def test_a_path_that_leads_out_of_the_root_is_never_followed(bench: Bench, clip: bytes, tmp_path: Path) -> None:
    outside = tmp_path / "outside.h264"
    outside.write_bytes(clip)
    event_id = await bench.clip(None)
    link = bench.root / bench.source_of(event_id)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    await convert(bench)
    job = await stands(bench, event_id, ConversionStatus.FAILED, JobState.FAILED)
    assert job.last_error is not None
    assert str(tmp_path) not in job.last_error
    assert outside.read_bytes() == clip
    assert not bench.playable_of(event_id).exists()


async def test_an_ffmpeg_that_hangs_is_ended_and_tried_again(
    make_bench: MakeBench, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path / "tools", monkeypatch, "trap '' TERM; sleep 300 & wait; wait")
    bench = await make_bench(converter={"timeout_seconds": 1.5})
    event_id = await bench.clip(clip)
    before = set(psutil.Process().children(recursive=True))
    await convert(bench)
    job = await stands(bench, event_id, ConversionStatus.PENDING, JobState.QUEUED)
    assert (job.attempts, job.last_error) == (1, FAULT_SENTENCES[ClipFault.HUNG])
    assert set(psutil.Process().children(recursive=True)) <= before
    monkeypatch.undo()
    await bench.due_now()
    await convert(bench)
    await is_playable(bench, event_id)


async def test_an_ffmpeg_that_always_fails_is_given_up_in_the_end_with_the_source_kept(
    bench: Bench, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool(tmp_path / "tools", monkeypatch, "echo 'No space left on device' >&2; exit 1")
    event_id = await bench.clip(clip)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        await bench.due_now()
        assert (await convert(bench)).attempt == attempt
    job = await stands(bench, event_id, ConversionStatus.FAILED, JobState.FAILED)
    assert job.last_error == FAULT_SENTENCES[ClipFault.FFMPEG]
    source = bench.root / bench.source_of(event_id)
    assert source.read_bytes() == clip
    assert list(source.parent.iterdir()) == [source]


async def test_an_event_without_a_clip_is_done(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    await bench.sql(f"UPDATE events SET video_h264_path = NULL WHERE id = {event_id}")
    await convert(bench)
    assert (await bench.job(event_id)).state is JobState.DONE
    gone = await bench.clip(clip)
    job = await bench.claim()
    await bench.sql(f"DELETE FROM events WHERE id = {gone}")
    with pytest.raises(LeaseLostError):  # the job went with its event
        await bench.shared.conversion.convert(job)


async def test_a_daemon_that_stops_gives_the_clip_back_untouched(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    await bench.shared.media.close(0.1)
    await convert(bench)
    job = await bench.job(event_id)
    assert (job.state, job.attempts, job.last_error) == (JobState.QUEUED, 0, None)
    assert (bench.root / bench.source_of(event_id)).read_bytes() == clip


async def test_who_lost_the_lease_records_nothing(
    make_bench: MakeBench, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another daemon took over and finished, while the first one's FFmpeg was still at it."""
    slow, quick = await make_bench(), await make_bench(instance=OTHER)
    event_id = await slow.clip(clip)
    job = await slow.claim()
    remux = slow.shared.media.remux

    async def remux_while_another_takes_over(*args: Any, **kwargs: Any) -> Any:
        made = await remux(*args, **kwargs)
        await slow.run_out()
        assert await quick.shared.jobs.recover_stale() == 1
        await quick.sql("UPDATE events SET video_duration = NULL")
        await convert(quick)
        return made

    monkeypatch.setattr(slow.shared.media, "remux", remux_while_another_takes_over)
    with pytest.raises(LeaseLostError):
        await slow.shared.conversion.convert(job)
    await is_playable(slow, event_id)


# --- a crash between any two steps -----------------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Step:
    """A place in the conversion: the ``call``-th call of a function, before it begins or after it returned."""

    part: str
    function: str
    call: int = 1
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'}-{self.function}-{self.call}"


STEPS = [
    Step(part, function, call, after)
    for part, function, calls in (
        ("files", "temporary_for", 1),
        ("media", "remux", 1),
        ("files", "publish", 1),
        ("database", "transact", 2),  # the row, then the end of the job
        ("files", "remove", 2),  # the source, then what marked it ready
    )
    for call in range(1, calls + 1)
    for after in (False, True)
]


def crash_at(bench: Bench, step: Step, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the process end at a step; a list that shows how often the step was reached."""
    part = getattr(bench.shared, step.part)
    real: Callable[..., Awaitable[Any]] = getattr(part, step.function)
    calls: list[int] = []

    async def crashing(*args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls) + 1)
        if calls[-1] != step.call:
            return await real(*args, **kwargs)
        if step.after:
            await real(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(part, step.function, crashing)
    return calls


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_a_crash_at_any_step_loses_nothing(
    make_bench: MakeBench, clip: bytes, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    bench = await make_bench()
    event_id = await bench.clip(clip, ready=True)
    job = await bench.claim()
    with monkeypatch.context() as patch:
        calls = crash_at(bench, step, patch)
        with pytest.raises(Crash):
            await bench.shared.conversion.convert(job)
    assert calls[-1] == step.call

    source, playable = bench.root / bench.source_of(event_id), bench.playable_of(event_id)
    assert source.exists() or playable.exists()
    if source.exists():
        assert source.read_bytes() == clip
    if playable.exists():
        assert await asyncio.to_thread(packets, playable) == FRAMES
    event = await bench.seen(event_id)
    if event.mp4_conversion_status is ConversionStatus.COMPLETE:
        assert playable.exists()
    if not source.exists():
        assert event.mp4_conversion_status is ConversionStatus.COMPLETE

    # The next life, as the daemon begins it.
    after = await make_bench()
    await after.shared.jobs.give_back_own()
    await after.shared.files.sweep_temporaries(0, owner=INSTANCE)
    if (await after.job(event_id)).state is not JobState.DONE:
        assert (await convert(after)).attempt == 1
    await is_playable(after, event_id)


async def test_a_kill_in_the_middle_of_the_writing_leaves_only_what_the_next_start_sweeps(
    make_bench: MakeBench, clip: bytes
) -> None:
    """What a killed FFmpeg leaves no clean-up of ours has seen."""
    bench = await make_bench()
    event_id = await bench.clip(clip)
    await bench.claim()
    temporary = await bench.shared.files.temporary_for(target_of(bench.source_of(event_id)))
    temporary.write_bytes(b"half")
    foreign = temporary.with_name("7_video.h264.tmp")  # an agent's own, still being copied
    foreign.write_bytes(b"half")
    after = await make_bench()
    await after.shared.jobs.give_back_own()
    assert await after.shared.files.sweep_temporaries(0, owner=INSTANCE) == 1
    assert foreign.exists()
    foreign.unlink()
    await convert(after)
    await is_playable(after, event_id)


@pytest.mark.parametrize("function", ["temporary_for", "publish", "remove", "locate"])
@pytest.mark.parametrize(
    "error", [StorageUnavailableError(), PermissionError(13, "not allowed")], ids=["away", "denied"]
)
async def test_a_storage_that_fails_at_any_step_makes_the_job_wait(
    bench: Bench, clip: bytes, monkeypatch: pytest.MonkeyPatch, function: str, error: Exception
) -> None:
    event_id = await bench.clip(clip)

    async def fails(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(bench.shared.files, function, fails)
        await convert(bench)
    job = await bench.job(event_id)
    assert (job.state, job.attempts, job.last_error) == (JobState.QUEUED, 0, "The storage did not answer.")
    await bench.shared.files.sweep_temporaries(0, owner=INSTANCE)
    await bench.due_now()
    await convert(bench)
    await is_playable(bench, event_id)


async def test_a_lease_renewed_by_the_row_still_ends(bench: Bench, clip: bytes) -> None:
    """The check that the job is ours prolongs the lease by the settings' time, not for ever."""
    await bench.clip(clip)
    job = await bench.claim()
    await bench.shared.database.transact(
        lambda transaction: bench.shared.jobs.check_held(transaction, job, lease_seconds=LEASE_SECONDS)
    )
    ((left,),) = await bench.sql("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), lease_until) FROM jobs")
    assert 0 < left <= LEASE_SECONDS
    await bench.run_out()
    assert await JobQueue(bench.shared.database, OTHER).recover_stale() == 1
