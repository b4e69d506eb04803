"""The pool of FFmpeg processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from securitycamd.domain.clips import ClipError
from securitycamd.domain.errors import UnavailableError
from securitycamd.media.encoders import EncoderChoice
from securitycamd.media.optimise import OptimisedClip, OptimiserPreset, given_up_when, optimise_clip
from securitycamd.media.probe import ClipFacts, RunBlocking, probe_clip, run_clip_tool
from securitycamd.media.process import Tools
from securitycamd.media.remux import RemuxedClip, remux_clip
from securitycamd.media.slots import Slots
from securitycamd.media.stills import STILL_QUALITY, THUMBNAIL_QUALITY, Still, StillMaker

VERSION_SECONDS: Final = 20.0


class MediaClosedError(UnavailableError):
    """The server is stopping; the clip was not touched, and nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__("The server is stopping; the clip is converted later.")


class Media:
    """Starts FFmpeg, a bounded number at a time.

    Args:
        processes: how many may run at once. An optimisation runs beside them, one at a time: it takes
            minutes, and no new clip shall wait for it.
        run_blocking: runs file calls; give the storage's bounded pool, so that a hung mount takes no other
            threads.
        niceness: of the processes, so that converting yields to answering.
        grace_seconds: between TERM and KILL when a process is stopped.
        ffmpeg: the program, searched in PATH.
        ffprobe: the program, searched in PATH.
    """

    def __init__(
        self,
        processes: int,
        *,
        run_blocking: RunBlocking = asyncio.to_thread,
        niceness: int = 10,
        grace_seconds: float = 2.0,
        ffmpeg: str = "ffmpeg",
        ffprobe: str = "ffprobe",
    ) -> None:
        self._slots = Slots(processes)
        self._optimiser_slot = Slots(1)
        self._tools = Tools(niceness=niceness, grace_seconds=grace_seconds)
        self._run_blocking = run_blocking
        self._ffmpeg = ffmpeg
        self._ffprobe = ffprobe
        self._encoders = EncoderChoice(self._tools, ffmpeg)

    @property
    def slots(self) -> int:
        """How many may run at once."""
        return self._slots.size

    @property
    def running(self) -> int:
        """How many slots are taken; above ``slots`` for a while after it was made smaller."""
        return self._slots.taken

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return self._slots.waiting

    @property
    def is_optimising(self) -> bool:
        """Whether an optimisation runs."""
        return self._optimiser_slot.taken > 0

    async def version(self) -> str | None:
        """FFmpeg's version, as it calls itself; ``None`` when it cannot be started."""
        try:
            result = await run_clip_tool(self._tools, [self._ffmpeg, "-version"], timeout_seconds=VERSION_SECONDS)
        except ClipError:
            return None
        words = result.stdout.decode(errors="replace").split()[:3]
        return words[2] if words[:2] == ["ffmpeg", "version"] else None

    def resize(self, processes: int) -> None:
        """Change how many may run at once. What runs already runs to its end."""
        self._slots.resize(processes)

    async def remux(
        self,
        source: Path,
        target: Path,
        *,
        frame_rate: float,
        timeout_seconds: float,
        on_progress: Callable[[float], None] | None = None,
    ) -> RemuxedClip:
        """Make an MP4 from a raw H.264 stream, without re-encoding, and look whether it is whole.

        The MP4 starts to play while it loads, lasts exactly frames / ``frame_rate``, and shows the frames in
        their right order. It is not synced to the disk; publishing it does that. When anything fails, or the
        call is cancelled, neither a process nor ``target`` is left.

        Args:
            source: the stream; any path, also one that looks like an option.
            target: where to write; a temporary name, overwritten if it is there.
            frame_rate: frames a second, above 0; a decimal is taken as written (29.97 is 2997/100).
            timeout_seconds: for reading the stream and again for FFmpeg. Waiting for a slot is not counted.
            on_progress: is told the share that is done, 0 to 1, rising; runs on the loop and must not raise.

        Raises:
            ClipError: it cannot be made playable; the fault says why.
            StorageUnavailableError: the storage does not answer.
            MediaClosedError: the pool was closed.
        """
        async with self._place_in(self._slots):
            return await remux_clip(
                source,
                target,
                tools=self._tools,
                ffmpeg=self._ffmpeg,
                run_blocking=self._run_blocking,
                frame_rate=frame_rate,
                timeout_seconds=timeout_seconds,
                on_progress=on_progress,
            )

    async def optimise(
        self,
        source: Path,
        target: Path,
        *,
        preset: OptimiserPreset,
        timeout_seconds: float,
        on_progress: Callable[[float], None] | None = None,
        give_up: asyncio.Event | None = None,
    ) -> OptimisedClip:
        """Re-encode an MP4 smaller, and look whether all of it is there.

        The result has every frame at its time, the audio as it was, the tags, and the source's time of
        modification; it was decoded from the first to the last frame. It may be larger than the source: the
        caller decides which to keep. When anything fails, or the call is cancelled, neither a process nor
        ``target`` is left.

        Args:
            source: the MP4.
            target: where to write; a temporary name, overwritten if it is there.
            preset: how to encode.
            timeout_seconds: for all of it. Waiting for another optimisation to end is not counted.
            on_progress: is told the share that is done, 0 to 1, rising; runs on the loop and must not raise.
            give_up: set it to end the optimisation early, also one that still waits.

        Raises:
            ClipError: ``MISSING``, ``CUT_SHORT`` when there is no video in the source, ``HUNG``; ``FFMPEG``
                when FFmpeg fails or the result is not whole, as with sources that are damaged themselves.
            OptimisationGivenUpError: ``give_up`` was set.
            StorageUnavailableError: the storage does not answer.
            MediaClosedError: the pool was closed.
        """
        async with given_up_when(give_up), self._place_in(self._optimiser_slot):
            return await optimise_clip(
                source,
                target,
                tools=self._tools,
                ffmpeg=self._ffmpeg,
                ffprobe=self._ffprobe,
                encoders=self._encoders,
                run_blocking=self._run_blocking,
                preset=preset,
                timeout_seconds=timeout_seconds,
                on_progress=on_progress,
            )

    async def still_from_clip(
        self,
        clip: Path,
        target: Path,
        *,
        at_seconds: float,
        size: tuple[int, int] | None = None,
        frame_rate: float | None = None,
        quality: int = STILL_QUALITY,
        timeout_seconds: float = 60.0,
    ) -> Still:
        """Make a JPEG of the first frame at or after a time; beyond the end, of the last frame.

        Args:
            clip: an MP4, or with ``frame_rate`` a raw H.264 stream.
            target: where to write; a temporary name, overwritten if it is there.
            at_seconds: 0 to a day.
            size: width and height to fit into, even numbers; the shape is kept, and nothing is enlarged.
            frame_rate: of a raw stream, frames a second.
            quality: 1 (best) to 31.
            timeout_seconds: for reading the stream and again for FFmpeg.

        Raises:
            ClipError: no frame of it can be shown; the fault says why.
            StorageUnavailableError: the storage does not answer.
            MediaClosedError: the pool was closed.
        """
        async with self._place_in(self._slots):
            return await self._still_maker(timeout_seconds, quality).from_clip(
                clip, target, at_seconds=at_seconds, size=size, frame_rate=frame_rate
            )

    async def thumbnail_from_still(
        self,
        still: Path,
        target: Path,
        *,
        width: int = 480,
        height: int = 270,
        quality: int = THUMBNAIL_QUALITY,
        timeout_seconds: float = 30.0,
    ) -> Still:
        """Make a small JPEG of exactly ``width`` by ``height`` from a JPEG.

        Of a picture of another shape up to a tenth is cut off, and what then is missing is black.

        Raises:
            ClipError: ``MISSING``; ``CUT_SHORT`` when it is not a whole JPEG; ``FFMPEG`` when it cannot be
                decoded without an error; ``HUNG``.
            StorageUnavailableError: the storage does not answer.
            MediaClosedError: the pool was closed.
        """
        async with self._place_in(self._slots):
            return await self._still_maker(timeout_seconds, quality).thumbnail(
                still, target, width=width, height=height
            )

    async def probe(self, path: Path, *, timeout_seconds: float = 30.0) -> ClipFacts:
        """Ask ffprobe about a video of any format.

        Raises:
            ClipError: there is no video in it, or ffprobe fails.
            MediaClosedError: the pool was closed.
        """
        async with self._place_in(self._slots):
            return await probe_clip(path, tools=self._tools, ffprobe=self._ffprobe, timeout_seconds=timeout_seconds)

    async def close(self, grace_seconds: float = 2.0) -> None:
        """End every process group (TERM, KILL after ``grace_seconds``, reap) and refuse new work.

        Those who wait for a slot or a process get :class:`MediaClosedError`.
        """
        for slots in (self._slots, self._optimiser_slot):
            slots.fail_waiting(MediaClosedError())
        await self._tools.close(grace_seconds)

    def _still_maker(self, timeout_seconds: float, quality: int) -> StillMaker:
        return StillMaker(self._tools, self._ffmpeg, self._ffprobe, self._run_blocking, timeout_seconds, quality)

    @asynccontextmanager
    async def _place_in(self, slots: Slots) -> AsyncIterator[None]:
        if self._tools.closed:
            raise MediaClosedError
        async with slots.hold():
            try:
                yield
            except ClipError as error:
                if self._tools.closed:  # it was us who ended the process
                    raise MediaClosedError from error
                raise
