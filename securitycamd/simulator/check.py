"""Whether the whole chain works for each camera, from motion to words, and how long each step took."""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from securitycamd.domain.names import ConversionStatus, EventStatus
from securitycamd.simulator.agent import EventTrace, SimulatedCamera
from securitycamd.simulator.playback import playable_problem

POLL_SECONDS: Final = 0.3
REQUEST_SECONDS: Final = 10.0
CONVERTED: Final = frozenset({ConversionStatus.COMPLETE, ConversionStatus.OPTIMIZED})
GIVEN_UP: Final = frozenset({EventStatus.INTERRUPTED, EventStatus.FAILED})


@dataclass(slots=True)
class ChainResult:
    """How far one camera's best event came. Times are seconds after the motion; ``None``: did not happen."""

    camera_id: str
    name: str
    event_id: int | None = None
    pictures_seconds: float | None = None
    clip_seconds: float | None = None
    playable_seconds: float | None = None
    described_seconds: float | None = None
    phrase: str = ""
    description: str = ""
    missing: str = "it has not registered"
    """What is not there yet, in words; empty when the chain is complete."""

    @property
    def is_complete(self) -> bool:
        """Whether an event of this camera was converted, described, and fetched as a playable file."""
        return not self.missing


async def check_chain(cameras: Sequence[SimulatedCamera], server_url: str, timeout_seconds: float) -> list[ChainResult]:
    """Watch running cameras until each has an event that came all the way, or the time is over."""
    results = [ChainResult(camera.plan.identity.camera_id, camera.plan.identity.name) for camera in cameras]
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        watchers = [
            asyncio.create_task(_Watcher(session, server_url, camera, result).watch())
            for camera, result in zip(cameras, results, strict=True)
        ]
        try:
            await asyncio.wait(watchers, timeout=timeout_seconds)
        finally:
            for watcher in watchers:
                watcher.cancel()
            outcomes = await asyncio.gather(*watchers, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return results


class _Watcher:
    """Follows one camera's events until one came all the way."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server_url: str,
        camera: SimulatedCamera,
        result: ChainResult,
    ) -> None:
        self._session = session
        self._server_url = server_url
        self._camera = camera
        self._result = result
        self._checked_path = ""
        self._playable_problem: str | None = None

    async def watch(self) -> None:
        index = 0
        while True:
            traces = list(self._camera.traces)
            if index < len(traces):
                done, hopeless = await self._look(traces[index])
                if done:
                    return
                # What went wrong stays told while the next event gets its chance.
                if hopeless and index + 1 < len(traces):
                    index += 1
                    self._result.playable_seconds = self._result.described_seconds = None
                    continue
            else:
                registered = self._camera.state not in {"starting", "registering"}
                self._result.missing = (
                    "it has found no motion" if registered else "the server has not accepted its registration"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self, trace: EventTrace) -> tuple[bool, bool]:
        """Whether the event came all the way, and whether it never will."""
        result = self._result
        result.event_id = trace.event_id
        result.pictures_seconds = _since(trace, trace.pictures_at)
        result.clip_seconds = _since(trace, trace.clip_at)
        if trace.event_id is None:
            result.missing = "the server has not accepted its event"
            return False, False
        if trace.status in GIVEN_UP:
            result.missing = f"event {trace.event_id} ended as {trace.status}"
            return False, True
        event = await self._event(trace.event_id)
        if event is None:
            result.missing = f"the server does not show event {trace.event_id}"
            return False, False
        wanting = [*await self._conversion(trace, event), *self._analysis(trace, event)]
        if trace.pictures_at is None:
            wanting.insert(0, "its pictures")
        elif trace.clip_at is None:
            wanting.insert(0, "its clip")
        result.missing = f"event {trace.event_id} lacks {', '.join(wanting)}" if wanting else ""
        failed = event.get("mp4_conversion_status") == ConversionStatus.FAILED
        return not wanting, failed or bool(self._playable_problem)

    async def _conversion(self, trace: EventTrace, event: Mapping[str, object]) -> list[str]:
        status, path = event.get("mp4_conversion_status"), event.get("video_mp4_path")
        if status not in CONVERTED or not isinstance(path, str):
            return [f"its MP4 (conversion is {status})"]
        if self._checked_path != path:
            self._playable_problem = await self._play(path, trace.video_duration)
            self._checked_path = path
            if self._playable_problem is None:
                self._result.playable_seconds = time.monotonic() - trace.detected_at
        return [f"a playable MP4 ({self._playable_problem})"] if self._playable_problem else []

    def _analysis(self, trace: EventTrace, event: Mapping[str, object]) -> list[str]:
        description = event.get("ai_description")
        if not event.get("ai_processed") or not isinstance(description, str) or not description:
            error = event.get("ai_error")
            return [f"its description ({error})" if error else "its description"]
        if self._result.described_seconds is None:
            self._result.described_seconds = time.monotonic() - trace.detected_at
        self._result.description = description
        self._result.phrase = str(event.get("ai_phrase") or "")
        return []

    async def _event(self, event_id: int) -> Mapping[str, object] | None:
        try:
            async with self._session.get(f"{self._server_url}/api/v1/events/{event_id}") as response:
                event = await response.json()
                return event if response.status == 200 and isinstance(event, dict) else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def _play(self, path: str, expected_seconds: float) -> str | None:
        try:
            async with self._session.get(f"{self._server_url}/media/{path}") as response:
                if response.status != 200:
                    return f"GET /media/{path} was answered with {response.status}"
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"GET /media/{path} failed: {str(error) or type(error).__name__}"
        return await asyncio.to_thread(_problem_of, content, expected_seconds)


def _problem_of(content: bytes, expected_seconds: float) -> str | None:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(content)
        file.flush()
        return playable_problem(Path(file.name), expected_seconds)


def _since(trace: EventTrace, moment: float | None) -> float | None:
    return None if moment is None else moment - trace.detected_at
