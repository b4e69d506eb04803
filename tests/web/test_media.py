"""Files of the storage over HTTP: parts, conditions, sizes, and readers who leave."""

import asyncio
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path

from structlog.testing import capture_logs

from tests.conftest import Site

CLIP = "camera_1/videos/1_20251028_143022_video.mp4"
CLIP_BYTES = bytes(range(256)) * 40


def _put(site: Site, name: str, content: bytes) -> None:
    path = site.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def test_a_part_is_sent_of_the_state_that_is_known_and_else_the_whole(site: Site) -> None:
    _put(site, CLIP, CLIP_BYTES)
    async with site.client.get(f"/media/{CLIP}") as response:
        tag, changed = response.headers["ETag"], response.headers["Last-Modified"]
    cases = {
        tag: 206,
        changed: 206,
        formatdate(4e9, usegmt=True): 206,
        '"another"': 200,
        f"W/{tag}": 200,
        formatdate(1e9, usegmt=True): 200,
        "no date": 200,
    }
    for known, expected in cases.items():
        headers = {"Range": "bytes=5-9", "If-Range": known}
        async with site.client.get(f"/media/{CLIP}", headers=headers) as response:
            assert response.status == expected, known
            assert await response.read() == (CLIP_BYTES[5:10] if expected == 206 else CLIP_BYTES)


async def test_only_the_known_state_is_wanted(site: Site) -> None:
    _put(site, CLIP, CLIP_BYTES)
    async with site.client.get(f"/media/{CLIP}") as response:
        tag = response.headers["ETag"]
    cases = [
        ({"If-Match": tag}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"another", "third"'}, 412),
        ({"If-Unmodified-Since": formatdate(4e9, usegmt=True)}, 200),
        ({"If-Unmodified-Since": formatdate(1e9, usegmt=True)}, 412),
        ({"If-None-Match": f'"another", W/{tag}'}, 304),
        ({"If-None-Match": '"another"', "If-Modified-Since": formatdate(4e9, usegmt=True)}, 200),
        ({"If-Modified-Since": formatdate(1e9, usegmt=True)}, 200),
    ]
    for headers, expected in cases:
        async with site.client.get(f"/media/{CLIP}", headers=headers) as response:
            assert response.status == expected, headers
            body = await response.read()
            assert body == (CLIP_BYTES if expected == 200 else b""), headers


async def test_large_and_empty_files(site: Site) -> None:
    large = CLIP_BYTES * 70
    _put(site, CLIP, large)
    _put(site, "camera_1/pictures/empty.jpg", b"")
    async with site.client.get(f"/media/{CLIP}") as response:
        assert await response.read() == large
    async with site.client.get(f"/media/{CLIP}", headers={"Range": "bytes=300000-700000"}) as response:
        assert await response.read() == large[300000:700001]
    async with site.client.get("/media/camera_1/pictures/empty.jpg") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "0")
    async with site.client.get("/media/camera_1/pictures/empty.jpg", headers={"Range": "bytes=0-"}) as response:
        assert response.status == 416


async def test_who_leaves_in_the_middle_leaves_nothing_open(site: Site) -> None:
    _put(site, CLIP, bytes(30_000_000))
    for _ in range(5):
        response = await site.client.get(f"/media/{CLIP}")
        assert await response.content.read(1000)
        response.close()

    def is_open() -> bool:
        found = False
        for link in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):
                found |= str(link.readlink()).endswith(CLIP)
        return found

    async with asyncio.timeout(10):
        while is_open():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)


async def test_whoever_asks_for_what_lies_outside_is_logged_whatever_its_name_ends_in(
    site: Site, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("secret")
    (outside / "secret.jpg").write_text("secret")
    _put(site, CLIP, CLIP_BYTES)
    (site.root / "camera_1/out").symlink_to(outside)
    for name in ("passwd", "secret.jpg"):
        with capture_logs() as lines:
            async with site.client.get(f"/media/camera_1/out/{name}") as response:
                assert response.status == 404
        told = [line["path"] for line in lines if line["event"] == "a file outside the storage root was asked for"]
        assert told == [f"camera_1/out/{name}"]
    with capture_logs() as lines:
        async with site.client.get("/media/camera_1/notes.txt") as response:
            assert response.status == 404
    assert not [line for line in lines if line["log_level"] == "warning"]
