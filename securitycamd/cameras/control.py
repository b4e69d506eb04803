"""The client of an agent's control API: is it there, what is it, start and stop its stream.

What agents answer is untrusted: small, never followed elsewhere, and shown to nobody as it is.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import aiohttp
import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from securitycamd.cameras.addresses import checked_host
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


def _short(value: Any) -> Any:
    return value[:100] if isinstance(value, str) else value


def _port(value: Any) -> Any:
    # Some agents name no port, or 0 until the stream came up once.
    return value if isinstance(value, int) and 0 < value <= 65535 else None


Word = Annotated[str, BeforeValidator(_short)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class AgentStatus(_Told):
    """What an agent says of itself at ``/api/health``. Untrusted; what it leaves out is ``None``."""

    camera_id: Word | None = None
    name: Word | None = None
    status: Word | None = None
    motion_state: Word | None = None
    streaming: bool | None = None
    uptime_seconds: Annotated[float | None, Field(ge=0)] = None


class AgentVersion(_Told):
    """What an agent says of itself at ``/api/version``. Untrusted."""

    version: Word | None = None
    uptime_seconds: Annotated[float | None, Field(ge=0)] = None


class _Switched(_Told):
    success: bool = False
    stream_port: Annotated[int | None, BeforeValidator(_port)] = None


@dataclass(frozen=True, slots=True)
class StartedStream:
    """Where an agent streams, and whether it does so only now."""

    url: str
    was_off: bool


Reply = TypeVar("Reply", bound=_Told)


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

    async def status(self, camera_id: str, address: str) -> AgentStatus:
        """Ask how the agent is."""
        return await self._ask("GET", "/api/health", AgentStatus, camera_id, address)

    async def version(self, camera_id: str, address: str) -> AgentVersion:
        """Ask what it runs."""
        return await self._ask("GET", "/api/version", AgentVersion, camera_id, address)

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

    async def _switch(self, action: str, camera_id: str, address: str) -> tuple[bool, _Switched]:
        status, told = await self._call("POST", f"/api/stream?action={action}", _Switched, camera_id, address)
        if status == _HTTP_OK and told.success:
            return True, told
        if status in {_HTTP_OK, _ALREADY}:
            return False, told
        raise CameraUnavailableError(f"The camera did not {action} its stream (it answered with {status}).")

    async def _ask(self, method: str, path: str, model: type[Reply], camera_id: str, address: str) -> Reply:
        status, told = await self._call(method, path, model, camera_id, address)
        if status != _HTTP_OK:
            raise CameraUnavailableError(f"The camera answered with {status}.")
        return told

    async def _call(
        self, method: str, path: str, model: type[Reply], camera_id: str, address: str
    ) -> tuple[int, Reply]:
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
            *(self._fetch("GET", "/api/ping", AgentStatus, address, ports.control) for ports in choices),
            return_exceptions=True,
        )
        trouble: BaseException | None = None
        for ports, answer in zip(choices, answers, strict=True):
            if isinstance(answer, BaseException):
                trouble = answer if isinstance(answer, CameraUnavailableError) or trouble is None else trouble
                continue
            status, told = answer
            if status != _HTTP_OK:
                trouble = trouble or CameraUnavailableError(f"The camera answered with {status}.")
                continue
            if told.camera_id is not None and told.camera_id != camera_id:
                trouble = CameraUnavailableError("Another camera answers at this camera's address.")
                continue
            self._ports[address] = ports
            while len(self._ports) > KNOWN_ADDRESSES:
                self._ports.popitem(last=False)
            return ports
        raise trouble or CameraUnavailableError("No ports of agents are set (agents.ports).")

    async def _fetch(self, method: str, path: str, model: type[Reply], address: str, port: int) -> tuple[int, Reply]:
        settings = self._settings()
        host = checked_host(address, settings.trusted_networks)
        limit = aiohttp.ClientTimeout(total=settings.timeout_seconds, connect=CONNECT_SECONDS)
        try:
            async with self.session.request(
                method, f"http://{host}:{port}{path}", timeout=limit, allow_redirects=False
            ) as response:
                body = await response.content.read(BODY_LIMIT_BYTES)
                while len(body) < BODY_LIMIT_BYTES and (more := await response.content.read(BODY_LIMIT_BYTES)):
                    body += more
                status = response.status
        except TimeoutError:
            raise CameraUnavailableError(
                "The camera does not answer in time.", may_have_acted=method == "POST"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            log.debug("agent not reached", address=address, port=port, error=type(error).__name__)
            # Who could not connect has told nobody anything.
            acted = method == "POST" and not isinstance(error, aiohttp.ClientConnectorError)
            raise CameraUnavailableError("The camera cannot be reached.", may_have_acted=acted) from None
        if len(body) >= BODY_LIMIT_BYTES:
            raise CameraUnavailableError("The camera answers with more than it should.")
        try:
            return status, model.model_validate_json(body)
        except ValidationError:
            raise CameraUnavailableError(f"What answers at the camera's address is no agent ({status}).") from None
