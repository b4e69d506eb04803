"""The page of an event and its forms, without scripts; and the addresses of the older server's pages."""

import re
import shutil
from html import unescape
from typing import Any

import pytest

from tests.conftest import Site

HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


async def page_of(site: Site, address: str, status: int = 200) -> str:
    async with site.client.get(address, headers=HTML) as response:
        assert response.status == status, await response.text()
        assert response.content_type == "text/html"
        return unescape(await response.text())


async def send(site: Site, address: str, **fields: str) -> tuple[int, str]:
    """Send a form; the status and where it leads."""
    arguments: dict[str, Any] = {"data": fields, "headers": HTML, "allow_redirects": False}
    async with site.client.post(address, **arguments) as response:
        return response.status, response.headers.get("Location", "")


async def moved(site: Site, address: str) -> str:
    async with site.client.get(address, headers=HTML, allow_redirects=False) as response:
        assert response.status == 301, await response.text()
        return response.headers["Location"]


def forms(page: str) -> set[str]:
    return set(re.findall(r'action="(/events/[^"]+)"', page))


async def test_what_the_forms_do(site: Site) -> None:
    await site.register()
    event_id = (await site.event())["id"]
    here = f"/events/{event_id}?camera_id=camera_1"
    page = await page_of(site, here)
    for what, column, value in (
        ("star", "protected", True),
        ("unstar", "protected", False),
        ("review", "reviewed", True),
        ("unreview", "reviewed", False),
    ):
        address = f"/events/{event_id}/{what}?camera_id=camera_1"
        assert address in forms(page)
        assert await send(site, address) == (303, here)
        assert (await site.json("GET", f"/api/v1/events/{event_id}"))[column] is value
        page = await page_of(site, here)
    address = f"/events/{event_id}/note?camera_id=camera_1"
    assert await send(site, address, note="The <postman>.\r\nAgain.") == (303, here)
    assert "The <postman>.\nAgain.</textarea>" in await page_of(site, here)
    assert await send(site, address) == (303, here)
    assert (await site.json("GET", f"/api/v1/events/{event_id}"))["note"] == ""
    assert (await send(site, address, note="x" * 2001))[0] == 422
    assert "note written" in await page_of(site, here)


async def test_after_a_removal_one_goes_on_with_the_next(site: Site) -> None:
    await site.register()
    await site.register("camera_2")
    first, second, third = [(await site.event(timestamp=f"2025-10-28T14:30:0{at}"))["id"] for at in range(3)]
    await site.event("camera_2", timestamp="2025-10-28T14:30:01.500000")
    query = "?camera_id=camera_1"
    page = await page_of(site, f"/events/{second}{query}")
    assert f'href="/events/{first}{query}"' in page
    assert f'href="/events/{third}{query}"' in page
    assert await send(site, f"/events/{second}/delete{query}") == (303, f"/events/{first}{query}")
    assert await send(site, f"/events/{first}/delete{query}") == (303, f"/events/{third}{query}")
    assert await send(site, f"/events/{third}/delete{query}") == (303, f"/{query}")
    await page_of(site, f"/events/{third}", 404)


async def test_forms_of_other_sites_and_of_nothing_change_nothing(site: Site) -> None:
    await site.register()
    event_id = (await site.event())["id"]
    for what in ("star", "review", "note", "delete", "retry/remux"):
        async with site.client.post(f"/events/{event_id}/{what}", headers={"Sec-Fetch-Site": "cross-site"}) as response:
            assert response.status == 403
        assert (await send(site, f"/events/9{event_id}/{what}"))[0] == 404
        assert (await send(site, f"/events/one/{what}"))[0] == 404
    assert (await send(site, f"/events/{event_id}/retry/cook"))[0] == 422
    told = await site.json("GET", f"/api/v1/events/{event_id}/history")
    assert [entry["what"] for entry in told] == ["motion", "reported"]


