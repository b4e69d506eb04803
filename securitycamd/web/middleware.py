"""What every request passes: its id, who asks, and how what goes wrong is told."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import structlog
from aiohttp import web
from pydantic import ValidationError

from securitycamd.domain.errors import DomainError, ForbiddenError, InvalidError, UnavailableError
from securitycamd.domain.names import is_camera_id
from securitycamd.domain.principal import NOBODY, TRUSTED_OPERATOR, Audience, Principal
from securitycamd.web import keys
from securitycamd.web.pages import error_page
from securitycamd.web.registry import MARK, PRINCIPAL, json_reply, route_of
from securitycamd.web.sites import refuse_foreign_site

log = structlog.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AGENT_PREFIX: Final = "SecurityCamera/"
SLOW_SECONDS: Final = 1.0
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
# A name or an address, and a port; whatever else a client may claim must not get into our pages' addresses.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]*|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::[0-9]{0,5})?")
SENTENCES: Final = {
    400: "This is not a request that can be read.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    408: "The body did not arrive in time.",
    413: "The body is larger than this server takes.",
}


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong into a problem document for programs and a page for people; never an exception's text."""
    try:
        return await handler(request)
    except DomainError as error:
        headers = {}
        if isinstance(error, UnavailableError):
            headers["Retry-After"] = str(error.retry_after_seconds)
        detail: Any = str(error)
        if isinstance(error, InvalidError):
            detail = [{"loc": [error.field], "msg": error.reason, "type": "value_error"}]
        return await _problem(request, error.status, error.title, detail, headers)
    except ValidationError as error:
        detail = [
            {"loc": list(item["loc"]), "msg": item["msg"].removeprefix("Value error, "), "type": item["type"]}
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return await _problem(request, InvalidError.status, InvalidError.title, detail)
    except web.HTTPException as error:
        if error.status < 400:  # a redirect
            raise
        sentence = SENTENCES.get(error.status, error.reason)
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return await _problem(request, error.status, error.reason, sentence, allow)
    except (ConnectionError, TimeoutError) as error:
        if request.transport is None or request.transport.is_closing():
            raise  # the client went away; there is nobody to tell
        log.warning("request failed", error=type(error).__name__, path=request.path)
        return await _problem(request, 503, UnavailableError.title, "Something this needs did not answer in time.")
    except Exception:
        log.exception("request failed", path=request.path)
        return await _problem(request, 500, DomainError.title, "Something went wrong on our side; it is in the log.")


async def _problem(
    request: web.Request, status: int, title: str, detail: Any, headers: dict[str, str] | None = None
) -> web.Response:
    if request.writer.output_size > 0:
        # The reply is under way: only the end of the connection tells that the rest of it does not come.
        log.warning("a reply was broken off", path=request.path, reason=title)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the reply could not be finished")
    route = route_of(request)
    wants_page = route.page if route is not None else not request.path.startswith("/api/") and _prefers_html(request)
    if wants_page and keys.PARTS in request.app:
        sentence = (
            detail if isinstance(detail, str) else "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in detail)
        )
        response = await error_page(request, status, title.capitalize(), sentence)  # as our own pages write it
    else:
        response = json_reply({"title": title, "status": status, "detail": detail}, status)
        response.content_type = "application/problem+json"
    response.headers.update(headers or {})
    return response


def _prefers_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Decide who asks and whether the route is for them; keep other sites' pages from acting in a visitor's name."""
    if not _is_host(request.headers.get("Host", "")):
        raise web.HTTPBadRequest
    settings = request.app[keys.PARTS].settings.current
    trusted = is_trusted(request.remote or "", settings.agents.trusted_networks)
    route = route_of(request)
    streams = route is not None and route.streams
    if not streams and (request.content_length or 0) > request.client_max_size:
        # By its announced length, before any of it is read.
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    principal: Principal = TRUSTED_OPERATOR if trusted else NOBODY
    request[PRINCIPAL] = principal
    needed = route.audience if route is not None else Audience.PUBLIC
    if needed > principal.role:
        raise ForbiddenError("This address is answered on trusted networks only (agents.trusted_networks).")
    if request.method not in SAFE_METHODS:
        refuse_foreign_site(request, settings.server.cors_origins)
    agent = request.headers.get("User-Agent", "")
    if trusted and agent.startswith(AGENT_PREFIX):
        camera_id = agent[len(AGENT_PREFIX) :]
        if is_camera_id(camera_id):
            request.app[keys.PARTS].cameras.note_heard(camera_id)
    return await handler(request)


@lru_cache(maxsize=4096)
def is_trusted(remote: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address in IPv6 clothing counts as itself."""
    try:
        address: IPv4Address | IPv6Address = ip_address(remote.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


@lru_cache(maxsize=1024)
def _is_host(text: str) -> bool:
    host = _HOST.fullmatch(text)
    if host is None or host["address"] is None:
        return host is not None
    try:
        return isinstance(ip_address(host["address"]), IPv6Address)
    except ValueError:
        return False


@web.middleware
async def scope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the request's id to its log lines; answer preflights; add the headers that every response has."""
    request_id = new_request_id()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    request[MARK] = request.app[keys.PARTS].changes.mark
    started = time.perf_counter()
    origin = request.headers.get("Origin")
    allowed = origin is not None and origin in request.app[keys.PARTS].settings.current.server.cors_origins
    if allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response: web.StreamResponse = web.Response(status=204, headers=_preflight(request))
    else:
        response = await handler(request)
    seconds = time.perf_counter() - started
    # One that is under way is made to take long: a file, or a stream.
    if seconds > SLOW_SECONDS and not response.prepared and not isinstance(response, web.FileResponse):
        log.warning("slow request", method=request.method, path=request.path, seconds=round(seconds, 2))
    if not response.prepared:
        headers = response.headers
        headers["X-Request-ID"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        if allowed and origin is not None:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After"
        if request.app[keys.PARTS].settings.current.server.cors_origins:
            headers.add("Vary", "Origin")
    return response


def _preflight(request: web.Request) -> dict[str, str]:
    return {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, PUT, DELETE",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "Content-Type"),
        "Access-Control-Max-Age": "600",
    }


class _RequestIds:
    """Short, unique within a life of the process, and telling lives apart."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(3)
        self._next = 0

    def __call__(self) -> str:
        self._next += 1
        return f"{self._prefix}-{self._next:x}"


new_request_id: Final = _RequestIds()
