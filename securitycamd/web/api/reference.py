"""``/openapi.json``: the API's description of itself."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web
from pydantic_core import to_json

from securitycamd.domain.principal import Audience
from securitycamd.web.openapi import make_document
from securitycamd.web.registry import Call, Route


def render_document(routes: Sequence[Route], site_name: str) -> bytes:
    """The document as it is served. Takes some tenths of a second: not for the loop."""
    return to_json(make_document(routes, site_name=site_name))


class Document:
    """The document as bytes, made when somebody asks: few do, and its making takes memory that is not given back."""

    def __init__(self, routes: Sequence[Route], site_name: str) -> None:
        self._render = partial(render_document, routes, site_name)
        self._making: asyncio.Task[bytes] | None = None

    async def body(self) -> bytes:
        """As it is served."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._render), name="API reference")
        # Whoever goes away does not take it from the others.
        return await asyncio.shield(self._making)


async def document(call: Call[None, None, None]) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=await call.app[DOCUMENT].body(), content_type="application/json")


DOCUMENT: Final = web.AppKey("document", Document)
ROUTES: Final = [Route("GET", "/openapi.json", Audience.PUBLIC, "The OpenAPI document", document)]
