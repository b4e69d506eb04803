"""The wall of cameras and one camera live, from what is known of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from securitycamd.domain.models import Camera
from securitycamd.domain.pictures import Poster
from securitycamd.web.ui.contexts import Site
from securitycamd.web.ui.frame import frame, is_online
from securitycamd.web.ui.live_contexts import LiveCameraContext, LiveTile, LiveWallContext
from securitycamd.web.ui.words import age, counted, media_url, moment

LIVE_URL: Final = "/live"
_DIGITS: Final = 9


def wall_context(
    cameras: Sequence[Camera], posters: Mapping[str, Poster], *, site: Site, now: datetime, limit_minutes: float
) -> LiveWallContext:
    """All cameras that the reader may see.

    Args:
        cameras: them.
        posters: their newest pictures, as far as there are some.
        site: zone, name and patience of the site.
        now: the present, aware.
        limit_minutes: how long a stream may run.
    """
    tiles = _tiles(cameras, posters, site=site, now=now)
    return LiveWallContext(
        frame=frame("Live", "live", cameras=cameras, site=site, now=now),
        summary=_summary(tiles),
        tiles=tiles,
        limit_minutes=f"{limit_minutes:g}",
    )


def camera_context(
    camera: Camera,
    cameras: Sequence[Camera],
    posters: Mapping[str, Poster],
    *,
    site: Site,
    now: datetime,
    limit_minutes: float,
) -> LiveCameraContext:
    """One camera, which may be one that lists do not show; the other arguments are as for :func:`wall_context`."""
    tiles = _tiles(cameras, posters, site=site, now=now, is_large=True)
    tile = next(
        (each for each in tiles if each.camera_id == camera.camera_id),
        _tiles([camera], posters, site=site, now=now, is_large=True)[0],
    )
    return LiveCameraContext(
        frame=frame(f"{tile.name} live", "live", cameras=cameras, site=site, now=now),
        tile=tile,
        others=tiles if len(tiles) > 1 else (),
        stream_url=f"{tile.url}.mjpeg",
        still_url=f"{tile.url}.jpg?download=1",
        limit_minutes=f"{limit_minutes:g}",
    )


def _tiles(
    cameras: Sequence[Camera], posters: Mapping[str, Poster], *, site: Site, now: datetime, is_large: bool = False
) -> tuple[LiveTile, ...]:
    tiles = []
    for number, camera in enumerate(cameras, 1):
        poster = posters.get(camera.camera_id)
        online = is_online(camera, site=site, now=now)
        tiles.append(
            LiveTile(
                camera_id=camera.camera_id,
                name=camera.name,
                location=camera.location,
                url=f"{LIVE_URL}/{camera.camera_id}",
                key=number if number <= _DIGITS else None,
                picture_url=None if poster is None else media_url(poster.large_path if is_large else poster.small_path),
                taken=None if poster is None else moment(poster.taken_at, site.zone, now),
                is_online=online,
                silence="" if online else f"Not heard from for {age(camera.last_seen, now)}",
            )
        )
    return tuple(tiles)


def _summary(tiles: Sequence[LiveTile]) -> str:
    silent = sum(not tile.is_online for tile in tiles)
    cameras = counted(len(tiles), "camera")
    return f"{cameras}, {silent} offline" if silent else cameras
