"""A camera agent made of software: it does on the wire what the agents in the field do."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from securitycamd.domain.names import EventStatus, FileType, LogLevel
from securitycamd.simulator.control import OLDER_PORTS, AgentPorts, AgentServer
from securitycamd.simulator.motion import Motion, MotionDetector
from securitycamd.simulator.scenes import (
    STILL_SIZE,
    STREAM_SIZE,
    THUMBNAIL_SIZE,
    FrameReader,
    Scene,
    clip_seconds,
    jpeg,
)
from securitycamd.simulator.share import OLDER, Dialect, Share
from securitycamd.simulator.upload import Delivery
from securitycamd.simulator.wire import REAL_TIME, AgentClient, AgentIdentity, LogEntry, Pace

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

SECOND_PICTURE_SECONDS: Final = 4.0
CHECK_SECONDS: Final = 0.2
LOG_SECONDS: Final = 5.0
HEALTH_SECONDS: Final = 60.0
LOG_LINES_KEPT: Final = 500
TRACES_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """How one simulated camera is set up.

    Args:
        identity: what it registers as; its ``ip_address`` is where it listens.
        scene: what it looks at.
        offset_seconds: where in the scene's loop it begins.
        dialect: how it names files.
        ports: where its control API and stream are; ``None`` for a camera that serves neither.
        clip_seconds: how long its clips are; 40-60 in the field.
        quiet_seconds: how long it waits after an event before it looks for motion again.
        quiet_growth: the factor of that wait from event to event: a demo left alone must not fill the disk.
        quiet_limit_seconds: up to what it grows.
        pace: shortens all its waits, for tests.
        zone: the zone of its clock; ``None`` for the machine's.
        delivery: how its files come to the server.
        cut_uploads: whether each clip that it sends over HTTP breaks off in its middle at first, and is gone on with.
    """

    identity: AgentIdentity
    scene: Scene
    offset_seconds: float = 0.0
    dialect: Dialect = OLDER
    ports: AgentPorts | None = OLDER_PORTS
    clip_seconds: float = 45.0
    quiet_seconds: float = 30.0
    quiet_growth: float = 1.0
    quiet_limit_seconds: float = 900.0
    pace: Pace = REAL_TIME
    zone: tzinfo | None = None
    delivery: Delivery = Delivery.SHARE
    cut_uploads: bool = False


@dataclass(slots=True)
class EventTrace:
    """What became of one event, as its agent saw it. Times are of ``time.monotonic()``; ``None``: not yet."""

    camera_id: str
    timestamp: datetime
    detected_at: float
    video_duration: float
    event_id: int | None = None
    status: EventStatus = EventStatus.PROCESSING
    posted_at: float | None = None
    pictures_at: float | None = None
    clip_at: float | None = None
    ended_at: float | None = None
    files: dict[FileType, str] = field(default_factory=dict)
    """What was reported, and arrived."""


class _RecordingInterrupted(Exception):  # noqa: N818 - the way out of a recording, not an error
    """Somebody wants to watch live: the event under way is given up."""


class SimulatedCamera:
    """One agent: ``await run()`` until cancelled.

    Args:
        plan: how it is set up.
        server_url: where the server is, such as ``http://127.0.0.1:8000``.
        storage_root: where the share is mounted.
        on_event: told whenever an event ends.
    """

    def __init__(
        self,
        plan: AgentPlan,
        server_url: str,
        storage_root: Path,
        *,
        on_event: Callable[[EventTrace], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.traces: deque[EventTrace] = deque(maxlen=TRACES_KEPT)
        self.state = "starting"
        self.server: AgentServer | None = None
        self._on_event = on_event
        self._client = AgentClient(
            server_url,
            plan.identity,
            pace=plan.pace,
            on_trouble=lambda sentence: self._log(LogLevel.WARNING, sentence),
        )
        self._share = Share(storage_root, plan.identity.camera_id, plan.dialect)
        self._lines: deque[LogEntry] = deque(maxlen=LOG_LINES_KEPT)
        self._registered = asyncio.Event()
        self._streaming = asyncio.Event()
        self._not_streaming = asyncio.Event()
        self._not_streaming.set()
        self._trigger = asyncio.Event()
        self._began = time.monotonic()

    async def run(self) -> None:
        """Live until cancelled.

        Raises:
            FootageError: its footage cannot be read.
        """
        async with AsyncExitStack() as stack:
            # One thread for all of the camera's heavy work: a Pi's camera does one thing at a time, too.
            worker = ThreadPoolExecutor(1, thread_name_prefix=self.plan.identity.camera_id)
            stack.callback(worker.shutdown, wait=False)
            self._worker = worker
            self._reader = await self._off_loop(FrameReader, self.plan.scene)
            stack.callback(worker.submit, self._reader.close)
            await stack.enter_async_context(self._client)
            if self.plan.ports is not None:
                await self._open_server(stack, self.plan.ports)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ship_logs())
                group.create_task(self._look_after_server())
                await self._watch()

    def trigger(self) -> None:
        """Make the next check find motion, whatever the footage shows."""
        self._trigger.set()

    async def registered(self) -> None:
        """Return when the server has accepted the registration."""
        await self._registered.wait()

    async def _open_server(self, stack: AsyncExitStack, ports: AgentPorts) -> None:
        identity = self.plan.identity
        server = AgentServer(
            camera_id=identity.camera_id,
            name=identity.name,
            host=identity.ip_address,
            ports=ports,
            frames=lambda: self._jpeg_at(self._position, STREAM_SIZE),
            motion_state=lambda: self.state,
            on_streaming=self._set_streaming,
            startup_seconds=0.8 / self.plan.pace.speed,
        )
        try:
            self.server = await stack.enter_async_context(server)
        except OSError as error:
            # Watching for motion is the camera's main job; it does that without live pictures, too.
            self._log(LogLevel.ERROR, f"The control API cannot be opened: {error.strerror}")

    async def _watch(self) -> None:
        self.state = "registering"
        await self._client.register()
        self._registered.set()
        self._log(LogLevel.INFO, f"Camera registered as {self.plan.identity.camera_id}")
        motion = MotionDetector()
        quiet_seconds = self.plan.quiet_seconds
        while True:
            if not self._not_streaming.is_set():
                self.state = "paused"
                await self._not_streaming.wait()
                motion.forget()
            self.state = "detecting"
            found = await self._off_loop(self._check, motion, self._position)
            if self._trigger.is_set() or found.is_motion:
                self._trigger.clear()
                await self._handle_event(found)
                motion.forget()
                self.state = "quiet"
                await self._wait_quietly(quiet_seconds)
                quiet_seconds = min(quiet_seconds * self.plan.quiet_growth, self.plan.quiet_limit_seconds)
            else:
                await self.plan.pace.sleep(CHECK_SECONDS)

    async def _wait_quietly(self, seconds: float) -> None:
        """The pause after an event, cut short by :meth:`trigger`."""
        try:
            async with asyncio.timeout(seconds / self.plan.pace.speed):
                await self._trigger.wait()
        except TimeoutError:
            return

    async def _handle_event(self, motion: Motion) -> None:
        trace = EventTrace(
            camera_id=self.plan.identity.camera_id,
            timestamp=datetime.now(self.plan.zone).replace(tzinfo=None),
            detected_at=time.monotonic(),
            video_duration=float(clip_seconds(self.plan.clip_seconds)),
        )
        self.traces.append(trace)
        position = self._position
        self.state = "posting"
        self._log(LogLevel.INFO, f"Motion detected: {motion.score:.0f} pixels changed")
        trace.event_id = await self._client.post_event(trace.timestamp, motion.score, motion.confidence)
        trace.posted_at = time.monotonic()
        self.state = "recording"
        try:
            await self._record(trace, trace.event_id, position)
        except _RecordingInterrupted:
            trace.status = EventStatus.INTERRUPTED
        await self._client.set_status(trace.event_id, trace.status)
        trace.ended_at = time.monotonic()
        self._log(LogLevel.INFO, f"Event {trace.event_id}: {trace.status}")
        self._on_event(trace)

    async def _record(self, trace: EventTrace, event_id: int, position: float) -> None:
        first = await self._jpeg_at(position, STILL_SIZE)
        await self._deliver(trace, event_id, FileType.IMAGE_A, first)
        small = await self._jpeg_at(position, THUMBNAIL_SIZE)
        await self._deliver(trace, event_id, FileType.THUMBNAIL, small)
        await self._wait_recording(trace, SECOND_PICTURE_SECONDS)
        second = await self._jpeg_at(position + SECOND_PICTURE_SECONDS, STILL_SIZE)
        await self._deliver(trace, event_id, FileType.IMAGE_B, second)
        trace.pictures_at = time.monotonic()
        await self._wait_recording(trace, trace.video_duration)
        clip = await self._off_loop(self.plan.scene.clip, position, trace.video_duration)
        await self._deliver(trace, event_id, FileType.VIDEO, clip)
        trace.clip_at = time.monotonic()
        if trace.status is EventStatus.PROCESSING:
            trace.status = EventStatus.COMPLETE

    async def _wait_recording(self, trace: EventTrace, since_motion_seconds: float) -> None:
        """Wait until so long after the motion, or give up when somebody wants the camera."""
        passed = time.monotonic() - trace.detected_at
        try:
            async with asyncio.timeout(max(0.0, since_motion_seconds / self.plan.pace.speed - passed)):
                await self._streaming.wait()
        except TimeoutError:
            return
        raise _RecordingInterrupted

    async def _deliver(self, trace: EventTrace, event_id: int, file_type: FileType, content: bytes) -> None:
        if self.plan.delivery is Delivery.UPLOAD:
            await self._send(trace, event_id, file_type, content)
        else:
            await self._copy(trace, event_id, file_type, content)

    async def _send(self, trace: EventTrace, event_id: int, file_type: FileType, content: bytes) -> None:
        is_video = file_type is FileType.VIDEO
        if await self._client.send_file(
            event_id,
            file_type,
            content,
            video_duration=trace.video_duration if is_video else None,
            cut_at=len(content) // 2 if is_video and self.plan.cut_uploads else 0,
        ):
            trace.files[file_type] = self._share.relative_path(file_type, event_id, trace.timestamp)
            self._log(LogLevel.DEBUG, f"{file_type} sent, {len(content)} bytes")
        else:
            trace.status = EventStatus.FAILED
            self._log(LogLevel.ERROR, f"{file_type} of event {event_id} could not be sent")

    async def _copy(self, trace: EventTrace, event_id: int, file_type: FileType, content: bytes) -> None:
        path = self._share.relative_path(file_type, event_id, trace.timestamp)
        transferred = True
        try:
            await self._off_loop(self._share.write, file_type, path, content)
        except OSError as error:
            transferred = False
            trace.status = EventStatus.FAILED
            self._log(LogLevel.ERROR, f"{path} could not be written: {error.strerror}")
        reported = await self._client.report_file(
            event_id,
            file_type,
            path,
            transferred=transferred,
            video_duration=trace.video_duration if file_type is FileType.VIDEO else None,
        )
        if reported and transferred:
            trace.files[file_type] = path
            self._log(LogLevel.DEBUG, f"{path} transferred, {len(content)} bytes")

    async def _ship_logs(self) -> None:
        while True:
            await self.plan.pace.sleep(LOG_SECONDS)
            batch = [self._lines.popleft() for _ in range(len(self._lines))]
            if batch:
                await self._client.post_logs(batch)

    async def _look_after_server(self) -> None:
        while True:
            await self.plan.pace.sleep(HEALTH_SECONDS)
            if await self._client.server_is_healthy():
                await self._client.statistics()

    def _log(self, level: LogLevel, message: str) -> None:
        self._lines.append(LogEntry(datetime.now(self.plan.zone).replace(tzinfo=None), level, message))

    def _set_streaming(self, streaming: bool) -> None:
        if streaming:
            self._streaming.set()
            self._not_streaming.clear()
        else:
            self._streaming.clear()
            self._not_streaming.set()
        self._log(LogLevel.INFO, "Streaming started" if streaming else "Streaming stopped")

    @property
    def _position(self) -> float:
        """Where the footage is, in seconds since its first loop began."""
        return (time.monotonic() - self._began) * self.plan.pace.speed + self.plan.offset_seconds

    def _check(self, motion: MotionDetector, position: float) -> Motion:
        return motion.check(self._reader.frame(position))

    async def _jpeg_at(self, position: float, size: tuple[int, int]) -> bytes:
        return await self._off_loop(lambda: jpeg(self._reader.frame(position), size))

    async def _off_loop(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, partial(function, *args, **kwargs))
