"""The client of an agent's control API: is it there, how is it, start and stop its stream.

What agents answer is untrusted: small, never followed elsewhere, and shown to nobody as it is.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import aiohttp
import structlog
from pydantic import ValidationError

from securitycamd.cameras.addresses import checked_host
from securitycamd.cameras.replies import About, Health, Switched, Told, clock_offset
from securitycamd.domain.agents import AgentAnswer
from securitycamd.domain.errors import CameraUnavailableError
from securitycamd.settings import AgentPorts, AgentSettings

log = structlog.get_logger(__name__)

BODY_LIMIT_BYTES: Final = 64 * 1024
CONNECT_SECONDS: Final = 3.0
STREAM_PATH: Final = "/stream.mjpg"
KNOWN_ADDRESSES: Final = 1000
"""Of how many addresses the ports are remembered."""
_HTTP_OK: Final = 200
_ALREADY: Final = 400
"""How agents answer a start when they stream, and a stop when they do not."""


@dataclass(frozen=True, slots=True)
class StartedStream:
    """Where an agent streams, and whether it does so only now."""

    url: str
    was_off: bool


Reply = TypeVar("Reply", bound=Told)


@dataclass(frozen=True, slots=True)
class _Answer(Generic[Reply]):
    status: int
    told: Reply
    clock_offset_seconds: float | None


class _NobodyThereError(CameraUnavailableError):
    """Nothing listens there, so far as we can tell."""


class AgentControl:
    """Calls agents. Every method raises :class:`CameraUnavailableError` when one does not answer as agreed.

    Args:
        settings: the table ``[agents]`` in force: ports, time-out, trusted networks.
    """

    def __init__(self, settings: Callable[[], AgentSettings]) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._ports: OrderedDict[str, AgentPorts] = OrderedDict()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections to agents; made at the first use, inside the running loop."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=256, limit_per_host=4, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "securitycamd", "Accept-Encoding": "identity"},
            )
        return self._session

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, camera_id: str, address: str) -> AgentAnswer:
        """How the agent is, and what it runs."""
        health = _require_ok(await self._call("GET", "/api/health", Health, camera_id, address))
        self._check_who(camera_id, address, health.told)
        ports = await self._ports_of(camera_id, address)
        try:
            about = _require_ok(await self._fetch("GET", "/api/version", About, address, ports.control)).told
        except CameraUnavailableError:  # some agents do not have it
            about = About()
        up = health.told.uptime_seconds
        return AgentAnswer(
            version=about.version or health.told.version,
            uptime_seconds=about.uptime_seconds if up is None else up,
            motion_state=health.told.motion_state,
            is_streaming=health.told.streaming,
            clock_offset_seconds=health.clock_offset_seconds,
        )

    async def start_stream(self, camera_id: str, address: str) -> StartedStream:
        """Have the agent stream, and pause its motion detection. The stream may take 2 s to come up."""
        host = checked_host(address, self._settings().trusted_networks)
        was_off, told = await self._switch("start", camera_id, address)
        ports = self._ports.get(address)
        port = told.stream_port or (ports.stream if ports is not None else None)
        if port is None:
            raise CameraUnavailableError("The camera does not say where it streams.")
        return StartedStream(f"http://{host}:{port}{STREAM_PATH}", was_off)

    async def stop_stream(self, camera_id: str, address: str) -> bool:
        """Have the agent stop and look for motion again; whether it had streamed."""
        return (await self._switch("stop", camera_id, address))[0]

    async def _switch(self, action: str, camera_id: str, address: str) -> tuple[bool, Switched]:
        answer = await self._call("POST", f"/api/stream?action={action}", Switched, camera_id, address)
        if answer.status == _HTTP_OK and answer.told.success:
            return True, answer.told
        if answer.status in {_HTTP_OK, _ALREADY}:
            return False, answer.told
        raise CameraUnavailableError(f"The camera did not {action} its stream (it answered with {answer.status}).")

    async def _call(self, method: str, path: str, model: type[Reply], camera_id: str, address: str) -> _Answer[Reply]:
        ports = await self._ports_of(camera_id, address)
        try:
            return await self._fetch(method, path, model, address, ports.control)
        except CameraUnavailableError:
            # It may have come back as another version, with other ports.
            self._ports.pop(address, None)
            raise

    async def _ports_of(self, camera_id: str, address: str) -> AgentPorts:
        """Where an agent listens; asked once, together with who it is: addresses move from camera to camera."""
        choices = self._settings().ports
        known = self._ports.get(address)
        if known in choices:
            return known
        answers = await asyncio.gather(
            *(self._try(ports, camera_id, address) for ports in choices), return_exceptions=True
        )
        troubles: list[CameraUnavailableError] = []
        for ports, answer in zip(choices, answers, strict=True):
            if answer is None:
                self._ports[address] = ports
                while len(self._ports) > KNOWN_ADDRESSES:
                    self._ports.popitem(last=False)
                return ports
            if not isinstance(answer, CameraUnavailableError):
                raise answer
            troubles.append(answer)
        # What answered otherwise than its agent does tells more than a port where nobody is.
        raise min(troubles, key=lambda trouble: isinstance(trouble, _NobodyThereError))

    async def _try(self, ports: AgentPorts, camera_id: str, address: str) -> None:
        answer = _require_ok(await self._fetch("GET", "/api/ping", Health, address, ports.control))
        self._check_who(camera_id, address, answer.told)

    def _check_who(self, camera_id: str, address: str, told: Health) -> None:
        if told.camera_id not in {None, camera_id}:
            self._ports.pop(address, None)
            raise CameraUnavailableError("Another camera answers at this camera's address.")

    async def _fetch(self, method: str, path: str, model: type[Reply], address: str, port: int) -> _Answer[Reply]:
        settings = self._settings()
        host = checked_host(address, settings.trusted_networks)
        limit = aiohttp.ClientTimeout(total=settings.timeout_seconds, connect=CONNECT_SECONDS)
        sent_at, sent = time.time(), time.monotonic()
        try:
            async with self.session.request(
                method, f"http://{host}:{port}{path}", timeout=limit, allow_redirects=False
            ) as response:
                trip_seconds = time.monotonic() - sent
                body = await response.content.read(BODY_LIMIT_BYTES)
                while len(body) < BODY_LIMIT_BYTES and (more := await response.content.read(BODY_LIMIT_BYTES)):
                    body += more
                status, date = response.status, response.headers.get("Date")
        except TimeoutError:
            raise CameraUnavailableError(
                "The camera does not answer in time.", may_have_acted=method == "POST"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            log.debug("agent not reached", address=address, port=port, error=type(error).__name__)
            # Who could not connect has told nobody anything.
            acted = method == "POST" and not isinstance(error, aiohttp.ClientConnectorError)
            raise _NobodyThereError("The camera cannot be reached.", may_have_acted=acted) from None
        if len(body) >= BODY_LIMIT_BYTES:
            raise CameraUnavailableError("The camera answers with more than it should.")
        try:
            return _Answer(status, model.model_validate_json(body), clock_offset(date, sent_at + trip_seconds / 2))
        except ValidationError:
            raise CameraUnavailableError(f"What answers at the camera's address is no agent ({status}).") from None


def _require_ok(answer: _Answer[Reply]) -> _Answer[Reply]:
    if answer.status != _HTTP_OK:
        raise CameraUnavailableError(f"The camera answered with {answer.status}.")
    return answer
