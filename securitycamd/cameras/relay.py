"""The relay of one camera: one connection to it, and the newest picture for everyone who watches.

There is no queue. A picture replaces the one before it; who is slow takes the newest when ready, and harms nobody.
The camera streams while somebody watches and for a grace period after, never longer than its time limit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from securitycamd.cameras.control import AgentControl
from securitycamd.cameras.upstream import pictures
from securitycamd.domain.errors import CameraUnavailableError, NotFoundError
from securitycamd.domain.live import EndReason, StreamState, StreamStatus
from securitycamd.settings import LiveSettings

log = structlog.get_logger(__name__)

STARTUP_SECONDS: Final = 8.0
"""How long a stream may take to come up after its start; agents take up to 2 s."""
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 15.0
STEADY_SECONDS: Final = 30.0
"""A stream that ran so long is tried again at the first delay."""
_MEASURED_FRAMES: Final = 30


class Frame:
    """One picture, ready to be sent to any number of viewers without a copy for each.

    ``message`` is the WebSocket message: the length of the camera's id in one byte, the id, the JPEG.
    """

    __slots__ = ("head_bytes", "message", "number")

    def __init__(self, number: int, camera_id: str, jpeg: bytes) -> None:
        name = camera_id.encode()
        self.number = number
        self.head_bytes = 1 + len(name)
        self.message = b"".join((bytes((len(name),)), name, jpeg))

    @property
    def jpeg(self) -> memoryview:
        """The picture alone."""
        return memoryview(self.message)[self.head_bytes :]


class Viewer:
    """Somebody who watches cameras: woken when there is something new, then looks at the relays.

    ``ended`` holds what is over since it was last looked at, by camera.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.ended: dict[str, EndReason] = {}

    def wake(self) -> None:
        """Say that there is something new."""
        self._woken.set()

    async def woken(self) -> None:
        """Wait until there is something new, and take note of it."""
        await self._woken.wait()
        self._woken.clear()


class Ledger(Protocol):
    """Where it is written down that a camera streams, so that it can be told to stop by whoever comes after a crash."""

    async def opening(self, camera_id: str) -> None:
        """It is about to be told to stream."""

    async def restarted(self, camera_id: str) -> None:
        """It had stopped by itself in between, and streams anew."""

    async def closed(self, camera_id: str, *, was_on: bool) -> None:
        """It was told to stop; ``was_on``: it had streamed until then."""


@dataclass(frozen=True, slots=True)
class RelayParts:
    """What all relays share."""

    control: AgentControl
    limits: Callable[[], LiveSettings]
    locate: Callable[[str], Awaitable[str]]
    """The present address of a camera. Raises ``NotFoundError`` where it is gone."""
    ledger: Ledger


