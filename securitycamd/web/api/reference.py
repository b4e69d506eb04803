"""``/openapi.json``: the API's description of itself."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web
from pydantic_core import to_json

from securitycamd.domain.principal import Audience
from securitycamd.web.once import Once
from securitycamd.web.openapi import make_document
from securitycamd.web.registry import Call, Route


def render_document(routes: Sequence[Route], site_name: str) -> bytes:
    """The document as it is served. Takes some tenths of a second: not for the loop."""
    return to_json(make_document(routes, site_name=site_name))


def document_of(routes: Sequence[Route], site_name: str) -> Once[bytes]:
    """The document as bytes, made when somebody asks: few do, and its making takes memory that is not given back."""
    return Once(partial(asyncio.to_thread, render_document, routes, site_name), "API reference")


async def document(call: Call[None, None, None]) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=await call.app[DOCUMENT].get(), content_type="application/json")


DOCUMENT: Final = web.AppKey("document", Once[bytes])
ROUTES: Final = [Route("GET", "/openapi.json", Audience.PUBLIC, "The OpenAPI document", document)]
