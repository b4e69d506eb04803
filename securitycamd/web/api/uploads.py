"""``PUT /api/v1/events/{id}/files/{file_type}``: files over HTTP, for agents without a share."""

import base64
import binascii
import re
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import Audience
from securitycamd.services.uploads import Part, Progress
from securitycamd.web.registry import Call, Input, Route, json_reply
from securitycamd.web.schemas.events import EventReply, event_reply

CHUNK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?=,|$)")


class UploadPath(Input):
    """``{id}/files/{file_type}``."""

    id: int
    file_type: FileType


class UploadQuery(Input):
    """What goes with a video."""

    video_duration: Annotated[float | None, Field(gt=0, allow_inf_nan=False, description="seconds; video only")] = None


class UploadProgress(BaseModel):
    """How far a file has come."""

    received_bytes: int
    complete: bool


async def upload(call: Call[UploadPath, UploadQuery, None]) -> web.Response:
    """Take a file in, or a part of one."""
    duration = call.query.video_duration
    if duration is not None and call.path.file_type is not FileType.VIDEO:
        raise InvalidError("video_duration", "is allowed with file_type video only")
    progress = await call.parts.uploads.receive(
        call.principal,
        call.path.id,
        call.path.file_type,
        _part(call.request, duration),
        call.request.content.iter_chunked(CHUNK_BYTES),
    )
    if progress.event is None:
        return _unfinished(progress)
    return json_reply(event_reply(progress.event, call.parts.settings.current.site.zone), 201)


async def upload_progress(call: Call[UploadPath, None, None]) -> web.Response:
    """Where to go on."""
    return _unfinished(await call.parts.uploads.progress(call.principal, call.path.id, call.path.file_type), status=200)


def _unfinished(progress: Progress, status: int = 202) -> web.Response:
    return json_reply({"received_bytes": progress.received_bytes, "complete": False}, status)


def _part(request: web.Request, duration: float | None) -> Part:
    digest = _digest(request.headers.get("Content-Digest"))
    told = request.headers.get("Content-Range")
    if told is None:
        return Part(0, request.content_length, digest, duration)
    match = _RANGE.fullmatch(told.strip())
    if match is None:
        raise InvalidError("Content-Range", "must look like bytes 0-1048575/5242880")
    first, last, total = (int(number) for number in match.groups())
    if not first <= last < total:
        raise InvalidError("Content-Range", "must lie within the file")
    if request.content_length not in {None, last - first + 1}:
        raise InvalidError("Content-Range", "does not say how long the body is")
    return Part(first, total, digest, duration)


def _digest(told: str | None) -> bytes | None:
    if told is None:
        return None
    match = _DIGEST.search(told)
    if match is None:
        raise InvalidError("Content-Digest", "must hold sha-256=:<base64>: (RFC 9530)")
    try:
        return base64.b64decode(match[1], validate=True)
    except binascii.Error:
        raise InvalidError("Content-Digest", "is not base64") from None


ROUTES: Final = [
    Route(
        "PUT",
        "/api/v1/events/{id}/files/{file_type}",
        Audience.AGENT,
        "Send a file of an event",
        upload,
        tag="events",
        path_model=UploadPath,
        query_model=UploadQuery,
        replies={201: EventReply, 202: UploadProgress},
        conflict="The file does not continue there, or is being received already",
        streams=True,
        description=(
            "The body is the file. `Content-Digest` (SHA-256 of the whole file) is checked when given. A large file may"
            " come in parts with `Content-Range: bytes first-last/total`, each answered with 202 until the last; after"
            " a broken connection GET tells where to go on. Then it is as if the agent had reported the file."
        ),
    ),
    Route(
        "GET",
        "/api/v1/events/{id}/files/{file_type}",
        Audience.AGENT,
        "How far a file has come",
        upload_progress,
        tag="events",
        path_model=UploadPath,
        replies={200: UploadProgress},
    ),
]
