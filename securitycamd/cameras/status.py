"""Asking an agent how it is: its control API, which newer agents serve on another port than older ones.

What comes back is untrusted: bounded, typed loosely, cleaned. The agent's clock is read from the reply's ``Date``
header, which every HTTP server sends and which has whole seconds: the offset is good to about half a second more than
half of the round trip.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp

from securitycamd.domain.agents import AgentAnswer

CONTROL_PORTS: Final = (5000, 8001)
"""Of older agents and of newer ones."""
REPLY_LIMIT_BYTES: Final = 64 * 1024
TIMEOUT_SECONDS: Final = 4.0
LONGEST_VERSION: Final = 50
LONGEST_WORD: Final = 40
LONGEST_UPTIME_SECONDS: Final = 20 * 365 * 86400.0
_DATE_RESOLUTION_SECONDS: Final = 1.0


class AgentSilentError(Exception):
    """The agent did not answer as an agent does; the text is written for people."""

    def __init__(self, message: str, *, nobody: bool = False) -> None:
        super().__init__(message)
        self.nobody = nobody
        """Whether nothing listens there."""


class AgentClient:
    """Asks agents; one session for all of them."""

    def __init__(
        self,
        trusted_networks: Callable[[], Sequence[IPv4Network | IPv6Network]],
        *,
        ports: tuple[int, ...] = CONTROL_PORTS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._trusted_networks = trusted_networks
        self._ports = ports
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._port_of: dict[str, int] = {}

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, camera_id: str, address: str) -> AgentAnswer:
        """What the agent at ``address`` (an IP literal) says of itself.

        Raises:
            AgentSilentError: nobody answers there, or not as the agent of this camera.
        """
        host = _host(address, self._trusted_networks())
        port, health, clock_offset = await self._find(camera_id, host)
        answers_for = health.get("camera_id")
        if isinstance(answers_for, str) and answers_for != camera_id:
            raise AgentSilentError(f"Another camera answers at this address: {_word(answers_for, LONGEST_WORD)}.")
        self._port_of[camera_id] = port
        try:
            about, _ = await self._get(host, port, "/api/version")
        except AgentSilentError:
            about = {}
        streaming = health.get("streaming")
        return AgentAnswer(
            version=_word(about.get("version", health.get("version")), LONGEST_VERSION),
            uptime_seconds=_uptime(health.get("uptime_seconds", about.get("uptime_seconds"))),
            motion_state=_word(health.get("motion_state"), LONGEST_WORD),
            is_streaming=streaming if isinstance(streaming, bool) else None,
            clock_offset_seconds=clock_offset,
        )

    async def _find(self, camera_id: str, host: str) -> tuple[int, Mapping[str, Any], float | None]:
        """The first port on which an agent answers; the one of the last time is tried first."""
        known = self._port_of.get(camera_id)
        ports = self._ports if known is None else (known, *(port for port in self._ports if port != known))
        reasons = []
        for port in ports:
            try:
                return port, *await self._get(host, port, "/api/health")
            except AgentSilentError as error:
                reasons.append(error)
        # What answered otherwise than an agent does tells more than a port where nobody is.
        raise min(reasons, key=lambda reason: reason.nobody)

    async def _get(self, host: str, port: int, path: str) -> tuple[Mapping[str, Any], float | None]:
        """A reply's JSON object, and its clock less ours."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "securitycamd"}
            )
        sent_at, sent = time.time(), time.monotonic()
        try:
            async with self._session.get(f"http://{host}:{port}{path}", allow_redirects=False) as response:
                trip_seconds = time.monotonic() - sent
                body = await response.content.read(REPLY_LIMIT_BYTES + 1)
                while len(body) <= REPLY_LIMIT_BYTES and (more := await response.content.read(REPLY_LIMIT_BYTES)):
                    body += more
                date = response.headers.get("Date")
                if response.status != 200:
                    raise AgentSilentError(f"Its control API answered with status {response.status}.")
        except TimeoutError:
            raise AgentSilentError(f"Its control API did not answer within {self._timeout.total:g} s.") from None
        except (aiohttp.ClientConnectionError, OSError):
            raise AgentSilentError(f"Nobody answers at {host}.", nobody=True) from None
        except aiohttp.ClientError:
            raise AgentSilentError("Its control API did not speak HTTP.") from None
        if len(body) > REPLY_LIMIT_BYTES:
            raise AgentSilentError("Its control API answered with too much.")
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise AgentSilentError("Its control API did not answer as an agent does.")
        return told, _offset(date, sent_at + trip_seconds / 2)


def _offset(date: str | None, ours: float) -> float | None:
    """The clock of a ``Date`` header less ours; the header is cut to whole seconds, so half of one is added."""
    try:
        told = parsedate_to_datetime(date or "")
        theirs = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return round(theirs + _DATE_RESOLUTION_SECONDS / 2 - ours, 1)


def _word(value: object, limit: int) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in value[: 4 * limit]).split())
    return text[:limit] or None


def _uptime(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LONGEST_UPTIME_SECONDS else None


def _host(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> str:
    """The host of a URL for what an agent registered: an IP literal in a network that we trust, and nothing else.

    Whoever may register a camera could otherwise have the server call any address that it reaches.
    """
    try:
        found: IPv4Address | IPv6Address = ip_address(address.strip())
    except ValueError:
        raise AgentSilentError("This camera registered without a usable IP address.") from None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_multicast or found.is_unspecified or not any(found in network for network in networks):
        raise AgentSilentError("This camera's address is in no trusted network (agents.trusted_networks).")
    return f"[{found}]" if isinstance(found, IPv6Address) else str(found)
