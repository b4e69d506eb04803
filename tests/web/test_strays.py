"""``/api/v1/storage``: strays and checks over HTTP, and the page of stray files."""

import os
import re
from html import unescape

import pytest

from tests.conftest import Site

API = "/api/v1/storage"
STRAY = "camera_1/pictures/4711_20251028_143022_a.jpg"
HOSTILE = "camera_1/pictures/<b>&'x'.jpg"


def _put(site: Site, path: str, content: bytes = b"picture") -> None:
    target = site.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    os.utime(target, (1_761_600_000, 1_761_600_000))


@pytest.fixture
async def scanned(site: Site) -> Site:
    """A site with two stray files."""
    await site.register()
    _put(site, STRAY)
    _put(site, HOSTILE)
    await site.shared.linking.scan()
    return site


async def _page(site: Site, path: str, status: int = 200) -> str:
    async with site.client.get(path, headers={"Accept": "text/html"}) as response:
        assert response.status == status
        return await response.text()


class TestStrays:
    async def test_the_list_is_paged_and_says_why(self, scanned: Site) -> None:
        whole = await scanned.json("GET", f"{API}/strays")
        assert (whole["total"], whole["limit"], whole["offset"]) == (2, 50, 0)
        by_path = {stray["path"]: stray for stray in whole["strays"]}
        assert by_path[STRAY]["reason"] == "There is no event 4711."
        assert by_path[STRAY]["size_bytes"] == 7
        assert by_path[STRAY]["modified_at"].endswith("+01:00")
        assert whole["scanned_at"]
        pages = [await scanned.json("GET", f"{API}/strays?limit=1&offset={offset}") for offset in range(3)]
        assert [len(page["strays"]) for page in pages] == [1, 1, 0]
        assert (await scanned.json("GET", f"{API}/strays?camera_id=camera_2"))["total"] == 0
        await scanned.json("GET", f"{API}/strays?limit=0", status=422)

    async def test_an_operator_links_one(self, scanned: Site) -> None:
        event = await scanned.event()
        body = {"path": STRAY, "event_id": event["id"]}
        linked = await scanned.json("POST", f"{API}/strays/link", json=body)
        assert linked["image_a_path"] == f"camera_1/pictures/{event['id']}_20251028_143022_a.jpg"
        assert linked["image_a_transferred"] is True
        await scanned.json("POST", f"{API}/strays/link", json=body, status=404)
        unclear = {"path": HOSTILE, "event_id": event["id"]}
        await scanned.json("POST", f"{API}/strays/link", json=unclear, status=422)
        await scanned.json("POST", f"{API}/strays/link", json=unclear | {"file_type": "image_b"})
        assert (await scanned.json("GET", f"{API}/strays"))["total"] == 0

    async def test_an_operator_removes_one(self, scanned: Site) -> None:
        await scanned.json("DELETE", f"{API}/strays", params={"path": STRAY})
        assert not (scanned.root / STRAY).exists()
        for path, status in ((STRAY, 404), ("../secret", 422), ("camera_1/.securitycamd-camera", 422)):
            await scanned.json("DELETE", f"{API}/strays", params={"path": path}, status=status)


async def test_files_that_cannot_even_be_listed_are_counted_and_named(scanned: Site) -> None:
    nothing = {"total": 0, "paths": []}
    assert (await scanned.json("GET", f"{API}/strays"))["unusable"] == nothing
    assert "cannot be used" not in await _page(scanned, "/storage/strays")
    folder = scanned.root / "camera_1" / "videos"
    folder.mkdir(exist_ok=True)
    for name in (b"\x1b[2J.mp4", b"\xff.mp4", b"a:b.mp4", b"<b>:.mp4"):
        (folder / os.fsdecode(name)).write_bytes(b"clip")
    await scanned.shared.linking.scan()
    told = (await scanned.json("GET", f"{API}/strays"))["unusable"]
    assert told["total"] == 4
    assert len(told["paths"]) == 3  # some a camera
    known = {r"camera_1/videos/\x1b[2J.mp4", r"camera_1/videos/\xff.mp4", "camera_1/videos/a:b.mp4"}
    assert set(told["paths"]) <= known | {"camera_1/videos/<b>:.mp4"}
    page = await _page(scanned, "/storage/strays")
    assert "4 more files have names that cannot be used" in page
    assert "<b>:" not in page


class TestPage:
    async def test_it_lists_them_with_what_can_be_done(self, scanned: Site) -> None:
        page = await _page(scanned, "/storage/strays")
        assert "2 files fit no event" in page
        assert "There is no event 4711." in page
        assert "<b>&'x'" not in page
        assert len(re.findall(r'<form method="post"', page)) == 4

    async def test_its_forms_work(self, scanned: Site) -> None:
        event = await scanned.event()
        page = await _page(scanned, "/storage/strays")
        actions = [unescape(action) for action in re.findall(r'action="([^"]+)"', page)]
        link = next(action for action in actions if "/link" in action and "4711" in action)
        delete = next(action for action in actions if "/delete" in action and "4711" not in action)
        async with scanned.client.post(link, data={"event_id": "x"}) as response:
            assert response.status == 422
        async with scanned.client.post(link, data={"event_id": event["id"]}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"/events/{event['id']}")
        async with scanned.client.post(delete, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/storage/strays")
        assert not (scanned.root / HOSTILE).exists()
        assert "No stray files" in await _page(scanned, "/storage/strays")

    async def test_another_sites_page_cannot_use_them(self, scanned: Site) -> None:
        foreign = {"Sec-Fetch-Site": "cross-site"}
        async with scanned.client.post("/storage/strays/delete", params={"path": STRAY}, headers=foreign) as response:
            assert response.status == 403
        assert (scanned.root / STRAY).exists()

    @pytest.mark.parametrize("offset", ["x", "-1", "9" * 50, "5"])
    async def test_any_page_can_be_asked_for(self, scanned: Site, offset: str) -> None:
        await _page(scanned, f"/storage/strays?offset={offset}")


class TestCheck:
    async def test_it_is_asked_for_and_followed(self, scanned: Site) -> None:
        assert (await scanned.json("GET", f"{API}/check"))["state"] == "idle"
        begun = await scanned.json("POST", f"{API}/check")
        assert (begun["state"], begun["repair"]) == ("waiting", False)
        await scanned.json("POST", f"{API}/check/repair", json={}, status=409)
        await scanned.shared.storage_check.run_requested()
        done = await scanned.json("GET", f"{API}/check")
        assert (done["state"], done["counts"]["orphaned"], done["left"]) == ("done", 2, 2)
        assert {finding["path"] for finding in done["findings"]} == {STRAY, HOSTILE}
        again = await scanned.json("POST", f"{API}/check/repair", json={"force": True})
        assert (again["repair"], again["force"]) == (True, True)
