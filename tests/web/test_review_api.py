"""The API of what people do with events."""

import json

import pytest

from tests.conftest import Site
from tests.protocol.wire import fields_of, refused


async def test_an_event_is_changed(site: Site) -> None:
    await site.register()
    event = await site.event()
    address = f"/api/v1/events/{event['id']}"
    assert (event["reviewed"], event["protected"], event["note"]) == (False, False, "")
    changed = await site.json("PATCH", address, json={"reviewed": True, "starred": True, "note": "a\r\nb"})
    assert (changed["reviewed"], changed["protected"], changed["note"]) == (True, True, "a\nb")
    assert changed == await site.json("PATCH", address, json={"something_else": 1})
    assert changed == await site.json("GET", address)
    assert (await site.json("DELETE", f"{address}/protection"))["protected"] is False
    told = await site.json("GET", f"{address}/history")
    assert [entry["what"] for entry in told] == ["motion", "reported", "reviewed", "noted", "starred", "unstarred"]
    assert told[0] == {"at": "2025-10-28T14:30:22.186476+01:00", "what": "motion", "who": "camera_1", "detail": ""}
    assert told[2]["who"] == "trusted network"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reviewed": "perhaps"}, "reviewed"),
        ({"starred": []}, "starred"),
        ({"note": "x" * 2001}, "note"),
        ({"note": 7}, "note"),
    ],
)
async def test_bad_changes_are_refused_whole(site: Site, body: dict[str, object], field: str) -> None:
    await site.register()
    event = await site.event()
    address = f"/api/v1/events/{event['id']}"
    detail = await refused(site, 422, "PATCH", address, json={"reviewed": True} | body)
    assert fields_of(detail) == {field}
    assert await site.json("GET", address) == event


async def test_many_are_changed_and_each_is_told_of(site: Site) -> None:
    await site.register()
    ids = [(await site.event(timestamp=f"2025-10-28T14:30:{second:02}"))["id"] for second in range(3)]
    body = {"ids": [*ids, 0, -4, 2**80], "action": "review"}
    reply = await site.json("POST", "/api/v1/events/bulk", json=body)
    assert reply["action"] == "review"
    assert [(entry["id"], entry["result"]) for entry in reply["results"]] == [
        *((event_id, "done") for event_id in ids),
        (0, "not_found"),
        (-4, "not_found"),
        (2**80, "not_found"),
    ]
    assert all(event["reviewed"] for event in (await site.json("GET", "/api/v1/events"))["events"])
    await site.json("POST", "/api/v1/events/bulk", json={"ids": ids, "action": "delete"})
    assert (await site.json("GET", "/api/v1/events"))["total"] == 0
    await refused(site, 404, "GET", f"/api/v1/events/{ids[0]}/history")


@pytest.mark.parametrize(
    "body",
    [
        {"ids": [], "action": "review"},
        {"ids": list(range(501)), "action": "review"},
        {"ids": [1], "action": "burn"},
        {"ids": [1.5], "action": "star"},
        {"ids": ["one"], "action": "star"},
        {"ids": 1, "action": "star"},
        {"action": "star"},
        [],
    ],
)
async def test_bad_bulk_changes_are_refused(site: Site, body: object) -> None:
    await refused(site, 422, "POST", "/api/v1/events/bulk", data=json.dumps(body))


async def test_only_operators_change_events(make_site: object) -> None:
    assert callable(make_site)
    site: Site = await make_site(agents={"trusted_networks": ["10.9.8.0/24"]})
    for method, path in (
        ("PATCH", "/api/v1/events/1"),
        ("POST", "/api/v1/events/bulk"),
        ("GET", "/api/v1/events/1/history"),
    ):
        await refused(site, 403, method, path, json={})
