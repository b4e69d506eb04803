"""Pages and media through the whole application, with real files in the storage root."""

import gzip
import io
import re
from email.utils import formatdate
from html import unescape
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Site

HTML = {"Accept": "text/html"}
FILES = {
    "image_a": "camera_1/pictures/1_20251028_143022_a.jpg",
    "image_b": "camera_1/pictures/1_20251028_143022_b.jpg",
    "thumbnail": "camera_1/thumbs/1_20251028_143022_thumb.jpg",
}
CLIP = "camera_1/videos/1_20251028_143022_video.mp4"
CLIP_BYTES = bytes(range(256)) * 40


def _jpeg(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 27), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def _put(site: Site, name: str, content: bytes) -> None:
    path = site.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def _page(site: Site, path: str, status: int = 200) -> str:
    async with site.client.get(path, headers=HTML) as response:
        assert (response.status, response.content_type) == (status, "text/html")
        return await response.text()


def _urls(page: str, attribute: str = "src") -> set[str]:
    return {unescape(url) for url in re.findall(rf'{attribute}="(/media/[^"]+)"', page)}


def _link(page: str, relation: str) -> str:
    found = re.search(rf'rel="{relation}" href="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


@pytest.fixture
async def event(site: Site) -> Any:
    """An event with stills, thumbnail, a converted clip and words."""
    await site.register()
    event = await site.event()
    for (file_type, name), colour in zip(FILES.items(), ("red", "green", "blue"), strict=True):
        _put(site, name, _jpeg(colour))
        body = {"file_type": file_type, "file_path": name, "transferred": True}
        await site.json("PATCH", f"/api/v1/events/{event['id']}/files", json=body)
    _put(site, CLIP, CLIP_BYTES)
    async with site.shared.database.session() as session:
        await session.script(
            f"UPDATE events SET video_mp4_path = '{CLIP}', mp4_conversion_status = 'optimized',"
            " video_transferred = TRUE, status = 'complete', ai_processed = TRUE,"
            " ai_phrase = 'A van & a <dog> arrive', ai_description = 'A white van stops at the gate.'"
        )
    return event


class TestGallery:
    async def test_before_any_camera_it_says_where_agents_report(self, site: Site) -> None:
        page = await _page(site, "/")
        assert str(site.client.make_url("/api/v1")) in page

    async def test_events_are_cards_with_pictures_that_are_there(self, site: Site, event: Any) -> None:
        page = await _page(site, "/")
        assert f'href="/events/{event["id"]}"' in page
        assert "A van &amp; a &lt;dog&gt; arrive" in page
        assert _urls(page) == {f"/media/{FILES['thumbnail']}"}
        for url in _urls(page):
            async with site.client.get(url) as response:
                assert (response.status, response.content_type) == (200, "image/jpeg")
                assert await response.read() == (site.root / FILES["thumbnail"]).read_bytes()

    async def test_filters_and_pages(self, site: Site, event: Any) -> None:
        await site.register("camera_2")
        for minute in range(30):
            await site.event("camera_2", f"2025-10-29T10:{minute:02}:00")
        first = await _page(site, "/")
        assert first.count('class="card"') == 24
        assert "1–24 of 31" in first
        second = await _page(site, _link(first, "next"))
        assert second.count('class="card"') == 7
        assert "25–31 of 31" in second
        assert _link(second, "prev") == "/"
        assert (await _page(site, "/?date=2025-10-29&limit=48")).count('class="card"') == 30
        assert (await _page(site, "/?date=2025-10-30")).count('class="card"') == 0
        assert (await _page(site, "/?date=2025-10-29&hour=10&limit=24")).count('class="card"') == 24
        assert (await _page(site, "/?date=2025-10-29&hour=11")).count('class="card"') == 0
        assert (await _page(site, "/?reviewed=no&camera_id=camera_1")).count('class="card"') == 1
        assert (await _page(site, "/?starred=yes")).count('class="card"') == 0

    async def test_the_choice_of_cameras_is_remembered(self, site: Site, event: Any) -> None:
        await site.register("camera_2")
        assert (await _page(site, "/?camera_id=camera_2")).count('class="card"') == 0
        async with site.client.get("/?date=today", headers=HTML, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/?camera_id=camera_2&date=today")
        assert (await _page(site, "/?camera_id=all")).count('class="card"') == 1
        async with site.client.get("/", headers=HTML, allow_redirects=False) as response:
            assert response.status == 200

    async def test_the_view_and_the_page_size_are_remembered(self, site: Site, event: Any) -> None:
        async def shown(path: str) -> tuple[str, str]:
            page = await _page(site, path)
            view = re.search(r'data-view="(\w+)"', page)
            size = re.search(r'class="chip number" href="[^"]+" aria-current="true">(\d+)', page)
            assert view
            assert size
            return view[1], size[1]

        assert await shown("/") == ("grid", "24")
        assert await shown("/?view=list&limit=48") == ("list", "48")
        assert await shown("/") == ("list", "48")
        assert await shown("/?limit=12") == ("list", "12")
        assert await shown("/?view=grid") == ("grid", "12")  # what an address says goes before what was chosen
        assert await shown("/?view=nonsense&limit=7") == ("grid", "24")
        page = await _page(site, "/?view=list")
        assert 'href="/?view=grid"' in page  # the default is said, or the list would be remembered in its place
        await shown("/?view=list&limit=48")
        async with site.client.get("/?view=list&limit=12", headers=HTML | {"X-Part": "1"}) as response:
            assert not response.cookies  # another tab's script keeps its list up to date
        async with site.client.get("/", headers=HTML | {"X-Part": "1"}) as response:
            assert 'data-view="grid"' in await response.text()
        assert await shown("/") == ("list", "48")
        site.client.session.cookie_jar.clear()
        odd = HTML | {"Cookie": "gallery=<b>-9999999999"}
        async with site.client.get("/", headers=odd) as response:
            assert 'data-view="grid"' in await response.text()

    async def test_the_strip_counts_what_there_is(self, site: Site, event: Any) -> None:
        page = await _page(site, "/?date=2025-10-28")
        assert "14:00 to 15:00: 1 event" in page
        assert "Tuesday 28 October" in page

    async def test_cards_alone_are_those_of_the_page(self, site: Site, event: Any) -> None:
        cards = await _page(site, f"/fragments/events?ids={event['id']},999&date=2025-10-28")
        assert cards.count('class="card"') == 1
        assert "date=2025-10-28" in cards
        card = cards[cards.index("<li") : cards.rindex("</li>")]
        assert "".join(card.split()) in "".join((await _page(site, "/?date=2025-10-28")).split())
        for ids in ("", "x", "1,", ",".join(str(number) for number in range(101))):
            async with site.client.get(f"/fragments/events?ids={ids}", headers=HTML) as response:
                assert response.status == 422

    async def test_a_page_comes_compressed_to_who_takes_that(self, site: Site, event: Any) -> None:
        url, headers = "/?date=2025-10-28", HTML | {"Accept-Encoding": "gzip"}
        whole = await _page(site, url)
        async with site.client.get(url, headers=headers, auto_decompress=False) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert "Accept-Encoding" in response.headers.getall("Vary")
            packed = await response.read()
        assert len(packed) < len(whole) / 4
        assert "</html>" in gzip.decompress(packed).decode()
        async with site.client.get(url, headers=HTML | {"Accept-Encoding": "identity"}) as response:
            assert "Content-Encoding" not in response.headers

    async def test_the_rail_alone_tells_the_cameras(self, site: Site, event: Any) -> None:
        assert "1 camera online" in await _page(site, "/fragments/cameras")

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=17",
            "limit=" + "9" * 5000,
            "before=1",
            "before=" + "9" * 5000,
            "after=99999999999999999.1",
            "category=teapot",
            "min_confidence=inf",
            "hour=99&date=today",
            "q=" + "%22" * 900,
            "q=%2B%2A%28%29%40%7E",
            "date=tomorrow",
            "date=9999-12-31",
            "date=%00",
            "camera_id=%00",
            "camera_id=%ff",
            "camera_id=" + "a" * 2000,
            "camera_id=camera_9",
            "nothing=1",
        ],
    )
    async def test_a_mistyped_address_still_shows_a_page(self, site: Site, event: Any, query: str) -> None:
        for path in ("/", f"/events/{event['id']}"):
            await _page(site, f"{path}?{query}")


