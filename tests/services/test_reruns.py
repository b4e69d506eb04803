"""Descriptions made once more: one event, a range, or what failed; and when a backlog is done."""

from datetime import timedelta

import pytest

from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError
from securitycamd.domain.jobs import JobState
from securitycamd.domain.names import AnalysisState
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.domain.times import Span
from securitycamd.services import reruns
from securitycamd.services.ai_status import estimate
from securitycamd.services.reruns import Rerun
from tests.ai.conftest import jpeg
from tests.ollama_server import DESCRIPTION, OllamaServer, Reply
from tests.services.conftest import CAMERA, START, Bench
from tests.services.test_analysis import KIND, analyse, is_described, paths_of, record, server, still, stills
from tests.services.test_analysis import bench as bench_on_server

__all__ = ["bench_on_server", "server", "still"]
STRANGER = Principal("somebody", Audience.OPERATOR, frozenset({"camera_2"}))


@pytest.fixture
def bench(bench_on_server: Bench) -> Bench:
    return bench_on_server


async def test_an_event_is_described_once_more_and_keeps_its_words_until_then(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    event_id = await stills(bench, still, still)
    await analyse(bench)
    await stills(bench, still, still)  # a newer one waits, too
    await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)
    assert (await record(bench, event_id)).state is AnalysisState.AGAIN
    server.enqueue(Reply(text="A cat sits on the wall."), Reply.failing())
    with pytest.raises(Exception, match="failed"):
        assert (await analyse(bench)).event_id == event_id
    event = await bench.seen(event_id)
    assert (event.ai_processed, event.ai_description) == (True, DESCRIPTION), "half of the new is not mixed in"
    await bench.due_now()
    assert (await analyse(bench)).event_id == event_id
    assert (await bench.seen(event_id)).ai_description == "A cat sits on the wall."
    assert (await record(bench, event_id)).runs == 2


async def test_what_was_half_done_is_begun_anew_when_asked_for(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(text="A cat sits."), Reply.failing())
    with pytest.raises(Exception, match="failed"):
        await analyse(bench)
    await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)
    await analyse(bench)
    await is_described(bench, event_id)


async def test_a_failed_event_loses_its_complaint(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, b"no picture")
    await analyse(bench)
    assert (await bench.seen(event_id)).ai_error
    bench.write(paths_of(event_id)[1], still)
    await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)
    assert (await bench.seen(event_id)).ai_error is None
    await analyse(bench)
    await is_described(bench, event_id)


async def test_a_rerun_that_fails_leaves_the_words_that_were_there(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    await analyse(bench)
    bench.write(paths_of(event_id)[0], b"damaged meanwhile")
    await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)
    await analyse(bench)
    event = await bench.seen(event_id)
    assert event.ai_error
    assert (event.ai_processed, event.ai_description) == (True, DESCRIPTION)
    assert (await bench.job(event_id, KIND)).state is JobState.FAILED


async def test_an_event_that_was_described_before_there_were_jobs(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    await bench.sql("DELETE FROM jobs")
    await bench.sql("UPDATE events SET ai_processed = TRUE, ai_description = 'from an older system'")
    await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)
    await analyse(bench)
    await is_described(bench, event_id)


async def test_what_cannot_be_described_once_more_is_refused(bench: Bench, still: bytes) -> None:
    bare = await bench.event()
    event_id = await stills(bench, still, still)
    for who, wanted in ((STRANGER, event_id), (TRUSTED_OPERATOR, 2**40), (TRUSTED_OPERATOR, 4711)):
        with pytest.raises(NotFoundError):
            await bench.shared.reruns.one(who, wanted)
    with pytest.raises(ConflictError, match="no pictures"):
        await bench.shared.reruns.one(TRUSTED_OPERATOR, bare)
    await bench.claim(KIND)
    with pytest.raises(ConflictError, match="being described"):
        await bench.shared.reruns.one(TRUSTED_OPERATOR, event_id)


async def test_a_range_is_described_once_more(bench: Bench, still: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reruns, "BATCH", 2)
    monkeypatch.setattr(reruns, "CALL_LIMIT", 4)
    await bench.register("camera_2")
    events = [await stills(bench, still, still) for _ in range(7)]
    bare = await bench.event()
    for _ in events:
        await analyse(bench)
    service = bench.shared.reruns
    first = await service.some(TRUSTED_OPERATOR, Rerun())
    assert first.queued == 4
    assert first.next is not None
    rest = await service.some(TRUSTED_OPERATOR, Rerun(), first.next)
    assert (rest.queued, rest.next) == (3, None)
    states = [(await record(bench, event_id)).state for event_id in events]
    assert states == [AnalysisState.AGAIN] * 7
    assert (await record(bench, bare)).state is AnalysisState.WAITING
    for _ in events:
        await analyse(bench)
    assert [(await record(bench, event_id)).runs for event_id in events] == [2] * 7

    # Bounds: the first event is a second after START, and the end is not part of the span.
    some = Rerun(CAMERA, Span(START + timedelta(seconds=3), START + timedelta(seconds=5)))
    assert (await service.some(TRUSTED_OPERATOR, some)).queued == 2
    assert (await service.some(TRUSTED_OPERATOR, Rerun("camera_2"))).queued == 0
    assert (await service.some(STRANGER, Rerun())).queued == 0
    for who, camera_id in ((STRANGER, CAMERA), (TRUSTED_OPERATOR, "camera_99"), (TRUSTED_OPERATOR, "")):
        with pytest.raises(NotFoundError, match=f"There is no camera '{camera_id}'"):
            await service.some(who, Rerun(camera_id))


