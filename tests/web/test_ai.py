"""The API of the descriptions, and the button of the event's page."""

import asyncio
from typing import Any

import pytest

from securitycamd.domain.jobs import JobKind
from tests.ai.conftest import jpeg
from tests.conftest import Site
from tests.ollama_server import OllamaServer

AI = "/api/v1/ai"


async def event_with_stills(site: Site, second: int = 0) -> int:
    event_id = int((await site.event(timestamp=f"2025-10-28T14:30:{second:02}"))["id"])
    for letter, width in (("a", 160), ("b", 80)):
        path = f"camera_1/pictures/{event_id}_{letter}.jpg"
        target = site.root / path
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(target.write_bytes, jpeg(width, 90))
        told = {"file_type": f"image_{letter}", "file_path": path, "transferred": True}
        await site.json("PATCH", f"/api/v1/events/{event_id}/files", json=told)
    return event_id


async def describe(site: Site) -> None:
    job = await site.shared.jobs.claim(JobKind.ANALYSE, lease_seconds=30)
    assert job is not None
    await site.shared.analysis.analyse(job)
    site.shared.jobs.let_go(job)


async def test_how_a_description_came_about(make_site: Any) -> None:
    async with OllamaServer() as server:
        site = await make_site(analyser={"url": server.url})
        await site.register()
        event_id = await event_with_stills(site)
        url = f"/api/v1/events/{event_id}/analysis"
        waiting = await site.json("GET", url)
        assert (waiting["state"], waiting["vision_model"], waiting["runs"]) == ("waiting", None, 0)
        await describe(site)
        done = await site.json("GET", url)
        assert done["event_id"] == event_id
        assert (done["state"], done["read_by"], done["runs"]) == ("done", "schema", 1)
        assert (done["vision_model"], done["text_model"]) == ("moondream", "deepseek-r1")
        assert done["vision_seconds"] > 0
        assert done["still_notes"] == []
        assert done["finished_at"].endswith(("+01:00", "+02:00"))
        event = await site.json("GET", f"/api/v1/events/{event_id}")
        assert event["ai_category"] == "person"
        await site.json("GET", "/api/v1/events/4711/analysis", status=404)
        await site.json("GET", f"/api/v1/events/{2**70}/analysis", status=404)


async def test_how_the_descriptions_stand(make_site: Any) -> None:
    async with OllamaServer() as server:
        site = await make_site(analyser={"url": server.url})
        first = await site.json("GET", AI)
        assert (first["reachable"], first["message"], first["breaker"]["state"]) == (None, None, "closed")
        assert first["backlog"]["waiting"] == 0
        await site.register()
        await event_with_stills(site)
        assert await site.shared.ai_gate.admit()
        there = await site.json("GET", AI)
        assert (there["reachable"], there["ready"], there["missing_models"]) == (True, True, [])
        assert there["backlog"]["waiting"] == 1
        assert there["backlog"]["seconds_left"] is None
        await describe(site)
        done = await site.json("GET", AI)
        assert done["backlog"]["seconds_each"] > 0
        assert done["backlog"]["done_at"]
        await event_with_stills(site, 1)
        assert (await site.json("GET", AI))["backlog"]["done_at"]
        site.shared.ai_gate.failed("It is gone.")
        held = await site.json("GET", AI)
        assert held["backlog"]["seconds_left"] > 0
        assert held["backlog"]["done_at"] is None, "nobody knows when it goes on"
        server.models.clear()
        await site.shared.ai_gate.look()
        missing = await site.json("GET", AI)
        assert missing["missing_models"] == ["moondream", "deepseek-r1"]
        assert missing["message"].endswith("run: securitycamd ai pull")


async def test_a_breaker_that_is_open_is_told(make_site: Any) -> None:
    site = await make_site(analyser={"url": "http://127.0.0.1:9"})
    assert not await site.shared.ai_gate.admit()
    told = await site.json("GET", AI)
    assert told["breaker"]["state"] == "open"
    assert "cannot be reached" in told["breaker"]["reason"]
    assert told["breaker"]["next_probe_at"] > told["breaker"]["since"]


async def test_events_are_described_once_more(make_site: Any) -> None:
    async with OllamaServer() as server:
        site = await make_site(analyser={"url": server.url})
        await site.register()
        events = [await event_with_stills(site, second) for second in range(3)]
        for _ in events:
            await describe(site)
        one = await site.json("POST", f"/api/v1/events/{events[0]}/analysis/rerun")
        assert one == {"kind": "analyse", "queued": 1}
        some = await site.json(
            "POST", f"{AI}/rerun", json={"start_date": "2025-10-28T14:30:01", "camera_id": "camera_1"}
        )
        assert some == {"queued": 2, "next": None}
        assert await site.json("POST", f"{AI}/rerun", json={"date": "2025-10-29"}) == {"queued": 0, "next": None}
        assert await site.json("POST", f"{AI}/rerun", json={"only_failed": True}) == {"queued": 0, "next": None}
        for _ in events:
            await describe(site)
        assert (await site.json("GET", f"/api/v1/events/{events[0]}/analysis"))["runs"] == 2
        async with site.client.post(f"/events/{events[1]}/describe-again", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"/events/{events[1]}")
        assert (await site.json("GET", f"/api/v1/events/{events[1]}/analysis"))["state"] == "again"


async def test_the_page_describes_a_range_once_more(make_site: Any) -> None:
    async with OllamaServer() as server:
        site = await make_site(analyser={"url": server.url})
        await site.register()
        for second in range(3):
            await event_with_stills(site, second)
            await describe(site)
        address = "/system/describe-again"
        for form, queued, words in (
            ({"camera_id": "camera_1", "start_date": "2025-10-28", "end_date": "2025-10-28"}, 3, "3 events wait to be"),
            ({"end_date": "2025-10-27"}, 0, "No event with both pictures fits that."),
            ({"only_failed": "yes"}, 0, "No event with both pictures fits that."),
            ({"camera_id": "", "start_date": "", "end_date": ""}, 3, "3 events wait to be"),
        ):
            async with site.client.post(address, data=form) as response:
                assert (response.status, response.url.query_string) == (200, f"queued={queued}")
                assert words in await response.text()
        for wrong, status in (({"camera_id": "camera_9"}, 404), ({"start_date": "soon"}, 422)):
            async with site.client.post(address, data=wrong) as response:
                assert response.status == status
        async with site.client.get(f"{address}?queued=x") as response:
            assert "wait to be" not in await response.text()


@pytest.mark.parametrize("body", [{"date": "someday"}, {"next": "nowhere"}, {"camera_id": "../x"}, {"start_date": "x"}])
async def test_a_rerun_of_nothing_that_can_be_is_refused(site: Site, body: dict[str, str]) -> None:
    await site.json("POST", f"{AI}/rerun", json=body, status=422)