class TestEventPage:
    async def test_it_shows_everything_there_is(self, site: Site, event: Any) -> None:
        page = await _page(site, f"/events/{event['id']}")
        assert "A van &amp; a &lt;dog&gt; arrive" in page
        assert "A white van stops at the gate." in page
        assert f"/media/{CLIP}" in page
        assert "<video" in page
        urls = {url.partition("?")[0] for url in _urls(page) | _urls(page, "href") | _urls(page, "poster")}
        assert urls == {f"/media/{name}" for name in (*FILES.values(), CLIP)}
        for url in urls:
            async with site.client.get(url) as response:
                assert response.status == 200
                assert await response.read() == (site.root / url.removeprefix("/media/")).read_bytes()

    async def test_a_new_event_has_a_page_too(self, site: Site) -> None:
        await site.register()
        event = await site.event()
        page = await _page(site, f"/events/{event['id']}")
        assert _urls(page) == set()
        assert "<video" not in page

    async def test_names_that_need_quoting_lead_to_their_files(self, site: Site) -> None:
        await site.register()
        event = await site.event()
        name = "camera_1/pictures/Hof & Tür #1 100%? +ü 🎥.jpg"
        _put(site, name, _jpeg("red"))
        body = {"file_type": "image_a", "file_path": name, "transferred": True}
        await site.json("PATCH", f"/api/v1/events/{event['id']}/files", json=body)
        urls = _urls(await _page(site, f"/events/{event['id']}"))
        assert len(urls) == 1
        async with site.client.get(urls.pop()) as response:
            assert await response.read() == _jpeg("red")


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "status"),
        [("/events/9", 404), (f"/events/{2**64}", 404), ("/events/one", 404), ("/nothing", 404)],
    )
    async def test_errors_are_pages_and_tell_of_the_cameras_as_every_page_does(
        self, site: Site, path: str, status: int
    ) -> None:
        await site.register()
        page = await _page(site, path, status)
        assert f"Error {status}" in page
        assert "1 camera online" in page
        assert str(site.root) not in page

    async def test_without_the_database_the_page_says_so_and_when_to_come_again(self, site: Site) -> None:
        await site.shared.database.close()
        for path in ("/", "/events/1"):
            async with site.client.get(path, headers=HTML) as response:
                assert (response.status, response.content_type) == (503, "text/html")
                assert int(response.headers["Retry-After"]) >= 1
                assert "Error 503" in await response.text()
        for path, status in (("/docs", 200), ("/nothing", 404)):
            assert "The state of the cameras is not known here." in await _page(site, path, status)

    async def test_no_page_may_be_framed_or_run_what_is_not_ours(self, site: Site) -> None:
        for path in ("/", "/docs", "/nothing"):
            async with site.client.get(path, headers=HTML) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in policy
                assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
                assert response.headers["Referrer-Policy"]