async def test_only_what_failed_is_described_once_more(bench: Bench, still: bytes) -> None:
    good = await stills(bench, still, still)
    bad = await stills(bench, still, b"no picture")
    for _ in range(2):
        await analyse(bench)
    assert (await bench.shared.reruns.some(TRUSTED_OPERATOR, Rerun(only_failed=True))).queued == 1
    assert (await record(bench, good)).state is AnalysisState.DONE
    assert (await bench.seen(bad)).ai_error is None


async def test_one_that_is_being_described_is_left_to_that(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, jpeg(80, 60))
    job = await bench.claim(KIND)
    waits = await stills(bench, still, still)
    assert (await bench.shared.reruns.some(TRUSTED_OPERATOR, Rerun())).queued == 1, "only what is queued is counted"
    assert (await bench.job(event_id, KIND)).state is JobState.RUNNING
    assert (await record(bench, waits)).state is AnalysisState.AGAIN
    await bench.shared.analysis.analyse(job)
    await is_described(bench, event_id)
    assert (await record(bench, event_id)).state is AnalysisState.DONE


async def test_reruns_wait_in_line_and_new_events_go_before_them(bench: Bench, still: bytes) -> None:
    old = [await stills(bench, still, still) for _ in range(3)]
    for _ in old:
        await analyse(bench)
    await bench.shared.reruns.some(TRUSTED_OPERATOR, Rerun())
    new = await stills(bench, still, still)
    order = [(await bench.claim(KIND)).event_id for _ in range(4)]
    assert order[:2] == [old[0], new], "the newest first, but for the turn of the oldest"


@pytest.mark.parametrize("place", ["", "x", "_", "2026-01-01_5", "2026-01-01T00:00:00+00:00_0", "9" * 70, "²_²"])
async def test_a_place_that_none_was_is_refused(bench: Bench, place: str) -> None:
    with pytest.raises(InvalidError):
        await bench.shared.reruns.some(TRUSTED_OPERATOR, Rerun(), place)


async def test_a_place_at_the_edge_of_time_is_no_error(bench: Bench) -> None:
    for place in ("0001-01-01T00:00:00+00:00_5", "9999-12-31T23:59:59+00:00_5", "0001-01-01T00:00:00+23:59_5"):
        assert (await bench.shared.reruns.some(TRUSTED_OPERATOR, Rerun(), place)).queued == 0


# --- when a backlog is done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waiting", "seconds_each", "concurrency", "arrivals_a_second", "expected"),
    [
        (0, None, 1, 0.0, (0.0, None)),
        (5, None, 1, 0.0, (None, None)),
        (10, 30.0, 1, 0.0, (300.0, True)),
        (10, 30.0, 2, 0.0, (150.0, True)),
        (10, 30.0, 1, 1 / 60, (600.0, True)),
        (10, 30.0, 1, 1 / 20, (None, False)),
        (0, 30.0, 1, 1 / 20, (0.0, False)),
    ],
)
def test_the_estimate(
    waiting: int,
    seconds_each: float | None,
    concurrency: int,
    arrivals_a_second: float,
    expected: tuple[float | None, bool | None],
) -> None:
    seconds, keeps_up = estimate(waiting, seconds_each, concurrency, arrivals_a_second)
    assert keeps_up is expected[1]
    assert seconds == (None if expected[0] is None else pytest.approx(expected[0]))


async def test_the_backlog_is_told_with_the_pace_of_late(bench: Bench, server: OllamaServer, still: bytes) -> None:
    for _ in range(3):
        await stills(bench, still, still)
    before = await bench.shared.ai_status.backlog()
    assert (before.waiting, before.seconds_each, before.seconds_left) == (3, None, None)
    server.enqueue(Reply(delay_seconds=0.2), Reply(delay_seconds=0.2))
    await analyse(bench)
    await bench.claim(KIND)
    after = await bench.shared.ai_status.backlog()
    assert (after.waiting, after.running, after.failed) == (1, 1, 0)
    assert after.seconds_each is not None
    assert 0.4 <= after.seconds_each < 20
    assert after.seconds_left == pytest.approx(2 * after.seconds_each, rel=0.01)
