"""The pool of FFmpeg processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from securitycamd.domain.clips import ClipError
from securitycamd.domain.errors import UnavailableError
from securitycamd.media.probe import ClipFacts, RunBlocking, probe_clip
from securitycamd.media.process import Tools
from securitycamd.media.remux import RemuxedClip, remux_clip
from securitycamd.media.slots import Slots


class MediaClosedError(UnavailableError):
    """The server is stopping; the clip was not touched, and nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__("The server is stopping; the clip is converted later.")


class Media:
    """Starts FFmpeg, a bounded number at a time.

    Args:
        processes: how many may run at once.
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
        self._tools = Tools(niceness=niceness, grace_seconds=grace_seconds)
        self._run_blocking = run_blocking
        self._ffmpeg = ffmpeg
        self._ffprobe = ffprobe

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
        async with self._slot():
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

    async def probe(self, path: Path, *, timeout_seconds: float = 30.0) -> ClipFacts:
        """Ask ffprobe about a video of any format.

        Raises:
            ClipError: there is no video in it, or ffprobe fails.
            MediaClosedError: the pool was closed.
        """
        async with self._slot():
            return await probe_clip(
                path, tools=self._tools, ffprobe=self._ffprobe, timeout_seconds=timeout_seconds
            )

    async def close(self, grace_seconds: float = 2.0) -> None:
        """End every process group (TERM, KILL after ``grace_seconds``, reap) and refuse new work.

        Those who wait for a slot or a process get :class:`MediaClosedError`.
        """
        self._slots.fail_waiting(MediaClosedError())
        await self._tools.close(grace_seconds)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._tools.closed:
            raise MediaClosedError
        async with self._slots.hold():
            try:
                yield
            except ClipError as error:
                if self._tools.closed:  # it was us who ended the process
                    raise MediaClosedError from error
                raise
