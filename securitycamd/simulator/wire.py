"""The calls an agent makes to the server, tried as often as the agents in the field try them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import aiohttp

from securitycamd.domain.names import EventStatus, FileType, LogLevel
from securitycamd.simulator.upload import Upload

CONNECT_TIMEOUT_SECONDS: Final = 5.0
READ_TIMEOUT_SECONDS: Final = 30.0
HEALTH_TIMEOUT_SECONDS: Final = 3.0
ENDLESS_DELAYS_SECONDS: Final = (0.0, 5.0, 10.0, 30.0)
"""Before each try; the last one for ever."""
FILE_DELAYS_SECONDS: Final = (0.0, 1.0, 2.0)
UPLOAD_DELAYS_SECONDS: Final = (0.0, 1.0, 2.0, 5.0, 10.0)
LOG_DELAYS_SECONDS: Final = (0.0, 1.0)
ACCEPTED: Final = frozenset({200, 201})
CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """What an agent says of itself when it registers."""

    camera_id: str
    name: str
    location: str
    ip_address: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of an agent's log; the time is naive local time."""

    timestamp: datetime
    level: LogLevel
    message: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an agent lives: 1 is real time, 20 makes each wait twenty times shorter (for tests)."""

    speed: float = 1.0

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of the agent's time."""
        await asyncio.sleep(seconds / self.speed)


