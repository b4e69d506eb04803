"""What failed is tried again when an operator says so: by the service, the API and the page."""

from typing import Any

import pytest

from securitycamd.domain.errors import ConflictError, NotFoundError
from securitycamd.domain.jobs import JobKind, JobState
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.services import retries
from tests.conftest import Site
from tests.services.conftest import Bench

REMUX = JobKind.REMUX
STRANGER = Principal("somebody", Audience.OPERATOR, frozenset({"camera_2"}))
NOBODY = Principal("nobody", Audience.OPERATOR, frozenset())


async def failed(bench: Bench, camera_id: str = "camera_1") -> int:
    """An event whose clip is no video."""
    event_id = await bench.clip(b"no video at all", camera_id=camera_id)
    job = await bench.claim()
    assert job.event_id == event_id
    await bench.shared.conversion.convert(job)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.FAILED
    return event_id


async def test_a_failed_clip_waits_again_before_all_others(bench: Bench, clip: bytes) -> None:
    event_id = await failed(bench)
    await bench.clip(clip)
    bench.write(bench.source_of(event_id), clip)
    await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, REMUX)
    job = await bench.job(event_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.PENDING
    claimed = await bench.claim()
    assert claimed.event_id == event_id
    await bench.shared.conversion.convert(claimed)
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.COMPLETE


async def test_what_failed_again_stands_in_the_list_by_its_event(bench: Bench) -> None:
    first, second = await failed(bench), await failed(bench)
    await bench.shared.retries.retry(TRUSTED_OPERATOR, first, REMUX)
    await bench.shared.conversion.convert(await bench.claim())
    listed = await bench.shared.retries.newest(TRUSTED_OPERATOR, [REMUX], JobState.FAILED, limit=9)
    assert [job.event_id for job in listed] == [second, first]


async def test_what_waits_for_its_turn_is_tried_now(bench: Bench) -> None:
    event_id = await bench.clip(None)
    await bench.shared.conversion.convert(await bench.claim())
    assert await bench.shared.jobs.claim(REMUX, lease_seconds=30) is None
    await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, REMUX)
    assert (await bench.claim()).event_id == event_id


async def test_what_runs_or_was_done_or_is_not_there_is_refused(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    job = await bench.claim()
    with pytest.raises(ConflictError, match="running"):
        await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, REMUX)
    await bench.shared.conversion.convert(job)
    with pytest.raises(ConflictError, match="done"):
        await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, REMUX)
    for wanted, kind, who in (
        (event_id, JobKind.ANALYSE, TRUSTED_OPERATOR),
        (event_id, REMUX, STRANGER),
        (2**40, REMUX, TRUSTED_OPERATOR),
    ):
        with pytest.raises(NotFoundError):
            await bench.shared.retries.retry(who, wanted, kind)


async def test_what_was_done_with_a_complaint_is_tried_again(bench: Bench) -> None:
    event_id = await failed(bench)
    await bench.sql("UPDATE jobs SET state = 'done'")
    await bench.shared.retries.retry(TRUSTED_OPERATOR, event_id, REMUX)
    assert (await bench.job(event_id)).state is JobState.QUEUED


async def test_a_description_that_failed_loses_its_complaint(bench: Bench) -> None:
    event_id = await bench.event()
    await bench.sql(
        "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at) VALUES"
        f" ({event_id}, 'analyse', 'failed', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
    )
    await bench.sql(f"UPDATE events SET ai_error = 'No picture.' WHERE id = {event_id}")
    assert await bench.shared.retries.retry_failed(TRUSTED_OPERATOR, JobKind.ANALYSE) == 1
    assert (await bench.seen(event_id)).ai_error is None


