"""The one list of routes: handlers validate by it, the OpenAPI document is made from it, the guard asks it.

A handler gets a :class:`Call` whose parts are already validated, and returns a response.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import to_json

from securitycamd.domain.principal import Audience, Principal
from securitycamd.web import keys

PathT = TypeVar("PathT")
QueryT = TypeVar("QueryT")
BodyT = TypeVar("BodyT")

BODY_SECONDS: Final = 30.0
"""How long a body may take; agents wait no longer either."""
PRINCIPAL: Final = web.RequestKey("principal", Principal)
MARK: Final = web.RequestKey("mark", str)
"""The place in the stream of changes when the request came."""


class Input(BaseModel):
    """Base of what comes from outside: unknown fields are ignored, as agents of every age must get through."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Reply(BaseModel):
    """A reply, described for the reference; handlers make it of plain values.

    Nothing is validated by it, so it is built only when the reference is asked for: dozens of them hold 2 MB.
    """

    model_config = ConfigDict(defer_build=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[PathT, QueryT, BodyT]):
    """One request, validated: ``path``, ``query`` and ``body`` are what the route promised."""

    request: web.Request
    principal: Principal
    path: PathT
    query: QueryT
    body: BodyT

    @property
    def app(self) -> web.Application:
        """The application."""
        return self.request.app

    @property
    def parts(self) -> keys.Parts:
        """The services."""
        return self.request.app[keys.PARTS]


Handler = Callable[[Call[Any, Any, Any]], Awaitable[web.StreamResponse]]
_NOTHING: Final[TypeAdapter[None]] = TypeAdapter(None)


@dataclass(frozen=True)
class Route:
    """One operation. Models left out mean that the operation takes none."""

    method: str
    path: str
    audience: Audience
    summary: str
    handler: Handler
    tag: str = ""
    """The chapter of the API reference; empty for pages and files, which are not in it."""
    path_model: type[BaseModel] | None = None
    query_model: type[BaseModel] | None = None
    body: Any = None
    """The type of the JSON body."""
    replies: Mapping[int, Any] = field(default_factory=dict)
    """Types of the JSON replies by status."""
    description: str = ""
    conflict: str = ""
    """What 409 means, where it can be the answer."""
    streams: bool = False
    """Whether it reads its body itself, piece by piece, and bounds it itself."""
    page: bool = False
    """Whether people see it: errors become pages."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_body_adapter", TypeAdapter(self.body) if self.body is not None else None)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Validate and call the handler.

        Raises:
            pydantic.ValidationError: a part breaks its model; the error middleware tells the caller which.
        """
        path = query = body = None
        if self.path_model is not None:
            path = self.path_model.model_validate(request.match_info)
        if self.query_model is not None:
            query = self.query_model.model_validate(_parameters(request, self.query_model))
        adapter: TypeAdapter[Any] | None = self._body_adapter  # type: ignore[attr-defined]  # set in __post_init__
        if adapter is not None:
            body = adapter.validate_json(await _read(request))
        return await self.handler(Call(request, request[PRINCIPAL], path, query, body))


def _parameters(request: web.Request, model: type[BaseModel]) -> dict[str, Any]:
    """The query; of parameters that the model takes more than once (``repeated``) all values."""
    given = request.rel_url.query
    repeated: frozenset[str] = getattr(model, "repeated", frozenset())
    return {name: given.getall(name) if name in repeated else given[name] for name in given}


async def _read(request: web.Request) -> bytes:
    async with _patience():
        return await request.read()


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a form, each once; files among them are left out."""
    async with _patience():
        try:
            form = await request.post()
        except (ValueError, LookupError):  # broken parts, or a character set that there is not
            raise web.HTTPBadRequest from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            yield
    except web.RequestPayloadError:  # not encoded as its headers say
        raise web.HTTPBadRequest from None
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def json_reply(payload: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(body=to_json(payload), status=status, content_type="application/json", headers=headers)


def add_routes(app: web.Application, routes: list[Route]) -> None:
    """Put the routes on the application's router."""
    for route in routes:

        async def handle(request: web.Request, route: Route = route) -> web.StreamResponse:
            return await route(request)

        handle.route = route  # type: ignore[attr-defined]  # how the guard finds the audience
        app.router.add_route(route.method, route.path, handle)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handle)


def route_of(request: web.Request) -> Route | None:
    """The route a request goes to; ``None`` when there is none, and for static files."""
    return getattr(request.match_info.handler, "route", None)