REAL_TIME: Final = Pace()


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The server answered something the agent does not accept."""


class AgentClient:
    """One keep-alive session to one server.

    Args:
        base_url: scheme, host and port of the server; the API's path is added here.
        identity: whose agent this is.
        pace: shortens the delays between tries.
        on_trouble: told, in a sentence, about each try that failed.
    """

    def __init__(
        self,
        base_url: str,
        identity: AgentIdentity,
        *,
        pace: Pace = REAL_TIME,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._base = f"{base_url.rstrip('/')}/api/v1"
        self._identity = identity
        self._pace = pace
        self._on_trouble = on_trouble
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # Connect and read are bounded one by one, as in Python requests: no bound on the whole.
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=READ_TIMEOUT_SECONDS
        )
        self._session = aiohttp.ClientSession(
            # The agents' main and log threads share a session: each may have a request under way.
            connector=aiohttp.TCPConnector(limit=2),
            headers={"User-Agent": f"SecurityCamera/{self._identity.camera_id}"},
            timeout=timeout,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self) -> None:
        """Make the camera known; returns when the server accepted it, however long that takes."""
        body = {
            "camera_id": self._identity.camera_id,
            "name": self._identity.name,
            "location": self._identity.location,
            "ip_address": self._identity.ip_address,
        }
        for delay in _endless(ENDLESS_DELAYS_SECONDS):
            await self._pace.sleep(delay)
            with self._told("registration"):
                await self._call("POST", "/cameras/register", body)
                return

    async def post_event(self, timestamp: datetime, motion_score: float, confidence_score: float) -> int:
        """Report motion; returns the event's id when the server gave one, however long that takes.

        The same event is posted again when an answer was lost on the way.
        """
        body = {
            "camera_id": self._identity.camera_id,
            "timestamp": timestamp.isoformat(timespec="microseconds"),
            "motion_score": motion_score,
            "confidence_score": confidence_score,
        }
        for delay in _endless(ENDLESS_DELAYS_SECONDS):
            await self._pace.sleep(delay)
            with self._told("event"):
                answer = await self._call("POST", "/events", body)
                event_id = answer.get("id") if isinstance(answer, dict) else None
                if isinstance(event_id, int):
                    return event_id
                raise _Refused("the answer has no integer id")
        raise AssertionError("endless delays ended")

    async def report_file(
        self,
        event_id: int,
        file_type: FileType,
        file_path: str,
        *,
        transferred: bool,
        video_duration: float | None = None,
    ) -> bool:
        """Say that a file is on the share; false when the server was not reached in three tries."""
        body: dict[str, object] = {
            "file_type": str(file_type),
            "file_path": file_path,
            "transferred": transferred,
        }
        if video_duration is not None:
            body["video_duration"] = video_duration
        return await self._tried("file report", f"/events/{event_id}/files", body, FILE_DELAYS_SECONDS)

    async def send_file(
        self,
        event_id: int,
        file_type: FileType,
        content: bytes,
        *,
        video_duration: float | None = None,
        cut_at: int = 0,
    ) -> bool:
        """Send a file over HTTP, for agents without a share; false when it did not arrive in some tries.

        After a line that broke it goes on from where the server says. With ``cut_at`` the first try ends after so many
        bytes, as when the radio fails.
        """
        upload = Upload(event_id, file_type, content, video_duration)
        for number, delay in enumerate(UPLOAD_DELAYS_SECONDS):
            await self._pace.sleep(delay)
            with self._told("upload"):
                if number:
                    upload.received(*await self.send("GET", upload.path))
                pieces = upload.pieces(0 if number else cut_at)
                status, answer = await self.send("PUT", upload.target, content=pieces, headers=upload.headers)
                if status == CREATED:
                    return True
                raise _Refused(f"PUT {upload.path} was answered with {status}: {_detail_of(answer)}")
        return False

    async def set_status(self, event_id: int, status: EventStatus) -> bool:
        """Say how the event ended, once."""
        return await self._tried("status", f"/events/{event_id}/status", {"status": str(status)}, (0.0,))

    async def post_logs(self, lines: Iterable[LogEntry]) -> bool:
        """Send a batch of log lines; false when they are lost."""
        body = [
            {
                "source": self._identity.camera_id,
                "timestamp": line.timestamp.isoformat(timespec="microseconds"),
                "level": str(line.level),
                "message": line.message,
            }
            for line in lines
        ]
        return await self._tried("log batch", "/logs", body, LOG_DELAYS_SECONDS, method="POST")

    async def server_is_healthy(self) -> bool:
        """Whether the server calls itself healthy within three seconds."""
        answer: object = None
        with self._told("health check"):
            async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
                answer = await self._call("GET", "/health")
        return isinstance(answer, dict) and answer.get("status") == "healthy"

    async def statistics(self) -> object:
        """What the server counts for this camera over a day, or ``None``; the agents ignore it."""
        answers: list[object] = []
        with self._told("statistics"):
            answers.append(await self._call("GET", f"/cameras/{self._identity.camera_id}/stats?hours=24"))
        return answers[0] if answers else None

    async def _tried(
        self, what: str, path: str, body: object, delays: tuple[float, ...], *, method: str = "PATCH"
    ) -> bool:
        for delay in delays:
            await self._pace.sleep(delay)
            with self._told(what):
                await self._call(method, path, body)
                return True
        return False

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, object]:
        """Make one request with a JSON body or a raw one; the status, and what the reply says.

        Raises:
            aiohttp.ClientError, TimeoutError, ValueError: no reply came, or none that can be read.
        """
        if self._session is None:
            raise RuntimeError("the client is not open")
        url = f"{self._base}{path}"
        async with self._session.request(method, url, json=body, data=content, headers=headers) as response:
            answer: object = json.loads(await response.text())
            return response.status, answer

    async def _call(self, method: str, path: str, body: object = None) -> object:
        status, answer = await self.send(method, path, body)
        if status not in ACCEPTED:
            raise _Refused(f"{method} {path} was answered with {status}")
        return answer

    @contextmanager
    def _told(self, what: str) -> Generator[None]:
        """A try that fails is told and swallowed: the caller's loop decides whether there is another."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, ValueError, _Refused) as error:
            self._on_trouble(f"{what} failed: {str(error) or type(error).__name__}")


def _detail_of(answer: object) -> object:
    return answer.get("detail", "no detail") if isinstance(answer, dict) else "no detail"


def _endless(delays: tuple[float, ...]) -> Generator[float]:
    yield from delays
    while True:
        yield delays[-1]
