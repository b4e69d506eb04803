"""The HTTP server under the application: what it cannot read is answered as every other error is."""

from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from pydantic_core import to_json

log = structlog.get_logger(__name__)


class _Connection(RequestHandler):
    """A connection whose errors below the application carry a problem document, never the parser's own words."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the parser's words, which quote the request and our insides
    ) -> web.StreamResponse:
        """Answer and close; called for what never becomes a request, and for what the middleware let through."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request failed below the application", exc_info=exc)
        else:
            log.info("not a request that can be read", remote=request.remote, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the reply is under way; it can only be broken off")
        phrase = HTTPStatus(status).phrase
        body = {"title": phrase, "status": status, "detail": "This is not a request that can be read."}
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            body["detail"] = "Something went wrong on our side; it is in the log."
        response = web.Response(status=status, body=to_json(body), content_type="application/problem+json")
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class ProblemRunner(web.AppRunner):
    """An ``AppRunner`` whose connections are ours. aiohttp has no public way to name the class of a connection."""

    async def _make_server(self) -> Any:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=made._loop,  # noqa: SLF001
            **made._kwargs,  # noqa: SLF001
        )
