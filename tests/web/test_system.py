"""The system page and its twin in the API, through the whole application."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from securitycamd.config import LastReload, differing
from securitycamd.domain.jobs import JobKind
from securitycamd.services import patience
from securitycamd.settings import Settings
from securitycamd.telemetry.gauges import KEPT, Gauges
from tests.conftest import Site

HTML = {"Accept": "text/html"}


async def page(site: Site, path: str = "/system") -> str:
    async with site.client.get(path, headers=HTML) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


async def fail_a_clip(site: Site) -> int:
    await site.register()
    event = await site.event()
    async with site.shared.database.session() as session:
        await session.script(
            "INSERT INTO jobs (event_id, kind, state, run_after, created_at, updated_at, last_error) VALUES"
            f" ({event['id']}, 'remux', 'failed', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),"
            " 'The clip holds <no> pictures.')"
        )
    return int(event["id"])


class TestReport:
    async def test_page_and_api_say_the_same(self, site: Site) -> None:
        event_id = await fail_a_clip(site)
        await site.shared.system.sample()
        await site.shared.system.look_at_others()
        state = await site.json("GET", "/api/v1/system")
        text = await page(site)
        remux = next(queue for queue in state["queues"] if queue["kind"] == "remux")
        assert (remux["waiting"], remux["failed"]) == (0, 1)
        assert [job["event_id"] for job in state["failed"]] == [event_id]
        assert "The clip holds &lt;no&gt; pictures." in text
        assert state["database"]["is_connected"]
        assert state["database"]["version"] == state["versions"]["MariaDB"]
        assert state["versions"]["MariaDB"] in text
        assert state["versions"]["FFmpeg"] in text
        assert state["versions"]["Ollama"] is None  # nothing listens there
        assert state["process"]["memory_bytes"] > 10_000_000
        assert len(state["samples"]) == 1

    async def test_without_the_database_it_still_tells_what_it_can(self, site: Site) -> None:
        await site.shared.database.close()
        state = await site.json("GET", "/api/v1/system")
        assert (state["queues"], state["failed"], state["failures"]) == (None, None, None)
        assert state["footage"]["free_bytes"] > 0
        assert "The queues are not known while the database is away" in await page(site)

    async def test_a_database_that_hangs_is_not_waited_for(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
        async with site.shared.database.session() as session:
            # Locked tables: whoever asks for them waits, as on a disk that hangs.
            await session.script("LOCK TABLES jobs WRITE, cameras WRITE, logs WRITE, events WRITE")
            started = time.monotonic()
            text = await page(site)
            assert time.monotonic() - started < 3
            await session.script("UNLOCK TABLES")
        assert "The queues are not known while the database is away" in text
        assert "The state of the cameras is not known here." in text
        assert "The queues are not known" not in await page(site)

    async def test_the_descriptions_are_told_as_their_own_address_tells_them(self, site: Site) -> None:
        state, alone = await site.json("GET", "/api/v1/system"), await site.json("GET", "/api/v1/ai")
        assert state["ai"]["backlog"].keys() == alone["backlog"].keys()
        moving = {"breaker": None, "backlog": None}
        assert state["ai"] | moving == alone | moving
        text = await page(site)
        assert "Descriptions" in text
        assert alone["vision_model"] in text
        await site.shared.database.close()
        assert (await site.json("GET", "/api/v1/system"))["ai"]["backlog"] is None
        assert "not known while the database is away" in await page(site)

    async def test_what_the_server_complained_of_is_there(self, site: Site) -> None:
        line = {"source": "central", "timestamp": "2026-03-01T10:00:00", "level": "WARNING", "message": "Beware & more"}
        await site.json("POST", "/api/v1/logs", json=[line, line | {"level": "INFO", "message": "All fine"}])
        text = await page(site)
        assert "Beware &amp; more" in text
        assert "All fine" not in text

    async def test_the_last_reload_is_told(self, site: Site) -> None:
        site.settings.last_reload = LastReload(datetime.now(UTC), ("server.port = 'x': must be a number",), (), ())
        assert "the settings from before are in force" in await page(site)
        site.settings.last_reload = LastReload(datetime.now(UTC), (), ("site.name",), ("server.port",))
        text = await page(site)
        assert "Applied: site.name." in text
        assert "Needs a restart: server.port." in text

    async def test_the_part_that_is_fetched_again_is_the_page_without_its_frame(self, site: Site) -> None:
        part = await page(site, "/system/live")
        assert "<html" not in part
        shown = re.sub(r"\s+", " ", await page(site))
        assert re.findall(r"<h2[^>]*>([^<]*)", part) == re.findall(r"<h2[^>]*>([^<]*)", shown)


class TestForms:
    async def test_a_failed_job_is_tried_again(self, site: Site) -> None:
        event_id = await fail_a_clip(site)
        address = f"/system/events/{event_id}/jobs/remux/retry"
        async with site.client.post(address, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/system#failed")
        state = await site.json("GET", "/api/v1/system")
        assert state["failed"] == []
        [remux] = [queue for queue in state["queues"] if queue["kind"] == "remux"]
        assert remux["waiting"] == 1

    async def test_all_failed_jobs_of_a_kind_are_tried_again(self, site: Site) -> None:
        await fail_a_clip(site)
        async with site.client.post("/system/jobs/remux/retry-failed", allow_redirects=False) as response:
            assert response.status == 303
        assert (await site.json("GET", "/api/v1/system"))["failed"] == []

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/system/tasks/nothing/pause", 404),
            ("/system/tasks/linker/explode", 422),
            ("/system/jobs/dance/retry-failed", 422),
            ("/system/events/999/jobs/remux/retry", 404),
        ],
    )
    async def test_what_cannot_be_done_is_a_page(self, site: Site, path: str, status: int) -> None:
        async with site.client.post(path) as response:
            assert (response.status, response.content_type) == (status, "text/html")

    async def test_a_stranger_sees_and_changes_nothing(self, make_site: Callable[..., Any]) -> None:
        site = await make_site(agents={"trusted_networks": ["10.9.8.0/24"]})
        for method, path in (("GET", "/system"), ("GET", "/system/live"), ("POST", "/system/tasks/linker/pause")):
            async with site.client.request(method, path) as response:
                assert response.status == 403


async def test_how_fast_a_queue_moves_tells_when_it_is_empty(site: Site) -> None:
    event_id = await fail_a_clip(site)
    await site.json("POST", f"/api/v1/events/{event_id}/jobs/remux/retry")
    before = await site.json("GET", "/api/v1/system")
    assert next(queue for queue in before["queues"] if queue["kind"] == "remux")["empty_in_seconds"] is None
    site.shared.jobs.ended[JobKind.REMUX] += 30
    state = await site.json("GET", "/api/v1/system")
    [remux] = [queue for queue in state["queues"] if queue["kind"] == "remux"]
    assert remux["ended_per_hour"] > 0
    assert remux["empty_in_seconds"] == pytest.approx(3600 / remux["ended_per_hour"])


async def test_gauges_keep_a_bounded_number_of_samples() -> None:
    gauges = Gauges()
    gauges.note_lag(0.2)
    gauges.note_lag(0.1)
    first = await gauges.take(database_seconds=None, waiting={"remux": 3})
    assert (first.loop_lag_seconds, first.waiting) == (0.2, {"remux": 3})
    assert (await gauges.take(database_seconds=0.1, waiting={})).loop_lag_seconds == 0
    for _ in range(KEPT):
        await gauges.take(database_seconds=None, waiting={})
    assert len(gauges.samples) == KEPT


def test_settings_are_shown_without_their_secrets() -> None:
    settings = Settings.model_validate(
        {
            "site": {"name": "Cabin"},
            "database": {"url": "mysql://cam:hunter2@db.example:3306/cams"},
            "analyser": {"url": "http://me:hunter2@ai.example:11434"},
        }
    )
    shown = differing(settings)
    assert shown["site.name"] == "Cabin"
    assert shown["database.url"] == "mysql://(hidden)@db.example:3306/cams"
    assert "hunter2" not in str(shown)
    assert differing(Settings()) == {}