class TestMedia:
    @pytest.mark.parametrize(
        ("suffix", "content_type"),
        [
            (".jpg", "image/jpeg"),
            (".JPG", "image/jpeg"),
            (".jpeg", "image/jpeg"),
            (".png", "image/png"),
            (".mp4", "video/mp4"),
            (".h264", "video/h264"),
        ],
    )
    async def test_a_file_comes_whole_and_named_for_what_it_is(
        self, site: Site, suffix: str, content_type: str
    ) -> None:
        _put(site, f"camera_1/videos/x{suffix}", CLIP_BYTES)
        async with site.client.get(f"/media/camera_1/videos/x{suffix}") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == content_type
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "private" in response.headers["Cache-Control"]
            assert await response.read() == CLIP_BYTES

    @pytest.mark.parametrize(
        ("asked", "start", "stop"),
        [
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, None),
            ("bytes=-100", -100, None),
            ("bytes=0-999999", 0, None),
            ("bytes=10239-10239", 10239, None),
            ("Bytes=-999999", 0, None),
        ],
    )
    async def test_a_player_gets_the_part_it_asks_for(
        self, site: Site, asked: str, start: int, stop: int | None
    ) -> None:
        _put(site, CLIP, CLIP_BYTES)
        async with site.client.get(f"/media/{CLIP}", headers={"Range": asked}) as response:
            assert response.status == 206
            part = CLIP_BYTES[start:stop]
            assert await response.read() == part
            first = start % len(CLIP_BYTES)
            assert response.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/10240"
            assert response.headers["Accept-Ranges"] == "bytes"

    @pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
    async def test_a_part_that_is_not_there_cannot_be_had(self, site: Site, asked: str) -> None:
        _put(site, CLIP, CLIP_BYTES)
        async with site.client.get(f"/media/{CLIP}", headers={"Range": asked}) as response:
            assert response.status == 416
            assert response.headers["Content-Range"] == "bytes */10240"

    @pytest.mark.parametrize(
        "asked", ["items=0-5", "bytes=0-1,5-6", "bytes=5-2", "bytes=abc", "bytes=-", "bytes", "bytes=0-" + "9" * 5000]
    )
    async def test_who_asks_for_parts_that_are_not_understood_gets_the_whole(self, site: Site, asked: str) -> None:
        _put(site, CLIP, CLIP_BYTES)
        async with site.client.get(f"/media/{CLIP}", headers={"Range": asked}) as response:
            assert response.status == 200
            assert "Content-Range" not in response.headers
            assert await response.read() == CLIP_BYTES

    async def test_head_tells_the_length(self, site: Site) -> None:
        _put(site, CLIP, CLIP_BYTES)
        async with site.client.head(f"/media/{CLIP}", headers={"Range": "bytes=0-9"}) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == "10240"
            assert await response.read() == b""

    async def test_what_a_browser_has_is_not_sent_again(self, site: Site) -> None:
        _put(site, CLIP, CLIP_BYTES)
        async with site.client.get(f"/media/{CLIP}") as response:
            tag = response.headers["ETag"]
        for headers in ({"If-None-Match": tag}, {"If-Modified-Since": formatdate(4e9, usegmt=True)}):
            async with site.client.get(f"/media/{CLIP}", headers=headers) as response:
                assert response.status == 304

    async def test_nothing_but_pictures_and_films_is_served(self, site: Site) -> None:
        names = [
            "x.html",
            "x.svg",
            "x.js",
            "x.txt",
            "x.mp4.tmp",
            "x.h264.READY",
            "x",
            ".x.jpg",
            "jpg",
            ".jpg",
        ]
        for name in names:
            _put(site, f"camera_1/pictures/{name}", b"<script>alert(1)</script>")
        (site.root / "camera_1/pictures/folder.jpg").mkdir()
        found = {}
        for name in [*names, "folder.jpg", "missing.jpg"]:
            async with site.client.get(f"/media/camera_1/pictures/{name}") as response:
                found[name] = response.status
        assert set(found.values()) == {404}, found

    async def test_nothing_outside_the_storage_root_is_served(self, site: Site) -> None:
        outside = site.root.parent / "outside"
        outside.mkdir()
        (outside / "secret.jpg").write_bytes(b"secret")
        _put(site, "camera_1/pictures/a.jpg", b"picture")
        (site.root / "camera_1/pictures/link.jpg").symlink_to(outside / "secret.jpg")
        (site.root / "camera_1/linked").symlink_to(outside)
        (site.root / "camera_1/pictures/loop.jpg").symlink_to("loop.jpg")
        paths = [
            "camera_1/pictures/link.jpg",
            "camera_1/linked/secret.jpg",
            "camera_1/pictures/loop.jpg",
            "../outside/secret.jpg",
            "%2e%2e/outside/secret.jpg",
            "..%2foutside%2fsecret.jpg",
            "camera_1/..%2f..%2foutside/secret.jpg",
            "camera_1/%252e%252e/%252e%252e/outside/secret.jpg",
            "..%5coutside%5csecret.jpg",
            f"{outside}/secret.jpg",
            f"/{outside}/secret.jpg",
            f"%2f{outside}/secret.jpg",
            "camera_1/pictures/a.jpg%00.png",
            "camera_1/pictures/%00a.jpg",
            "file:" + f"{outside}/secret.jpg",
            "camera_1/" + "a" * 300 + ".jpg",
            "%ff.jpg",
        ]
        found = {}
        for path in paths:
            async with site.client.get(f"/media/{path}") as response:
                found[path] = response.status
                assert b"secret" not in await response.read()
        assert set(found.values()) == {404}, found
        async with site.client.get("/media/camera_1/pictures/a.jpg") as response:
            assert await response.read() == b"picture"


async def test_download_has_a_name_that_says_camera_and_time(site: Site) -> None:
    await site.register(name="Front “walk”")
    folder = site.root / "camera_1" / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "42_20251028_143022_video.mp4").write_bytes(b"clip")
    async with site.client.get("/media/camera_1/videos/42_20251028_143022_video.mp4?download=1") as response:
        assert response.status == 200
        assert response.headers["Content-Disposition"] == (
            'attachment; filename="Front _walk_ 2025-10-28 14.30.22.mp4";'
            " filename*=UTF-8''Front%20%E2%80%9Cwalk%E2%80%9D%202025-10-28%2014.30.22.mp4"
        )
