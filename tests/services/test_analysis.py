"""One claimed event after another described by a stand-in for Ollama."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from securitycamd.ai.parsing import NOTHING_TO_SEE
from securitycamd.ai.prompts import PROMPT_VERSION
from securitycamd.domain.errors import AiUnavailableError
from securitycamd.domain.jobs import MAX_ATTEMPTS, Job, JobKind, JobState
from securitycamd.domain.models import AnalysisRecord
from securitycamd.domain.names import AnalysisState, FileType, ReadBy, StillNote
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.services.jobs import JobQueue, LeaseLostError
from securitycamd.settings import AnalyserSettings
from tests.ai.conftest import black, jpeg
from tests.ollama_server import DESCRIPTION, STRUCTURE, OllamaServer, Reply
from tests.services.conftest import CAMERA, Bench, MakeBench

KIND = JobKind.ANALYSE
OTHER = "00000000000000bb"


@pytest.fixture(scope="session")
def still() -> bytes:
    return jpeg(160, 120)


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer() as running:
        yield running


@pytest.fixture
async def bench(make_bench: MakeBench, server: OllamaServer) -> Bench:
    return await make_bench(analyser={"url": server.url, "timeout_seconds": 5})


def paths_of(event_id: int) -> tuple[str, str]:
    return f"{CAMERA}/pictures/{event_id}_a.jpg", f"{CAMERA}/pictures/{event_id}_b.jpg"


async def stills(bench: Bench, first: bytes | None, second: bytes | None) -> int:
    """An event whose stills were reported; ``None``: it is not on the share."""
    event_id = await bench.event()
    for path, content, file_type in zip(
        paths_of(event_id), (first, second), (FileType.IMAGE_A, FileType.IMAGE_B), strict=True
    ):
        if content is not None:
            bench.write(path, content)
        await bench.report(event_id, file_type, path)
    return event_id


async def analyse(bench: Bench) -> Job:
    """Claim the next event and have it described."""
    job = await bench.claim(KIND)
    try:
        await bench.shared.analysis.analyse(job)
    finally:
        bench.shared.jobs.let_go(job)
    return job


async def record(bench: Bench, event_id: int) -> AnalysisRecord:
    return await bench.shared.ai_status.of_event(TRUSTED_OPERATOR, event_id)


async def is_described(bench: Bench, event_id: int) -> None:
    event = await bench.seen(event_id)
    assert event.ai_processed
    assert event.ai_processed_at is not None
    assert event.ai_description == DESCRIPTION
    assert event.ai_phrase == STRUCTURE["phrase"]
    assert event.ai_person_detected is True
    assert json.loads(event.ai_objects or "") == STRUCTURE["objects"]
    assert event.ai_category == STRUCTURE["category"]
    assert event.ai_error is None
    assert (await bench.job(event_id, KIND)).state is JobState.DONE


async def test_an_event_with_both_stills_is_described(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, jpeg(200, 120))
    await analyse(bench)
    await is_described(bench, event_id)
    assert [chat.model for chat in server.chats] == ["moondream", "deepseek-r1"]
    assert len(server.chats[0].images) == 2


async def test_one_still_is_no_job_yet(bench: Bench, still: bytes) -> None:
    event_id = await bench.event()
    bench.write(paths_of(event_id)[0], still)
    await bench.report(event_id, FileType.IMAGE_A, paths_of(event_id)[0])
    assert await bench.shared.jobs.claim(KIND, lease_seconds=1) is None


@pytest.mark.parametrize("trouble", ["away", "loading", "failing", "no model", "cut"])
async def test_with_the_server_in_trouble_the_job_waits_and_costs_nothing(
    bench: Bench, server: OllamaServer, still: bytes, trouble: str
) -> None:
    event_id = await stills(bench, still, still)
    models = server.models
    match trouble:
        case "away":
            await server.stop()
        case "loading":
            server.always = Reply.loading()
        case "failing":
            server.always = Reply.failing()
        case "no model":
            server.models = {}
        case "cut":
            server.always = Reply(cut=True)
    for _ in range(MAX_ATTEMPTS + 1):
        await bench.due_now()
        with pytest.raises(AiUnavailableError):
            await analyse(bench)
    job = await bench.job(event_id, KIND)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert job.last_error
    assert (await bench.seen(event_id)).ai_error is None
    if trouble == "away":
        await server.start()
    server.models = models
    server.always = None
    await bench.due_now()
    await analyse(bench)
    await is_described(bench, event_id)


async def test_an_event_is_not_lost_when_the_server_goes_between_the_stages(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(), Reply.failing())
    with pytest.raises(AiUnavailableError):
        await analyse(bench)
    assert not (await bench.seen(event_id)).ai_processed
    await bench.due_now()
    await analyse(bench)
    await is_described(bench, event_id)


async def test_stills_that_are_no_pictures_fail_and_are_tried_again_when_told_anew(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, b"no picture")
    await analyse(bench)
    job = await bench.job(event_id, KIND)
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    event = await bench.seen(event_id)
    assert event.ai_error == job.last_error
    assert not event.ai_processed
    path = paths_of(event_id)[1]
    bench.write(path, still)
    await bench.report(event_id, FileType.IMAGE_B, path)
    await analyse(bench)
    await is_described(bench, event_id)


async def test_a_still_that_is_missing_yet_is_waited_for(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, None)
    await analyse(bench)
    job = await bench.job(event_id, KIND)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert await bench.shared.jobs.claim(KIND, lease_seconds=1) is None, "it waits a little"
    bench.write(paths_of(event_id)[1], still)
    await bench.due_now()
    await analyse(bench)
    await is_described(bench, event_id)


async def test_with_one_still_that_never_arrives_the_other_is_looked_at(
    bench: Bench, server: OllamaServer, still: bytes
) -> None:
    event_id = await stills(bench, None, still)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 1 DAY")
    await analyse(bench)
    await is_described(bench, event_id)
    assert len(server.chats[0].images) == 1
    assert (await record(bench, event_id)).still_notes == (StillNote.SINGLE,)


async def test_stills_that_never_arrive_fail(bench: Bench) -> None:
    event_id = await stills(bench, None, None)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 1 DAY")
    await analyse(bench)
    assert (await bench.job(event_id, KIND)).state is JobState.FAILED
    assert (await bench.seen(event_id)).ai_error == "The stills never arrived on the share."


async def test_no_verdict_on_stills_while_the_storage_root_is_away(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    await bench.sql("UPDATE jobs SET created_at = created_at - INTERVAL 1 DAY")
    away = bench.root.with_name("away")
    bench.root.rename(away)
    await analyse(bench)
    assert (await bench.job(event_id, KIND)).state is JobState.QUEUED
    away.rename(bench.root)
    await bench.shared.storage.watch()  # as the guard's task does
    await bench.due_now()
    await analyse(bench)
    await is_described(bench, event_id)


async def test_a_still_outside_the_root_is_never_read(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, None)
    outside = bench.root.with_name("outside.jpg")
    outside.write_bytes(still)
    (bench.root / paths_of(event_id)[1]).symlink_to(outside)
    await analyse(bench)
    assert (await bench.job(event_id, KIND)).state is JobState.FAILED
    assert server.chats == []


async def test_switched_off_the_job_is_left_for_later_or_for_others(make_bench: MakeBench, still: bytes) -> None:
    bench = await make_bench(analyser={"enabled": False})
    event_id = await stills(bench, still, still)
    await analyse(bench)
    job = await bench.job(event_id, KIND)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)


async def test_what_is_described_already_is_done(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    await bench.sql("UPDATE events SET ai_processed = TRUE")
    await analyse(bench)
    assert (await bench.job(event_id, KIND)).state is JobState.DONE
    assert server.chats == []


async def test_who_lost_the_lease_keeps_nothing(bench: Bench, server: OllamaServer, still: bytes) -> None:
    """Another daemon has taken the event over while the model was still thinking."""
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(delay_seconds=0.5))
    job = await bench.claim(KIND)
    slow = asyncio.create_task(bench.shared.analysis.analyse(job))
    async with asyncio.timeout(10):
        await server.waiting.wait()
    await bench.run_out()
    other = JobQueue(bench.shared.database, OTHER)
    assert await other.recover_stale() == 1
    assert await other.claim(KIND, lease_seconds=30) is not None
    with pytest.raises(LeaseLostError):
        await slow
    event = await bench.seen(event_id)
    assert (event.ai_processed, event.ai_description) == (False, None)
    assert (await bench.job(event_id, KIND)).state is JobState.RUNNING


async def test_new_settings_are_used_by_the_next_analysis(bench: Bench, server: OllamaServer, still: bytes) -> None:
    server.models["other:latest"] = frozenset({"completion", "vision"})
    old = bench.shared.settings.current
    for _ in range(2):
        await stills(bench, still, still)
    await analyse(bench)
    changed = AnalyserSettings.model_validate(old.analyser.model_dump() | {"vision_model": "other"})
    bench.shared.settings.current = old.model_copy(update={"analyser": changed})
    await analyse(bench)
    assert [chat.model for chat in server.chats] == ["moondream", "deepseek-r1", "other", "deepseek-r1"]


async def test_models_prompts_and_times_are_kept(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, jpeg(200, 120))
    assert (await record(bench, event_id)).state is AnalysisState.WAITING
    server.enqueue(Reply(delay_seconds=0.1), Reply(text="no"), Reply(delay_seconds=0.1))
    await analyse(bench)
    kept = await record(bench, event_id)
    assert (kept.state, kept.runs, kept.faults) == (AnalysisState.DONE, 1, 0)
    assert (kept.vision_model, kept.text_model) == ("moondream", "deepseek-r1")
    assert kept.vision_seconds is not None
    assert kept.text_seconds is not None
    assert 0.1 <= kept.vision_seconds < 20
    assert 0.1 <= kept.text_seconds < 20
    assert kept.prompt_version == PROMPT_VERSION
    assert kept.read_by is ReadBy.REPEAT
    assert kept.still_notes == ()
    assert kept.finished_at == (await bench.seen(event_id)).ai_processed_at


async def test_stills_that_are_the_same_are_noted(bench: Bench, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    await analyse(bench)
    assert (await record(bench, event_id)).still_notes == (StillNote.IDENTICAL,)


async def test_in_one_call_there_is_no_text_model(make_bench: MakeBench, server: OllamaServer, still: bytes) -> None:
    bench = await make_bench(analyser={"url": server.url, "one_call": True})
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(text=json.dumps({"description": DESCRIPTION, **STRUCTURE})))
    await analyse(bench)
    await is_described(bench, event_id)
    kept = await record(bench, event_id)
    assert (kept.vision_model, kept.text_model, kept.text_seconds) == ("moondream", None, None)
    assert kept.read_by is ReadBy.SCHEMA


async def test_black_stills_are_described_without_a_model(bench: Bench, server: OllamaServer) -> None:
    picture = black()
    event_id = await stills(bench, picture, picture)
    await server.stop()
    await analyse(bench)
    event = await bench.seen(event_id)
    assert event.ai_processed
    assert event.ai_person_detected is False
    assert event.ai_description == NOTHING_TO_SEE
    assert (await record(bench, event_id)).read_by is ReadBy.STILLS


@pytest.mark.parametrize("trouble", [Reply.failing(), Reply(cut=True), Reply.loading()], ids=["500", "cut", "loading"])
async def test_what_the_vision_model_said_is_kept_and_finished_later(
    bench: Bench, server: OllamaServer, still: bytes, trouble: Reply
) -> None:
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(), trouble)
    with pytest.raises(AiUnavailableError):
        await analyse(bench)
    event = await bench.seen(event_id)
    assert (event.ai_processed, event.ai_description, event.ai_phrase) == (False, DESCRIPTION, None)
    half = await record(bench, event_id)
    assert (half.state, half.description, half.vision_model) == (AnalysisState.DESCRIBED, DESCRIPTION, "moondream")
    await bench.due_now()
    await analyse(bench)
    await is_described(bench, event_id)
    assert [chat.model for chat in server.chats] == ["moondream", "deepseek-r1", "deepseek-r1"]
    done = await record(bench, event_id)
    assert (done.state, done.description, done.runs) == (AnalysisState.DONE, None, 1)
    assert done.vision_seconds == half.vision_seconds


async def test_the_lease_is_renewed_while_a_model_is_slow(
    make_bench: MakeBench, server: OllamaServer, still: bytes
) -> None:
    bench = await make_bench(analyser={"url": server.url, "lease_seconds": 2})
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(delay_seconds=5))
    job = await bench.shared.jobs.claim(KIND, lease_seconds=2)
    assert job is not None
    other = JobQueue(bench.shared.database, OTHER)
    slow = asyncio.create_task(bench.shared.analysis.analyse(job))
    while not slow.done():
        assert await other.recover_stale() == 0
        await asyncio.sleep(0.1)
    await slow
    await is_described(bench, event_id)
    assert len(server.chats) == 2


async def test_who_lost_the_lease_keeps_no_half_either(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    server.enqueue(Reply(delay_seconds=0.5))
    job = await bench.claim(KIND)
    slow = asyncio.create_task(bench.shared.analysis.analyse(job))
    async with asyncio.timeout(10):
        await server.waiting.wait()
    await bench.sql("UPDATE jobs SET lease_owner = 'somebody else'")
    with pytest.raises(LeaseLostError):
        await slow
    assert (await bench.seen(event_id)).ai_description is None
    assert (await record(bench, event_id)).state is AnalysisState.WAITING


async def test_no_more_is_said_than_can_be_kept(bench: Bench, server: OllamaServer, still: bytes) -> None:
    event_id = await stills(bench, still, still)
    endless = {**STRUCTURE, "phrase": "word " * 5000, "objects": [{"label": "x" * 9000, "count": 10**12}] * 500}
    server.enqueue(Reply(text="A man\x00 walks.\u202e " * 5000), Reply(text=json.dumps(endless)[:15_000] + "}"))
    await analyse(bench)
    event = await bench.seen(event_id)
    assert event.ai_processed
    assert len(event.ai_description or "") <= 4000
    assert "\x00" not in (event.ai_description or "")
    assert len(event.ai_phrase or "") <= 200