async def test_all_failed_are_tried_again_in_batches(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "BATCH", 2)
    await bench.register("camera_2")
    ids = [await failed(bench) for _ in range(3)] + [await failed(bench, "camera_2") for _ in range(2)]
    service = bench.shared.retries
    listed = await service.newest(TRUSTED_OPERATOR, list(JobKind), JobState.FAILED, limit=10)
    assert [job.event_id for job in listed] == ids[::-1]
    assert all(job.last_error for job in listed)
    assert len(await service.newest(TRUSTED_OPERATOR, list(JobKind), JobState.FAILED, limit=3)) == 3
    assert await service.newest(NOBODY, list(JobKind), JobState.FAILED, limit=3) == []
    theirs = await service.newest(STRANGER, [REMUX], JobState.FAILED, limit=10)
    assert [job.event_id for job in theirs] == ids[:2:-1]
    assert await service.retry_failed(NOBODY, REMUX) == 0
    assert await service.retry_failed(STRANGER, REMUX) == 2
    assert (await bench.job(ids[0])).state is JobState.FAILED
    assert await service.retry_failed(TRUSTED_OPERATOR, REMUX) == 3
    assert await service.retry_failed(TRUSTED_OPERATOR, REMUX) == 0
    assert {(await bench.seen(event_id)).mp4_conversion_status for event_id in ids} == {ConversionStatus.PENDING}


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def failed_over_http(site: Site) -> int:
    await site.register()
    event_id = int((await site.event())["id"])
    path = f"camera_1/videos/{event_id}_video.h264"
    (site.root / "camera_1/videos").mkdir(parents=True, exist_ok=True)
    (site.root / path).write_bytes(b"no video at all")
    body = {"file_type": "video", "file_path": path, "transferred": True}
    await site.json("PATCH", f"/api/v1/events/{event_id}/files", json=body)
    job = await site.shared.jobs.claim(REMUX, lease_seconds=30)
    assert job is not None
    await site.shared.conversion.convert(job)
    return event_id


async def test_the_api_lists_and_retries(site: Site) -> None:
    event_id = await failed_over_http(site)
    (listed,) = await site.json("GET", "/api/v1/jobs?kind=remux")
    assert (listed["event_id"], listed["state"], listed["progress"]) == (event_id, "failed", None)
    assert await site.json("GET", "/api/v1/jobs?state=running") == []
    address = f"/api/v1/events/{event_id}/jobs"
    assert await site.json("POST", f"{address}/remux/retry") == {"kind": "remux", "queued": 1}
    assert (await site.json("GET", f"/api/v1/events/{event_id}"))["mp4_conversion_status"] == "pending"
    (job,) = await site.json("GET", address)
    assert (job["state"], job["attempts"], job["progress"]) == ("queued", 0, None)
    claimed = await site.shared.jobs.claim(REMUX, lease_seconds=30)
    assert claimed is not None
    site.shared.jobs.progress_of(claimed)(0.5)
    (job,) = await site.json("GET", address)
    assert (job["state"], job["progress"]) == ("running", 0.5)
    await site.json("POST", f"{address}/remux/retry", status=409)
    await site.json("POST", f"{address}/stills/retry", status=404)
    await site.json("POST", f"{address}/cook/retry", status=422)
    assert await site.json("POST", "/api/v1/jobs/remux/retry-failed") == {"kind": "remux", "queued": 0}


async def test_the_page_says_why_and_has_a_button(site: Site) -> None:
    event_id = await failed_over_http(site)
    address = f"/events/{event_id}"

    async def page() -> str:
        async with site.client.get(address) as response:
            assert response.status == 200
            return await response.text()

    shown = await page()
    assert "The file is not H.264 video." in shown
    assert f'<form method="post" action="{address}/retry/remux" data-retry="remux">' in shown
    arguments: dict[str, Any] = {"allow_redirects": False, "headers": {"Sec-Fetch-Site": "same-origin"}}
    async with site.client.post(f"{address}/retry/remux", **arguments) as response:
        assert (response.status, response.headers["Location"]) == (303, address)
    assert "/retry" not in await page()
    claimed = await site.shared.jobs.claim(REMUX, lease_seconds=30)
    assert claimed is not None
    async with site.client.post(f"{address}/retry/remux", **arguments) as response:
        assert response.status == 409
        assert response.content_type == "text/html"
    arguments["headers"] = {"Sec-Fetch-Site": "cross-site"}
    async with site.client.post(f"{address}/retry/remux", **arguments) as response:
        assert response.status == 403


async def test_the_page_says_what_was_saved(site: Site) -> None:
    event_id = await failed_over_http(site)
    (site.root / "camera_1/videos/small.mp4").write_bytes(b"x" * 5_100_000)
    async with site.shared.database.session() as session:
        await session.script(
            "UPDATE events SET video_mp4_path = 'camera_1/videos/small.mp4', mp4_conversion_status = 'optimized',"
            f" saved_bytes = 12800000 WHERE id = {event_id}"
        )
    async with site.client.get(f"/events/{event_id}") as response:
        assert "5.1 MB, was 17.9 MB" in (await response.text()).replace("\u00a0", " ").replace("\u202f", " ")
