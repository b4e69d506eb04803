"""From what is known of cameras to what ``cameras.html`` and ``camera.html`` print. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlencode

from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.models import Camera
from securitycamd.domain.names import CameraRemoval
from securitycamd.domain.sizes import size
from securitycamd.services.camera_details import ActivitySpan, CameraDetails, CameraOverview, CameraPicture
from securitycamd.services.camera_removal import Progress
from securitycamd.web.ui.camera_contexts import (
    CameraCard,
    CameraContext,
    CameraMark,
    CamerasContext,
    Manage,
    PutAway,
    Removing,
)
from securitycamd.web.ui.camera_plots import lasting, outages, plot, strip
from securitycamd.web.ui.contexts import Action, Fact, Site
from securitycamd.web.ui.frame import agent_url, frame, is_loopback, is_online
from securitycamd.web.ui.words import age, count, counted, media_url, moment

CAMERAS_URL: Final = "/cameras"
EAGER_PICTURES: Final = 4
CLOCK_GOOD_SECONDS: Final = 2.0
"""An offset that the measurement itself may have."""
CLOCK_BAD_SECONDS: Final = 10.0


def camera_url(camera_id: str) -> str:
    """The page of a camera."""
    return f"{CAMERAS_URL}/{camera_id}"


def cameras_context(found: Sequence[CameraOverview], *, site: Site, now: datetime, server_url: str) -> CamerasContext:
    """The page of all cameras.

    Args:
        found: every camera the reader may see.
        site: zone and name.
        now: the present, aware.
        server_url: where the reader reaches this server, for the words about the first camera.
    """
    listed = [one for one in found if one.camera.is_listed]
    surround = frame("Cameras", "cameras", cameras=[one.camera for one in found], site=site, now=now)
    today = sum(one.events_today for one in listed)
    return CamerasContext(
        frame=surround,
        summary=f"{surround.cameras_summary} · {counted(today, 'event')} today" if listed else "",
        cards=tuple(_card(one, number, site, now) for number, one in enumerate(listed)),
        put_away=tuple(_put_away(one) for one in found if not one.camera.is_listed),
        agent_url=agent_url(server_url),
        agent_url_is_local=is_loopback(server_url),
    )


def _card(one: CameraOverview, number: int, site: Site, now: datetime) -> CameraCard:
    camera = one.camera
    return CameraCard(
        camera_name=camera.name,
        location=camera.location,
        url=camera_url(camera.camera_id),
        picture_url=media_url(one.newest.poster.small_path) if one.newest and one.newest.poster else None,
        is_eager=number < EAGER_PICTURES,
        state=_mark(camera, one.agent, site, now),
        last_heard=moment(camera.last_seen, site.zone, now),
        events_today=f"{counted(one.events_today, 'event')} today",
        newest_at=moment(one.newest.at, site.zone, now) if one.newest else None,
        strip=strip(one.coverage, ActivitySpan.DAY, site.zone, now),
    )


def _put_away(one: CameraOverview) -> PutAway:
    if one.progress is not None:
        gone = one.progress.events_total - one.progress.events_left
        why = f"being removed: {count(gone)} of {counted(one.progress.events_total, 'event')} are gone"
    elif one.camera.removal is CameraRemoval.RETIRED:
        why = "removed; its events are still here"
    else:
        why = "hidden; it records on"
    return PutAway(one.camera.name, camera_url(one.camera.camera_id), why)


def _mark(camera: Camera, agent: AgentStatus | None, site: Site, now: datetime) -> CameraMark:
    if is_online(camera, site=site, now=now):
        if agent is not None and agent.is_streaming and agent.error is None:
            return CameraMark("live", "Streaming live", "Motion detection is paused meanwhile")
        return CameraMark("on", "Online", "")
    if camera.last_seen <= camera.created_at:
        since = moment(camera.created_at, site.zone, now).relative
        return CameraMark("off", "Never heard from", f"It registered {since} and was silent since", tells_when=False)
    return CameraMark("off", "Offline", f"Silent for {age(camera.last_seen, now)}", tells_when=False)


# --- one camera ------------------------------------------------------------------------------------------------------


def camera_context(
    picture: CameraPicture,
    cameras: Sequence[Camera],
    *,
    site: Site,
    now: datetime,
    may_change: bool,
) -> CameraContext:
    """The page of one camera.

    Args:
        picture: what is known of it.
        cameras: all that the reader may see.
        site: zone and name.
        now: the present, aware.
        may_change: whether the reader may edit and remove it.
    """
    details = picture.details
    camera, newest = details.camera, details.newest
    poster = newest.poster if newest else None
    zone = site.zone
    return CameraContext(
        frame=frame(camera.name, "cameras", cameras=cameras, site=site, now=now),
        camera_id=camera.camera_id,
        title=camera.name,
        location=camera.location,
        state=_mark(camera, details.agent, site, now),
        last_heard=moment(camera.last_seen, zone, now),
        notices=tuple(_notices(details)),
        removing=_removing(details.progress),
        picture_url=media_url(poster.small_path) if poster else None,
        picture_event_url=f"/events/{poster.event_id}?{urlencode({'camera_id': camera.camera_id})}" if poster else None,
        newest_at=moment(newest.at, zone, now) if newest else None,
        ways=(
            Action("Live", f"/live/{camera.camera_id}"),
            Action("Events", f"/?{urlencode({'camera_id': camera.camera_id})}"),
            Action("Logs", f"/logs?{urlencode({'source': camera.camera_id})}"),
        ),
        refresh_url=f"{camera_url(camera.camera_id)}/refresh",
        facts=tuple(_facts(camera, details.agent, site, now)),
        footage=tuple(_footage(details, site, now)),
        strips=tuple(strip(parts, span, zone, now) for span, parts in picture.covered.items()),
        outages=outages(picture.covered[ActivitySpan.MONTH], zone, now),
        plots=tuple(plot(hours, span, zone, now) for span, hours in picture.active.items()),
        manage=_manage(details, site, now) if may_change else None,
    )


def _notices(details: CameraDetails) -> Iterable[str]:
    camera, agent = details.camera, details.agent
    if camera.removal is CameraRemoval.RETIRED:
        yield "This camera was removed; its events are still here. It comes back when its agent registers again."
    elif camera.is_hidden and camera.removal is None:
        yield "This camera is hidden: lists leave it out, and it records on."
    offset = agent.clock_offset_seconds if agent else None
    if offset is not None and abs(offset) >= CLOCK_BAD_SECONDS:
        yield f"Its clock is {_clock(offset)}: the times of its events are wrong by as much. Let it synchronise (NTP)."


def _clock(offset: float) -> str:
    return f"{lasting(abs(offset))} {'ahead' if offset > 0 else 'behind'}"


def _facts(camera: Camera, agent: AgentStatus | None, site: Site, now: datetime) -> Iterable[Fact]:
    zone = site.zone
    yield Fact("Address", camera.ip_address or "not told")
    yield Fact("Identifier", camera.camera_id)
    yield Fact("Registered", moment(camera.created_at, zone, now).relative)
    if agent is None:
        yield Fact("Agent", "not asked yet")
        return
    asked = moment(agent.asked_at, zone, now).relative
    if agent.error is not None:
        yield Fact("Agent", f"asked {asked}. {agent.error}")
    else:
        yield Fact("Agent", f"answered {asked}")
    if agent.answered_at is None:
        return
    yield Fact("Version", agent.version or "not told")
    if agent.running_since is not None:
        yield Fact("Running for", lasting((now - agent.running_since).total_seconds()))
    if agent.motion_state:
        yield Fact("Motion detection", agent.motion_state)
    if agent.is_streaming is not None:
        yield Fact("Live stream", "on" if agent.is_streaming else "off")
    offset = agent.clock_offset_seconds
    if offset is not None:
        yield Fact("Clock", "in step" if abs(offset) < CLOCK_GOOD_SECONDS else _clock(offset))


def _footage(details: CameraDetails, site: Site, now: datetime) -> Iterable[Fact]:
    yield Fact("Storage used", size(details.use.size_bytes))
    if details.use.protected_bytes:
        yield Fact("Of it starred", size(details.use.protected_bytes))
    yield Fact("Events", count(details.events_total))
    if details.starred:
        yield Fact("Of them starred", count(details.starred))
    yield Fact("Events today", count(details.events_today))
    if details.newest is not None:
        yield Fact("Newest event", moment(details.newest.at, site.zone, now).relative)


def _removing(progress: Progress | None) -> Removing | None:
    if progress is None:
        return None
    gone = progress.events_total - progress.events_left
    percent = 100 * gone / progress.events_total if progress.events_total else 100.0
    words = f"Being removed: {count(gone)} of {counted(progress.events_total, 'event')} are gone."
    return Removing(words, round(percent, 1), progress.trouble or "")


def _manage(details: CameraDetails, site: Site, now: datetime) -> Manage:
    camera = details.camera
    removal: Literal["", "footage", "retired"] = ""
    if camera.removal is not None:
        removal = "footage" if camera.removal is CameraRemoval.FOOTAGE else "retired"
    starred = f", {count(details.starred)} of them starred" if details.starred else ""
    return Manage(
        base_url=camera_url(camera.camera_id),
        own_name="" if camera.name == camera.agent_name else camera.name,
        own_location="" if camera.location == camera.agent_location else camera.location,
        agent_name=camera.agent_name,
        agent_location=camera.agent_location,
        is_hidden=camera.is_hidden,
        removal=removal,
        footage_words=f"{counted(details.events_total, 'event')}{starred}, {size(details.use.size_bytes)}",
        has_events=details.events_total > 0,
        online_warning=(
            "It is online: its agent would go on recording. Switch the agent off first and wait until the camera is"
            " offline, or hide the camera instead."
            if is_online(camera, site=site, now=now)
            else ""
        ),
    )
