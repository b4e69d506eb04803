"""What is kept and what goes, over HTTP: the API, and the page."""

from typing import Any

import pytest

from tests.conftest import Site

API = "/api/v1/retention"
FILES = {"image_a": "pictures/{}_a.jpg", "thumbnail": "thumbs/{}_t.jpg"}


async def event_with_files(site: Site, timestamp: str = "2025-10-28T14:30:22", **told: Any) -> Any:
    await site.register(**told)
    event = await site.event(timestamp=timestamp)
    for kind, name in FILES.items():
        path = f"camera_1/{name.format(event['id'])}"
        (site.root / path).parent.mkdir(parents=True, exist_ok=True)
        (site.root / path).write_bytes(bytes(500))
        body = {"file_type": kind, "file_path": path, "transferred": True}
        await site.json("PATCH", f"/api/v1/events/{event['id']}/files", json=body)
    await site.shared.measuring.measure_some()
    return await site.json("GET", f"/api/v1/events/{event['id']}")


@pytest.fixture
async def aging(make_site: Any) -> Site:
    made: Site = await make_site(retention={"max_age_days": 7, "cameras": {"camera_1": {"max_gigabytes": 5}}})
    return made


async def test_the_report(aging: Site) -> None:
    await event_with_files(aging)
    told = await aging.json("GET", API)
    assert told["rules"] == {
        "enabled": True,
        "max_age_days": 7,
        "max_bytes": None,
        "free_floor_bytes": 2_000_000_000,
        "cameras": {"camera_1": {"max_age_days": 7, "max_bytes": 5_000_000_000}},
        "log_days": 30,
    }
    (camera,) = told["cameras"]
    assert (camera["camera_id"], camera["size_bytes"], camera["promise_kept"]) == ("camera_1", 1000, True)
    (going,) = told["plan"]
    assert going == {
        "on": told["at"][:10] if told["at"].endswith("Z") else going["on"],
        "camera_id": "camera_1",
        "day": "2025-10-28",
        "events": 1,
        "size_bytes": 1000,
        "reason": "age",
        "partly": False,
    }
    assert told["disk"]["total_bytes"] > told["disk"]["free_bytes"] > 0
    assert told["forecast"]["promise_kept"]
    assert told["warnings"] == []


async def test_an_event_says_whether_it_is_starred_and_how_large_it_is(site: Site) -> None:
    event = await event_with_files(site)
    assert (event["protected"], event["size_bytes"]) == (False, 1000)
    path = f"/api/v1/events/{event['id']}"
    starred = await site.json("PUT", f"{path}/protection")
    assert starred == event | {"protected": True}
    assert await site.json("GET", path) == starred
    assert (await site.json("GET", "/api/v1/events"))["events"] == [starred]
    assert await site.json("DELETE", f"{path}/protection") == event


async def test_removing_an_event(site: Site) -> None:
    event = await event_with_files(site)
    path = f"/api/v1/events/{event['id']}"
    await site.json("PUT", f"{path}/protection")
    refused = await site.json("DELETE", path, status=409)
    assert "starred" in refused["detail"]
    gone = await site.json("DELETE", f"{path}?force=true")
    assert gone == {"id": event["id"], "camera_id": "camera_1", "size_bytes": 1000}
    await site.json("GET", path, status=404)
    await site.json("DELETE", path, status=404)
    assert not list((site.root / "camera_1" / "pictures").glob("*.jpg"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", API),
        ("PUT", "/api/v1/events/1/protection"),
        ("DELETE", "/api/v1/events/1"),
        ("POST", "/events/1/delete"),
    ],
)
async def test_only_operators_may(make_site: Any, method: str, path: str) -> None:
    site = await make_site(agents={"trusted_networks": ["10.99.0.0/16"]})
    async with site.client.request(method, path) as response:
        assert response.status == 403


# --- the pages --------------------------------------------------------------------------------------------------


async def page(site: Site, path: str, method: str = "GET", **arguments: Any) -> tuple[int, str]:
    async with site.client.request(method, path, **arguments) as response:
        return response.status, await response.text()


async def test_the_page_shows_what_goes_and_why(aging: Site) -> None:
    await event_with_files(aging)
    status, text = await page(aging, "/retention")
    assert status == 200
    for words in ("Front walk", "1.0 kB", "Now: 1.0 kB", "older than 7 days", "1 event", "Starred events never go."):
        assert words in text, words
    assert '<a href="/retention" aria-current="page"' in text


async def test_the_page_without_anything(site: Site) -> None:
    status, text = await page(site, "/retention")
    assert status == 200
    assert "No cameras yet" in text
    assert "Nothing in the coming two weeks" in text


async def test_starring_and_removing_on_the_events_page(site: Site) -> None:
    event = await event_with_files(site)
    here = f"/events/{event['id']}"
    _, text = await page(site, here)
    assert "The event and all of this go for good." in text
    assert f'action="{here}/star"' in text
    async with site.client.post(f"{here}/star", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, here)
    _, text = await page(site, here)
    assert f'action="{here}/unstar"' in text
    assert f'action="{here}/delete"' not in text
    status, text = await page(site, f"{here}/delete", "POST")
    assert (status, "starred" in text) == (409, True)
    await page(site, f"{here}/unstar", "POST")
    async with site.client.post(f"{here}/delete", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
    assert (await page(site, here))[0] == 404


@pytest.mark.parametrize("action", ["star", "unstar", "delete"])
async def test_another_sites_page_can_press_no_button(site: Site, action: str) -> None:
    event = await event_with_files(site)
    status, _ = await page(
        site, f"/events/{event['id']}/{action}", "POST", headers={"Sec-Fetch-Site": "cross-site", "Origin": "http://x"}
    )
    assert status == 403
    await site.json("GET", f"/api/v1/events/{event['id']}")
