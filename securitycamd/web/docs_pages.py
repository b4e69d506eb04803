"""``/docs``: the API reference as a page."""

import asyncio
import json
import re
import zlib
from datetime import UTC, datetime
from typing import Final

import jinja2
from aiohttp import web
from markupsafe import Markup

from securitycamd.domain.principal import Audience
from securitycamd.web.once import Once
from securitycamd.web.pages import cameras_if_known, reached_at, render, site_of
from securitycamd.web.registry import Call, Route
from securitycamd.web.ui.call_examples import SERVER
from securitycamd.web.ui.frame import docs_context
from securitycamd.web.ui.reference_view import reference_context


def render_reference(document: bytes, environment: jinja2.Environment) -> str:
    """The reference's HTML, of the document as it is served. Takes some hundredths of a second: not for the loop."""
    context = reference_context(json.loads(document))
    html = environment.get_template(context.template).render(context.values())
    # Between the lines of the template: to a browser thousands of pieces of text, a tenth of a second on a phone.
    return re.sub(r">\n+<", "><", html)


class Reference:
    """The HTML, made when somebody opens the page, and kept packed: the whole of it is ten times as large."""

    def __init__(self, document: Once[bytes], environment: jinja2.Environment) -> None:
        self._document = document
        self._environment = environment
        self._html = Once(self._make, "API reference page")

    async def html(self, server_url: str) -> Markup:
        """For a reader who reaches the server at this address, which must be clean: the guard sees to it."""
        html = zlib.decompress(await self._html.get()).decode().replace(SERVER, server_url)
        return Markup(html)  # noqa: S704 - our own template made it, and escaped what it was given

    async def _make(self) -> bytes:
        document = await self._document.get()
        return await asyncio.to_thread(self._packed, document)

    def _packed(self, document: bytes) -> bytes:
        return zlib.compress(render_reference(document, self._environment).encode())


async def docs(call: Call[None, None, None]) -> web.Response:
    """The API reference, to read and to try."""
    cameras = await cameras_if_known(call.request, call.principal)
    html = await call.app[REFERENCE].html(reached_at(call.request))
    return render(call.request, docs_context(html, cameras, site=site_of(call.request), now=datetime.now(UTC)))


REFERENCE: Final = web.AppKey("reference", Reference)
ROUTES: Final = [Route("GET", "/docs", Audience.PUBLIC, "The API reference", docs, page=True)]
