"""The stream of changes through the whole application."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from securitycamd.domain.principal import Audience, Principal
from securitycamd.web import middleware
from securitycamd.web.api import stream as module
from tests.conftest import Site

PATIENCE = 20


@dataclass
class Stream:
    response: aiohttp.ClientResponse
    mark: str = ""

    async def next(self) -> tuple[str, Any]:
        """The next message that is one: its name and data."""
        name, data = "", ""
        async with asyncio.timeout(PATIENCE):
            async for raw in self.response.content:
                line = raw.decode().rstrip("\n")
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.mark = value
                elif field == "data":
                    data = value
                elif not line and name:
                    return name, json.loads(data)
        return "", None

    async def changes(self) -> list[dict[str, Any]]:
        name, data = await self.next()
        assert name == "changes", name
        return list(data)


@asynccontextmanager
async def listening(site: Site, **arguments: Any) -> AsyncIterator[Stream]:
    async with site.client.get("/api/v1/stream", **arguments) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["X-Accel-Buffering"] == "no"
        found = Stream(response)
        assert (await found.next())[0] == "hello"
        yield found


async def test_an_event_is_told_as_it_comes_and_as_it_changes(site: Site) -> None:
    async with listening(site) as stream:
        await site.register()
        assert await stream.changes() == [{"what": "camera", "camera_id": "camera_1"}]
        event = await site.event()
        assert await stream.changes() == [{"what": "new", "id": event["id"], "camera_id": "camera_1"}]
        await site.json("PATCH", f"/api/v1/events/{event['id']}/status", json={"status": "complete"})
        assert await stream.changes() == [{"what": "changed", "id": event["id"]}]
        site.shared.changes.progress(event["id"], 0.62)
        assert await stream.changes() == [{"what": "changed", "id": event["id"], "progress": 0.62}]
        await site.json("DELETE", f"/api/v1/events/{event['id']}", status=200)
        assert {"what": "gone", "id": event["id"], "camera_id": "camera_1"} in await stream.changes()


async def test_what_people_do_with_events_is_told(site: Site) -> None:
    await site.register()
    event = await site.event()
    async with listening(site) as stream:
        for action in ("review", "star"):
            await site.json("POST", "/api/v1/events/bulk", json={"action": action, "ids": [event["id"]]})
            assert [(change["what"], change["id"]) for change in await stream.changes()] == [("changed", event["id"])]
        await site.json("PATCH", f"/api/v1/events/{event['id']}", json={"note": "The post."})
        assert [change["id"] for change in await stream.changes()] == [event["id"]]


async def test_what_is_rolled_back_is_not_told(site: Site) -> None:
    await site.register()
    event = await site.event()
    async with listening(site) as stream:
        async with site.client.patch(f"/api/v1/events/{event['id'] + 7}/status", json={"status": "complete"}) as answer:
            assert answer.status == 404
        await site.event(timestamp="2025-10-28T15:00:00")
        assert [change["what"] for change in await stream.changes()] == ["new"]


async def test_a_page_names_the_place_from_which_its_script_listens(site: Site) -> None:
    await site.register()
    async with site.client.get("/", headers={"Accept": "text/html"}) as response:
        found = re.search(r'<html [^>]*data-mark="([^"]+)"', await response.text())
    assert found
    event = await site.event()  # while the page is on its way, and its pictures are loaded
    async with listening(site, params={"since": found[1]}) as stream:
        assert await stream.changes() == [{"what": "new", "id": event["id"], "camera_id": "camera_1"}]


async def test_who_comes_back_misses_nothing(site: Site) -> None:
    await site.register()
    async with listening(site) as stream:
        pass
    event = await site.event()
    for arguments in ({"headers": {"Last-Event-ID": stream.mark}}, {"params": {"since": stream.mark}}):
        async with listening(site, **arguments) as again:
            assert [change["id"] for change in await again.changes()] == [event["id"]]
    async with listening(site, params={"since": "00000000-3"}) as lost:
        assert await lost.next() == ("reload", {})


async def test_a_reader_learns_of_their_own_cameras_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.register()
    await site.register("camera_2")
    first, second = await site.event(), await site.event("camera_2")
    guest = Principal("guest", Audience.VIEWER, frozenset({"camera_2"}))
    monkeypatch.setattr(middleware, "TRUSTED_OPERATOR", guest)
    async with listening(site) as stream:
        monkeypatch.undo()
        third = await site.event(timestamp="2025-10-28T16:00:00")
        fourth = await site.event("camera_2", timestamp="2025-10-28T16:00:00")
        for event in (first, second):
            await site.json("PATCH", f"/api/v1/events/{event['id']}/status", json={"status": "complete"})
        told: set[int] = set()
        while not {second["id"], fourth["id"]} <= told:
            told |= {change["id"] for change in await stream.changes()}
    assert told.isdisjoint({first["id"], third["id"]})


async def test_silence_is_filled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    async with listening(site) as stream, asyncio.timeout(PATIENCE):
        assert (await stream.response.content.readline()).startswith(b":")


async def test_the_stop_ends_it_and_a_reader_who_goes_leaves_nothing(make_site: Callable[..., Any]) -> None:
    site: Site = await make_site()
    hub = site.shared.changes
    async with listening(site):
        assert hub.watchers == 1
    await site.register()  # it is noticed when there is something to write
    for _ in range(PATIENCE * 50):
        if not hub.watchers:
            break
        await asyncio.sleep(0.02)
    assert hub.watchers == 0
    async with listening(site) as stream:
        assert site.client.app is not None
        await site.client.app.shutdown()
        assert await stream.next() == ("", None)
    async with site.client.get("/api/v1/stream") as response:
        assert response.status == 503
        assert response.headers["Retry-After"]
