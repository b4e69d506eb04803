"""From the list of stray files to what ``strays.html`` prints. Pure."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Final
from urllib.parse import urlencode

from pydantic import Field, ValidationError

from securitycamd.db.strays import Stray
from securitycamd.domain.models import Camera, Page
from securitycamd.services.strays import Unusable
from securitycamd.web.registry import Input
from securitycamd.web.ui.contexts import Action, Site
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.storage_contexts import StraysContext, StrayView
from securitycamd.web.ui.words import count, counted, media_url, moment

PAGE_SIZE: Final = 50
STRAYS_URL: Final = "/storage/strays"
# What a browser shows.
_SHOWN: Final = frozenset({".jpg", ".jpeg", ".png", ".mp4"})


class StraysQuery(Input):
    """Which page of the list."""

    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @classmethod
    def read(cls, text: str | None) -> "StraysQuery":
        """The query of a URL; what cannot be used is left out."""
        try:
            return cls.model_validate({"offset": text or 0})
        except ValidationError:
            return cls()


def strays_context(
    page: Page[Stray],
    cameras: Sequence[Camera],
    *,
    site: Site,
    now: datetime,
    scanned_at: datetime | None,
    unusable: Unusable,
    may_change: bool,
) -> StraysContext:
    """The page about stray files.

    Args:
        page: a stretch of the list.
        cameras: all that the reader may see.
        site: zone and name.
        now: the present, aware.
        scanned_at: when all files were last looked over.
        unusable: files that cannot be listed for their names.
        may_change: whether the reader may link and remove.
    """
    names = {camera.camera_id: camera.name for camera in cameras}
    last = page.offset + len(page.items)
    return StraysContext(
        frame=frame("Stray files", "storage", cameras=cameras, site=site, now=now),
        summary=" · ".join(
            (
                "1 file fits no event" if page.total == 1 else f"{count(page.total)} files fit no event",
                f"last looked for {moment(scanned_at, site.zone, now).relative}"
                if scanned_at
                else "not looked for since the start yet",
            )
        ),
        back=Action("Storage", "/retention"),
        unusable=_unusable(unusable.total),
        unusable_paths=unusable.paths,
        strays=tuple(_stray(stray, names, site, now, may_change=may_change) for stray in page.items),
        previous_url=_url(max(0, page.offset - page.limit)) if page.offset else None,
        next_url=_url(last) if page.items and last < page.total else None,
    )


def _unusable(total: int) -> str:
    if not total:
        return ""
    have, them = ("has a name that", "it") if total == 1 else ("have names that", "them")
    return (
        f"{counted(total, 'more file')} {have} cannot be used, so that no event can have {them} and no page can show"
        f" {them}. Rename {them} on the disk, or remove {them}. Every one is named by: securitycamd storage check"
    )


def _url(offset: int) -> str:
    return f"{STRAYS_URL}?{urlencode({'offset': offset})}" if offset else STRAYS_URL


def _stray(stray: Stray, names: dict[str, str], site: Site, now: datetime, *, may_change: bool) -> StrayView:
    path = PurePosixPath(stray.path)
    named = urlencode({"path": stray.path})
    return StrayView(
        name=path.name,
        camera_name=names.get(stray.camera_id, stray.camera_id),
        url=media_url(stray.path) if path.suffix.lower() in _SHOWN else None,
        size_bytes=stray.size_bytes,
        moment=moment(stray.modified_at, site.zone, now),
        reason=stray.reason,
        may_change=may_change,
        link_url=f"{STRAYS_URL}/link?{named}",
        delete_url=f"{STRAYS_URL}/delete?{named}",
    )
