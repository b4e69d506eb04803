import asyncio
from pathlib import Path

import pytest

from securitycamd.domain.clips import ClipError, ClipFault
from securitycamd.media import Media, MediaClosedError
from tests.footage import Footage
from tests.media.conftest import is_gone, read_pids, until, write_script

# Says that it runs, then waits for a file.
WAITING = """trap '' TERM
echo $$ >> "$0.pids"
until [ -e "$0.go" ]; do sleep 0.02; done
exec ffmpeg "$@"
"""


class Gate:
    """A fake FFmpeg that waits until told to go on with the real one."""

    def __init__(self, folder: Path) -> None:
        self.script = write_script(folder / "ffmpeg", WAITING)
        self._pids = Path(f"{self.script}.pids")

    @property
    def pids(self) -> list[int]:
        return read_pids(self._pids)

    async def arrivals(self, count: int) -> None:
        await until(lambda: len(self.pids) >= count)

    def open(self) -> None:
        Path(f"{self.script}.go").touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def start(media: Media, footage: Footage, folder: Path, count: int) -> list[asyncio.Task[int]]:
    async def remux(number: int) -> int:
        target = folder / f"{number}.tmp"
        return (await media.remux(footage.clip(), target, frame_rate=15, timeout_seconds=60)).frames

    return [asyncio.create_task(remux(number)) for number in range(count)]


def targets(folder: Path) -> list[Path]:
    return list(folder.glob("*.tmp"))


async def test_no_more_run_than_there_are_slots_and_slots_change_live(
    footage: Footage, tmp_path: Path, gate: Gate
) -> None:
    media = Media(1, ffmpeg=gate.script)
    tasks = start(media, footage, tmp_path, 3)
    await gate.arrivals(1)
    assert (media.slots, media.running, media.waiting) == (1, 1, 2)
    media.resize(2)
    await gate.arrivals(2)
    assert (media.slots, media.running, media.waiting) == (2, 2, 1)
    media.resize(1)
    assert (media.slots, media.running) == (1, 2)
    assert len(gate.pids) == 2
    gate.open()
    assert await asyncio.gather(*tasks) == [30] * 3
    assert media.running == 0


async def test_close_ends_what_runs_and_sends_the_waiting_away(footage: Footage, tmp_path: Path, gate: Gate) -> None:
    media = Media(2, ffmpeg=gate.script, grace_seconds=60)
    tasks = start(media, footage, tmp_path, 4)
    await gate.arrivals(2)
    await media.close(0.1)
    assert all(map(is_gone, gate.pids))
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in ended] == [MediaClosedError] * 4
    assert not targets(tmp_path)
    assert media.running == 0
    with pytest.raises(MediaClosedError):
        await media.remux(footage.clip(), tmp_path / "out.tmp", frame_rate=15, timeout_seconds=60)
    with pytest.raises(MediaClosedError):
        await media.probe(footage.clip())


async def test_closing_an_idle_pool(media: Media) -> None:
    await media.close()


async def test_probe_of_an_mp4(media: Media, footage: Footage, tmp_path: Path) -> None:
    target = tmp_path / "-out.mp4"
    made = await media.remux(footage.clip(profile="high", b_frames=2), target, frame_rate=12.5, timeout_seconds=30)
    size_bytes = made.size_bytes
    facts = await media.probe(target)
    assert (facts.frames, facts.duration_seconds, facts.codec) == (30, 2.4, "h264")
    assert (facts.width, facts.height, facts.frames_per_second) == (320, 180, 12.5)
    assert facts.size_bytes == size_bytes


async def test_probe_of_a_raw_stream(media: Media, footage: Footage) -> None:
    facts = await media.probe(footage.clip())
    assert (facts.frames, facts.duration_seconds, facts.codec) == (30, None, "h264")


@pytest.mark.parametrize("content", [b"", b"hello\n" * 1000])
async def test_probe_of_what_is_no_video(media: Media, footage: Footage, content: bytes) -> None:
    with pytest.raises(ClipError) as caught:
        await media.probe(footage.write("no_video.mp4", content))
    assert caught.value.fault == ClipFault.CUT_SHORT


async def test_probe_that_hangs(footage: Footage, tmp_path: Path) -> None:
    media = Media(1, ffprobe=write_script(tmp_path / "ffprobe", "sleep 300"), grace_seconds=0.1)
    with pytest.raises(ClipError) as caught:
        await media.probe(footage.clip(), timeout_seconds=0.3)
    assert caught.value.fault == ClipFault.HUNG
