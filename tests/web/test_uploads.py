"""Files over HTTP: whole, in parts, broken off, too large, damaged; then the same chain as from the share."""

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator

import pytest

from securitycamd.db import events as event_rows
from securitycamd.db.engine import Transaction
from securitycamd.domain.models import Event
from securitycamd.domain.names import ConversionStatus
from securitycamd.domain.retention import Reason
from tests.conftest import Site

VIDEO = b"\x00\x00\x00\x01\x67" + bytes(range(256)) * 4096  # 1 MB and a bit
SHORT = VIDEO[:2000]
LOCAL = "20251028_143022"


def digest_of(data: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


async def put(site: Site, event_id: int, kind: str, data: object, **headers: str) -> tuple[int, dict[str, object]]:
    path = f"/api/v1/events/{event_id}/files/{kind}"
    async with site.client.put(path, data=data, headers=headers) as response:
        return response.status, await response.json()


async def test_whole_file_is_an_event_s_file_like_any_other(site: Site) -> None:
    await site.register()
    event = await site.event()
    status, reply = await put(
        site, event["id"], "image_a", b"\xff\xd8picture\xff\xd9", **digest_of(b"\xff\xd8picture\xff\xd9")
    )
    assert status == 201
    assert reply["image_a_path"] == f"camera_1/pictures/{event['id']}_{LOCAL}_a.jpg"
    assert reply["image_a_transferred"] is True
    assert (site.root / str(reply["image_a_path"])).read_bytes() == b"\xff\xd8picture\xff\xd9"


async def test_video_is_queued_for_conversion_and_may_be_larger_than_other_bodies(site: Site) -> None:
    await site.register()
    event = await site.event()
    data = io.BytesIO(VIDEO * 6)  # above server.max_body_bytes
    status, reply = await put(site, event["id"], "video?video_duration=41.5", data)
    assert (status, reply["video_transferred"], reply["video_duration"]) == (201, True, 41.5)
    jobs = await site.json("GET", f"/api/v1/events/{event['id']}/jobs")
    assert [job["kind"] for job in jobs] == ["remux"]


async def test_parts_are_put_together_and_progress_is_told(site: Site) -> None:
    await site.register()
    event = await site.event()
    half, total = len(VIDEO) // 2, len(VIDEO)
    first = await put(site, event["id"], "video", VIDEO[:half], **{"Content-Range": f"bytes 0-{half - 1}/{total}"})
    assert first == (202, {"received_bytes": half, "complete": False})
    told = await site.json("GET", f"/api/v1/events/{event['id']}/files/video")
    assert told["received_bytes"] == half
    status, reply = await put(
        site,
        event["id"],
        "video",
        VIDEO[half:],
        **{"Content-Range": f"bytes {half}-{total - 1}/{total}"},
        **digest_of(VIDEO),
    )
    assert status == 201
    assert (site.root / str(reply["video_h264_path"])).read_bytes() == VIDEO


async def test_broken_connection_loses_nothing(site: Site) -> None:
    await site.register()
    event = await site.event()
    sent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield VIDEO[: 700 * 1024]
        sent.set()
        await asyncio.sleep(60)

    total = len(VIDEO)
    request = asyncio.create_task(
        put(site, event["id"], "video", body(), **{"Content-Range": f"bytes 0-{total - 1}/{total}"})
    )
    await sent.wait()

    def written() -> bool:
        return any(part.stat().st_size >= 512 * 1024 for part in site.root.rglob(".*.part"))

    async with asyncio.timeout(20):
        while not await asyncio.to_thread(written):  # noqa: ASYNC110 - nothing tells when the server has read it
            await asyncio.sleep(0.02)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    there = (await site.json("GET", f"/api/v1/events/{event['id']}/files/video"))["received_bytes"]
    assert 512 * 1024 <= there <= 700 * 1024  # asking ends the broken request, which writes down what came
    status, reply = await put(
        site,
        event["id"],
        "video",
        VIDEO[there:],
        **{"Content-Range": f"bytes {there}-{total - 1}/{total}"},
        **digest_of(VIDEO),
    )
    assert status == 201, reply
    assert (site.root / str(reply["video_h264_path"])).read_bytes() == VIDEO


async def convert(site: Site, event_id: int) -> None:
    """As the converter does: an MP4 beside the source, named by the row, and the source removed."""
    source = site.root / "camera_1" / "videos" / f"{event_id}_{LOCAL}_video.h264"

    def replace() -> None:
        source.with_suffix(".mp4").write_bytes(b"whole")
        source.unlink(missing_ok=True)

    await asyncio.to_thread(replace)

    async def work(transaction: Transaction) -> None:
        facts = {
            "video_h264_path": None,
            "video_mp4_path": f"camera_1/videos/{event_id}_{LOCAL}_video.mp4",
            "mp4_conversion_status": ConversionStatus.COMPLETE,
        }
        await event_rows.update(transaction, event_id, facts)

    await site.shared.database.transact(work)


async def test_a_video_sent_again_while_the_first_is_converted_leaves_nothing_behind(site: Site) -> None:
    """Its agent lost the reply: what comes a second time has no place in the event any more."""
    await site.register()
    event_id = (await site.event())["id"]
    assert (await put(site, event_id, "video", SHORT))[0] == 201

    async def body() -> AsyncIterator[bytes]:
        yield SHORT[:1000]
        await convert(site, event_id)
        yield SHORT[1000:]

    status, reply = await put(site, event_id, "video", body())
    assert (status, reply["video_h264_path"], reply["mp4_conversion_status"]) == (201, None, "complete")
    videos = site.root / "camera_1" / "videos"
    assert [path.name for path in videos.iterdir()] == [f"{event_id}_{LOCAL}_video.mp4"]


async def test_a_part_of_a_video_that_was_converted_meanwhile_does_not_stay(site: Site) -> None:
    await site.register()
    event_id = (await site.event())["id"]
    assert (await put(site, event_id, "video", SHORT))[0] == 201
    total = len(SHORT)
    assert (await put(site, event_id, "video", SHORT[:9], **{"Content-Range": f"bytes 0-8/{total}"}))[0] == 202
    await convert(site, event_id)
    rest = {"Content-Range": f"bytes 9-{total - 1}/{total}"}
    assert (await put(site, event_id, "video", SHORT[9:], **rest))[0] == 201
    videos = site.root / "camera_1" / "videos"
    assert [path.name for path in videos.iterdir()] == [f"{event_id}_{LOCAL}_video.mp4"]


async def test_damaged_file_is_refused_and_not_kept(site: Site) -> None:
    await site.register()
    event = await site.event()
    status, reply = await put(site, event["id"], "thumbnail", b"damaged", **digest_of(b"as it was"))
    assert status == 422
    assert "Content-Digest" in str(reply["detail"])
    assert not list((site.root / "camera_1" / "thumbs").glob("*"))
    assert (await site.json("GET", f"/api/v1/events/{event['id']}"))["thumbnail_path"] is None


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_an_empty_body_is_no_file_and_takes_no_files_place(site: Site, in_chunks: bool) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        for each in list[bytes]():
            yield each

    await site.register()
    event = await site.event()
    status, reply = await put(site, event["id"], "image_a", b"picture")
    assert status == 201
    before = await site.json("GET", f"/api/v1/events/{event['id']}")
    for kind in ("image_a", "image_b", "video"):
        status, refused = await put(site, event["id"], kind, nothing() if in_chunks else b"")
        assert status == 422
        assert "is empty" in str(refused["detail"])
    assert await site.json("GET", f"/api/v1/events/{event['id']}") == before
    files = [path for path in site.root.rglob("*.*") if path.is_file() and "securitycamd" not in path.name]
    assert [path.read_bytes() for path in files] == [b"picture"]
    assert files == [site.root / str(reply["image_a_path"])]


async def test_bounds(site: Site) -> None:
    await site.register()
    event = await site.event()
    large = io.BytesIO(b"x" * (17 * 1024 * 1024))
    assert (await put(site, event["id"], "image_a", large))[0] == 413
    assert (await put(site, 999, "image_a", b"x"))[0] == 404
    assert (await put(site, event["id"], "sound", b"x"))[0] == 422
    assert (await put(site, event["id"], "image_a?video_duration=3", b"x"))[0] == 422
    for wrong in ("bytes 5-2/10", "bytes 0-10/10", "lines 0-1/2", "bytes */10", "bytes 0-4/99999999999999999"):
        assert (await put(site, event["id"], "image_a", b"x", **{"Content-Range": wrong}))[0] == 422
    gap = await put(site, event["id"], "image_a", b"x", **{"Content-Range": "bytes 5-5/10"})
    assert gap[0] == 409


# --- an event that goes while its file comes -------------------------------------------------------------------------


def files_of(site: Site) -> list[str]:
    return [path.name for path in (site.root / "camera_1").glob("*/*")]


async def test_an_event_deleted_while_its_file_comes_leaves_no_stray(site: Site) -> None:
    await site.register()
    event = await site.event()
    deleted = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield VIDEO[:1000]
        await site.json("DELETE", f"/api/v1/events/{event['id']}")
        deleted.set()
        yield VIDEO[1000:]

    status, _ = await put(site, event["id"], "video", body())
    assert deleted.is_set()
    assert status == 404
    assert files_of(site) == []


@pytest.mark.parametrize("known", [False, True])
async def test_an_event_that_expires_while_its_file_comes_leaves_no_stray(site: Site, known: bool) -> None:
    """It is marked, its files are unlinked, then the upload ends; also of a file that the row names already."""
    await site.register()
    event = await site.event()
    removal = site.shared.removal
    if known:
        assert (await put(site, event["id"], "image_a", SHORT))[0] == 201

    async def body() -> AsyncIterator[bytes]:
        yield SHORT[:1000]
        assert await removal.mark([event["id"]], Reason.AGE)
        paths = (await removal._files_of([await removal_event(site, event["id"])]))[event["id"]]
        assert not await site.shared.files.remove_some(paths, set())
        yield SHORT[1000:]

    status, _ = await put(site, event["id"], "image_a", body())
    assert status == 404
    assert files_of(site) == []
    assert await removal.finish_marked() == 1
    assert files_of(site) == []
    await site.json("GET", f"/api/v1/events/{event['id']}", status=404)


async def test_an_event_marked_after_its_file_came_takes_the_file_along(site: Site) -> None:
    await site.register()
    event = await site.event()
    assert (await put(site, event["id"], "image_a", SHORT))[0] == 201
    removal = site.shared.removal
    assert await removal.mark([event["id"]], Reason.AGE)
    assert await removal.finish(event["id"])
    assert files_of(site) == []


async def removal_event(site: Site, event_id: int) -> Event:
    return (await event_rows.by_ids(site.shared.database, [event_id]))[event_id]