class Relay:
    """One camera's stream for all who watch it."""

    def __init__(self, camera_id: str, parts: RelayParts) -> None:
        self.camera_id = camera_id
        self.frame: Frame | None = None
        """The newest picture; ``None`` where nothing streams."""
        self._frames = 0
        self.version = 0
        """Changes with everything that viewers are told, but for pictures and passing time."""
        self._parts = parts
        self._state = StreamState.IDLE
        self._reason = ""
        self._retry_at = 0.0
        self._began = 0.0
        self._on_since: float | None = None
        self._viewers: set[Viewer] = set()
        self._arrivals: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        self._over: asyncio.Future[EndReason] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._retry = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()
        self._closing = False
        self._address = ""
        """Where it was last told to stream."""
        self.left_on = False
        """Whether the camera streams, or may, as far as it was not told to stop."""
        self._told_off = False
        """Whether the log says that it could not be told to stop."""

    # --- viewers --------------------------------------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        """Watch; starts the camera's stream if it is the first to do so."""
        viewer.ended.pop(self.camera_id, None)
        self._viewers.add(viewer)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._life is None and not self._closing:
            self._life = asyncio.create_task(self._live(), name=f"live {self.camera_id}")
            self._life.add_done_callback(self._lived)
        self._changed()

    def leave(self, viewer: Viewer) -> None:
        """Watch no more; the camera's stream ends a grace period after the last has left."""
        if viewer not in self._viewers:
            return
        self._viewers.remove(viewer)
        self._changed()
        if not self._viewers and self._over is not None and self._leaving is None:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(self._parts.limits().grace_seconds, self.end, EndReason.UNWATCHED)

    def retry_now(self) -> None:
        """The camera was just heard of: do not wait any longer."""
        self._retry.set()

    @property
    def is_busy(self) -> bool:
        """Whether its stream is on, starting or being stopped."""
        return self._life is not None

    def status(self) -> StreamStatus:
        """What viewers are told."""
        now = asyncio.get_running_loop().time()
        busy = self._over is not None
        # Until the stop of a stream that just ended is settled, a new one waits.
        waits = self._state is StreamState.IDLE and bool(self._viewers)
        return StreamStatus(
            self.camera_id,
            StreamState.STARTING if waits else self._state,
            len(self._viewers),
            0.0 if self._on_since is None else now - self._on_since,
            max(0.0, self._began + self._parts.limits().max_minutes * 60 - now) if busy else None,
            self._frames_per_second(now),
            self._reason,
            max(0.0, self._retry_at - now) if self._state is StreamState.OFFLINE else None,
        )

    def _frames_per_second(self, now: float) -> float:
        if self._state is not StreamState.LIVE or len(self._arrivals) < 2:
            return 0.0
        # Counting up to now lets the figure sink at once when pictures stop coming.
        span = max(self._arrivals[-1], now - 1.0) - self._arrivals[0]
        return (len(self._arrivals) - 1) / span if span > 0 else 0.0

    # --- the stream -----------------------------------------------------------------------------------------------

    async def close(self, reason: EndReason = EndReason.SERVER_STOPS) -> None:
        """End the stream, tell the camera so, and take no more viewers."""
        self._closing = True
        self.end(reason)
        if (life := self._life) is not None:
            try:
                await asyncio.wait([life])
            except asyncio.CancelledError:
                life.cancel()
                raise

    def end(self, reason: EndReason) -> None:
        """End the stream; whoever watches is told why."""
        if self._over is not None and not self._over.done():
            self._over.set_result(reason)

    async def switch_off(self) -> bool:
        """Tell a camera that may have been left on to stop; whether that is settled.

        Does nothing while somebody watches: their stream's end will see to it.
        """
        return True if self.is_busy or self._switching.locked() else await self._switch_off()

    async def _live(self) -> None:
        while self._viewers and not self._closing:
            async with self._switching:
                reason = await self._stream_until_over()
            self._dismiss(reason)
            await self._switch_off()
        # Not in the callback: whoever joins before that runs would be taken for watching a stream that runs.
        self._life = None

    async def _stream_until_over(self) -> EndReason:
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        self._began = loop.time()
        self._enter(StreamState.STARTING)
        if not self._viewers:  # they left before it began
            self._leaving = loop.call_later(self._parts.limits().grace_seconds, self.end, EndReason.UNWATCHED)
        pump = asyncio.create_task(self._pump(), name=f"stream of {self.camera_id}")
        try:
            await asyncio.wait(
                {pump, self._over},
                timeout=self._parts.limits().max_minutes * 60,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._over.done():
                return self._over.result()
            return pump.result() if pump.done() else EndReason.TIME_LIMIT
        finally:
            self._over = None
            pump.cancel()
            await asyncio.wait([pump])

    def _dismiss(self, reason: EndReason) -> None:
        """It is over: nobody watches any more, and who did is told why. Whoever came at the last moment stays."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        viewers: set[Viewer] = set()
        if reason is not EndReason.UNWATCHED:
            viewers, self._viewers = self._viewers, viewers
        self.frame = None
        self._arrivals.clear()
        self._enter(StreamState.IDLE)
        for viewer in viewers:
            viewer.ended[self.camera_id] = reason
            viewer.wake()

    async def _switch_off(self) -> bool:
        async with self._switching:
            was_on = is_removed = False
            try:
                if self.left_on:
                    try:
                        address = await self._parts.locate(self.camera_id)
                    except NotFoundError:
                        is_removed, address = True, self._address
                    was_on = bool(address) and await self._parts.control.stop_stream(self.camera_id, address)
            except CameraUnavailableError as error:
                # A camera that was removed is told once: nobody waits for it any more.
                if not is_removed and not self._told_off:
                    reason = str(error)
                    log.warning("a camera could not be told to stop streaming", camera=self.camera_id, reason=reason)
                self._told_off = True
                if not is_removed:
                    return False
            self.left_on = self._told_off = False
            self._on_since = None
            await self._parts.ledger.closed(self.camera_id, was_on=was_on)
            return True

    async def _pump(self) -> EndReason:
        """Bring pictures, and try again whenever they stop coming; ends only where trying is no use."""
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY_SECONDS
        while True:
            begun = loop.time()
            try:
                await self._bring_pictures()
                reason = "The camera ended its stream."
            except CameraUnavailableError as error:
                reason = str(error)
            except NotFoundError:
                return EndReason.CAMERA_GONE
            if loop.time() - begun > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            log.info("live stream interrupted", camera=self.camera_id, reason=reason)
            self._retry.clear()
            self._retry_at = loop.time() + delay
            self._enter(StreamState.OFFLINE, reason)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._retry.wait()
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            self._enter(StreamState.STARTING)

    async def _bring_pictures(self) -> None:
        parts, limits = self._parts, self._parts.limits()
        address = self._address = await parts.locate(self.camera_id)
        await parts.ledger.opening(self.camera_id)
        try:
            started = await parts.control.start_stream(self.camera_id, address)
        except CameraUnavailableError as error:
            self.left_on = self.left_on or error.may_have_acted
            raise
        except asyncio.CancelledError:
            self.left_on = True
            raise
        self.left_on = True
        now = asyncio.get_running_loop().time()
        if started.was_off and self._on_since is not None:
            await parts.ledger.restarted(self.camera_id)
            self._on_since = now
        elif self._on_since is None:
            self._on_since = now
        self._changed()
        stream = pictures(
            parts.control.session,
            started.url,
            startup_seconds=STARTUP_SECONDS,
            stall_seconds=limits.stall_seconds,
            max_bytes=limits.max_frame_bytes,
        )
        async with aclosing(stream):
            async for jpeg in stream:
                self._publish(jpeg)

    def _publish(self, jpeg: bytes) -> None:
        self._arrivals.append(asyncio.get_running_loop().time())
        self._frames += 1
        self.frame = Frame(self._frames, self.camera_id, jpeg)
        if self._state is not StreamState.LIVE:
            self._enter(StreamState.LIVE)
        for viewer in self._viewers:
            viewer.wake()

    def _enter(self, state: StreamState, reason: str = "") -> None:
        if state is not StreamState.LIVE:
            self._arrivals.clear()
        self._state, self._reason = state, reason
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        for viewer in self._viewers:
            viewer.wake()

    def _lived(self, life: asyncio.Task[None]) -> None:
        if self._life is life:
            self._life = None
        if not life.cancelled() and (error := life.exception()) is not None:
            self._dismiss(EndReason.FAULT)
            log.error("the relay of a camera failed", camera=self.camera_id, exc_info=error)