async def test_the_cameras_log_around_the_event_is_on_its_page(site: Site) -> None:
    await site.register()
    event_id = (await site.event())["id"]
    lines = [
        {"source": source, "timestamp": f"2025-10-28T14:{minute}:22", "level": "INFO", "message": message}
        for source, minute, message in (
            ("camera_1", "30", "it moved"),
            ("camera_1", "35", "much later"),
            ("camera_2", "30", "of another"),
        )
    ]
    lines += [lines[0] | {"message": f"many {number}"} for number in range(250)]
    await site.json("POST", "/api/v1/logs", json=lines)
    page = await page_of(site, f"/events/{event_id}")
    assert "251 lines within a minute of the motion; the last 200 are shown" in page
    assert page.count("many ") == 200
    assert "much later" not in page
    assert "of another" not in page


async def test_without_the_storage_the_page_still_tells_all_it_knows(site: Site) -> None:
    await site.register()
    event_id = (await site.event())["id"]
    name = "camera_1/pictures/1_20251028_143022_a.jpg"
    (site.root / name).parent.mkdir(parents=True)
    (site.root / name).write_bytes(b"picture")
    body = {"file_type": "image_a", "file_path": name, "transferred": True}
    await site.json("PATCH", f"/api/v1/events/{event_id}/files", json=body)
    assert "storage does not answer" not in await page_of(site, f"/events/{event_id}")
    shutil.move(site.root, site.root.with_name("away"))
    page = await page_of(site, f"/events/{event_id}")
    assert "The footage storage does not answer." in page
    assert f"/media/{name}" in page


@pytest.mark.parametrize("number", ["0", "9", "4294967296", "9" * 400, "-1", "one", "1.0", "%00", "١"])
async def test_what_is_no_event_is_a_page_that_says_so(site: Site, number: str) -> None:
    for address in (f"/events/{number}", f"/event.php?id={number}"):
        async with site.client.get(address, headers=HTML) as response:
            page = await response.text()
            assert (response.status, response.content_type) == (404, "text/html")
            assert "Error 404" in page
            assert "There is no" in page


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/event.php?id=42", "/events/42"),
        ("/event.php?id=42&camera=camera_1&date=2025-10-28", "/events/42?camera_id=camera_1&date=2025-10-28"),
        ("/index.php", "/"),
        ("/index.php?camera=camera_1&date=today", "/?camera_id=camera_1&date=today"),
        ("/index.php?camera_id=all&date=", "/"),
        ("/index.php?camera=%00&date=nonsense&page=x", "/"),
        ("/live.php", "/live"),
        ("/logs.php", "/logs"),
        ("/logs.php?camera=camera_1", "/logs?source=camera_1"),
        ("/logs.php?source=central&level=ERROR", "/logs?source=central&level=ERROR"),
        ("/logs.php?source=all", "/logs"),
        ("/logs.php?date=today&search=a b", "/logs?q=a+b&range=today"),
        ("/logs.php?date=2025-10-28", "/logs?since=2025-10-28&until=2025-10-28"),
        ("/live.php?camera=camera_1", "/live/camera_1"),
        ("/live.php?camera=..%2Fx", "/live"),
    ],
)
async def test_old_addresses_lead_to_the_new_pages(site: Site, old: str, new: str) -> None:
    assert await moved(site, old) == new


async def test_an_old_address_without_an_event_is_not_found(site: Site) -> None:
    for address in ("/event.php", "/event.php?id="):
        assert "This address names no event." in await page_of(site, address, 404)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b"no parts at all"),
        ("multipart/form-data", b"--x\r\n\r\nno boundary was named\r\n--x--"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"note=x"),
    ],
)
async def test_a_form_that_cannot_be_read_is_no_fault_of_ours(site: Site, content_type: str, body: bytes) -> None:
    await site.register()
    event = await site.event()
    async with site.client.post(
        f"/events/{event['id']}/note", data=body, headers={"Content-Type": content_type}, allow_redirects=False
    ) as response:
        assert response.status == 400, await response.text()
