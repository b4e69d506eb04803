"""``/openapi.json``: the API's description of itself."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from pydantic_core import to_json

from securitycamd.domain.principal import Audience
from securitycamd.web import keys
from securitycamd.web.openapi import make_document
from securitycamd.web.registry import Call, Route


def render_document(routes: Sequence[Route], site_name: str) -> bytes:
    """The document as it is served, made once."""
    return to_json(make_document(routes, site_name=site_name))


async def document(call: Call[None, None, None]) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=call.app[keys.DOCUMENT], content_type="application/json")


ROUTES: Final = [Route("GET", "/openapi.json", Audience.PUBLIC, "The OpenAPI document", document)]
