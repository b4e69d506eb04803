"""``PATCH /api/v1/events/{id}/status``: how far the agent is."""

from typing import Any

import pytest

from tests.conftest import Site
from tests.protocol.wire import API, fields_of, refused


@pytest.fixture
async def event(site: Site) -> Any:
    await site.register()
    return await site.event()


@pytest.mark.parametrize("status", ["processing", "complete", "interrupted", "failed"])
async def test_a_status_is_noted_and_nothing_else_changes(site: Site, event: Any, status: str) -> None:
    path = f"{API}/events/{event['id']}"
    reply = await site.json("PATCH", f"{path}/status", json={"status": status}, status=200)
    assert reply == event | {"status": status}
    assert await site.json("GET", path) == reply
    assert await site.json("PATCH", f"{path}/status", json={"status": status}, status=200) == reply


async def test_the_latest_status_counts(site: Site, event: Any) -> None:
    path = f"{API}/events/{event['id']}"
    for status in ("complete", "interrupted", "processing"):
        await site.json("PATCH", f"{path}/status", json={"status": status})
    assert (await site.json("GET", path))["status"] == "processing"


async def test_it_needs_no_content_type(site: Site, event: Any) -> None:
    await site.json(
        "PATCH",
        f"{API}/events/{event['id']}/status",
        data=b'{"status": "complete"}',
        skip_auto_headers=["Content-Type"],
        status=200,
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "done"},
        {"status": "COMPLETE"},
        {"status": " complete"},
        {"status": ""},
        {"status": None},
        {"status": 1},
        {"status": ["complete"]},
    ],
)
async def test_any_other_status_is_refused(site: Site, event: Any, body: Any) -> None:
    path = f"{API}/events/{event['id']}"
    assert fields_of(await refused(site, 422, "PATCH", f"{path}/status", json=body)) == {"status"}
    assert await site.json("GET", path) == event


@pytest.mark.parametrize("event_id", ["{next}", "0", "-1", str(2**32), str(2**64), "9" * 400])
async def test_an_unknown_event_is_not_found(site: Site, event: Any, event_id: str) -> None:
    path = f"{API}/events/{event_id.format(next=event['id'] + 1)}/status"
    await refused(site, 404, "PATCH", path, json={"status": "complete"})
