"""``/media/``: stills, thumbnails and clips, straight from the storage root."""

import re
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Annotated, Final
from urllib.parse import quote

import structlog
from aiohttp import web
from pydantic import Field

from securitycamd.domain.errors import ForbiddenError, InvalidError, NotFoundError
from securitycamd.domain.filenames import parse_name
from securitycamd.domain.names import FileType
from securitycamd.domain.principal import Audience
from securitycamd.web.registry import Call, Input, Route
from securitycamd.web.sending import open_file

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
    """``{path}``."""

    path: Annotated[str, Field(max_length=500)]


class MediaQuery(Input):
    """``?download=1``."""

    download: Annotated[bool, Field(description="save it, under a name that says camera and time")] = False


async def media(call: Call[MediaPath, MediaQuery, None]) -> web.StreamResponse:
    """One file."""
    wanted = PurePosixPath(call.path.path)
    content_type = TYPES.get(wanted.suffix.lower())
    if not call.principal.may_see(wanted.parts[0]):
        raise NotFoundError("There is no such file.")
    # A name is never used for other content, but for a clip that is optimised: the ETag tells.
    headers = {"Content-Type": content_type or "", "Cache-Control": "private, max-age=3600"}
    if call.query.download:
        headers["Content-Disposition"] = attachment(await _download_name(call, wanted))
    found = None
    try:
        if content_type is None:
            await call.parts.files.locate(call.path.path)  # not shown; that it leads out is told all the same
        else:
            found = await open_file(call.request, call.parts.files, call.path.path, headers)
    except InvalidError as error:
        log.warning("a file outside the storage root was asked for", path=call.path.path, remote=call.request.remote)
        raise NotFoundError("There is no such file.") from error
    except PermissionError as error:
        log.warning("a file may not be read", path=call.path.path)
        raise ForbiddenError("The server may not read this file: see its permissions on the share.") from error
    if found is None:
        raise NotFoundError("There is no such file.")
    return found


def attachment(name: str) -> str:
    """The ``Content-Disposition`` that saves a reply under a name."""
    # RFC 6266: the plain name for old programs, the encoded one for all others.
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _download_name(call: Call[MediaPath, MediaQuery, None], path: PurePosixPath) -> str:
    name = parse_name(path.name)
    if name is None:
        return path.name
    camera = path.parts[0]
    with suppress(NotFoundError):
        camera = (await call.parts.cameras.get(call.principal, camera)).name
    what = "" if name.file_type is FileType.VIDEO else f" {name.file_type.replace('_', ' ')}"
    return f"{camera} {name.local_time:%Y-%m-%d %H.%M.%S}{what}{path.suffix}"


ROUTES: Final = [
    Route(
        "GET",
        "/media/{path:.+}",
        Audience.VIEWER,
        "A still, thumbnail or clip",
        media,
        path_model=MediaPath,
        query_model=MediaQuery,
    )
]
