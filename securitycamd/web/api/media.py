"""``/media/``: stills, thumbnails and clips, straight from the storage root."""

from pathlib import PurePosixPath
from typing import Annotated, Final

import structlog
from aiohttp import web
from pydantic import Field

from securitycamd.domain.errors import InvalidError, NotFoundError
from securitycamd.domain.principal import Audience
from securitycamd.web import keys
from securitycamd.web.registry import Call, Input, Route

log = structlog.get_logger(__name__)

# Only what a browser shows as a picture or a film: whatever else an agent drops on the share must not become a page of
# ours.
TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".h264": "video/h264",
}


class MediaPath(Input):
    """``{path}``"""

    path: Annotated[str, Field(max_length=500)]


async def media(call: Call[MediaPath, None, None]) -> web.StreamResponse:
    """One file."""
    wanted = PurePosixPath(call.path.path)
    content_type = TYPES.get(wanted.suffix.lower())
    if content_type is None or not call.principal.may_see(wanted.parts[0]):
        raise NotFoundError("There is no such file.")
    try:
        path = await call.app[keys.FILES].locate(call.path.path)
    except InvalidError as error:
        log.warning(
            "a file outside the storage root was asked for", path=call.path.path, remote=call.request.remote
        )
        raise NotFoundError("There is no such file.") from error
    if path is None:
        raise NotFoundError("There is no such file.")
    return web.FileResponse(
        path, headers={"Content-Type": content_type, "Cache-Control": "private, max-age=3600"}
    )


ROUTES: Final = [
    Route(
        "GET", "/media/{path:.+}", Audience.VIEWER, "A still, thumbnail or clip", media, path_model=MediaPath
    )
]
