"""From events and cameras to what ``events.html`` prints. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

from securitycamd.domain.models import Camera, Event, Page
from securitycamd.domain.times import named_day, today
from securitycamd.web.ui.contexts import (
    Action,
    CameraChip,
    CardView,
    Chip,
    DayForm,
    DayGroup,
    EmptyState,
    GalleryContext,
    Pager,
    Site,
    StepState,
    StepView,
)
from securitycamd.web.ui.frame import frame, is_online
from securitycamd.web.ui.query import NAMED_DAYS, PAGE_SIZES, GalleryQuery
from securitycamd.web.ui.seen import badge_of, tags_of
from securitycamd.web.ui.stages import event_steps, picture_url
from securitycamd.web.ui.words import count, day_name, moment

API_PATH: Final = "/api/v1"
# About what a large screen shows at once; pictures below it load when scrolled to.
EAGER_PICTURES: Final = 8
NO_ERRORS: Final[Mapping[int, str]] = MappingProxyType({})

HeadlineKind = Literal["said", "wait", "fail", "quiet"]


def gallery_context(
    page: Page[Event],
    cameras: Sequence[Camera],
    query: GalleryQuery,
    *,
    site: Site,
    now: datetime,
    server_url: str,
    clip_errors: Mapping[int, str] = NO_ERRORS,
) -> GalleryContext:
    """The gallery.

    Args:
        page: the events that ``query`` asks for, newest first.
        cameras: all that the reader may see.
        query: the filter state.
        site: zone, name and patience of the site.
        now: the present, aware.
        server_url: how the reader reached us (``http://host:8000``), to tell how an agent may.
        clip_errors: why conversions failed, by event id, as far as known.
    """
    names = {camera.camera_id: camera.name for camera in cameras}
    title = " · ".join(filter(None, ("Events", _camera_name(query.camera_id, names), _day_words(query, site, now))))
    cards = [
        (
            today(site.zone, event.timestamp),
            _card(
                event,
                names,
                query,
                site=site,
                now=now,
                error=clip_errors.get(event.id),
                is_eager=place < EAGER_PICTURES,
            ),
        )
        for place, event in enumerate(page.items)
    ]
    return GalleryContext(
        frame=frame(title, "events", cameras=cameras, site=site, now=now),
        summary=_summary(page, query, site, now),
        camera_chips=tuple(_camera_chips(cameras, query, site=site, now=now)),
        date_chips=tuple(_date_chips(query)),
        day_form=_day_form(query, site, now),
        days=tuple(
            DayGroup(None if query.date else group[0].moment.day, tuple(group))
            for group in ([card for _, card in same_day] for _, same_day in groupby(cards, key=lambda pair: pair[0]))
        ),
        pager=_pager(page, query) if page.items else None,
        empty=None if page.items else _empty(page, names, query, site, now),
        agent_url=server_url.rstrip("/") + API_PATH,
        agent_url_is_local=_is_loopback(server_url),
    )


def event_url(event_id: int, query: GalleryQuery) -> str:
    """The page of an event, which remembers the gallery's state."""
    return query.url(f"/events/{event_id}")


def _card(
    event: Event,
    names: Mapping[str, str],
    query: GalleryQuery,
    *,
    site: Site,
    now: datetime,
    error: str | None,
    is_eager: bool,
) -> CardView:
    steps = event_steps(event, site=site, now=now, clip_error=error)
    headline, kind, note, note_is_failure = _words(event, steps)
    return CardView(
        url=event_url(event.id, query),
        picture_url=picture_url(event),
        is_eager=is_eager,
        moment=moment(event.timestamp, site.zone, now),
        camera_name=names.get(event.camera_id, event.camera_id),
        duration_seconds=event.video_duration,
        headline=headline,
        headline_kind=kind,
        note=note,
        note_is_failure=note_is_failure,
        steps=steps if any(step.state.is_waiting for step in steps) else (),
        tags=tags_of(event),
        badge=badge_of(event),
    )


def _words(event: Event, steps: Sequence[StepView]) -> tuple[str, HeadlineKind, str | None, bool]:
    """Headline, its kind, a note below, and whether that tells of a failure.

    What happened comes first, then what is awaited, then what failed; the note is the next of these.
    """
    waiting = [step for step in steps if step.state.is_waiting]
    failed = [step for step in steps if step.state is StepState.FAILED]
    missing = [step for step in steps if step.state is StepState.MISSING]
    failure = f"{failed[0].text}: {failed[0].reason}" if failed else None
    said = event.ai_phrase or event.ai_description
    if said:
        awaited = waiting[0].text if waiting else None
        absent = missing[0].text if missing else None
        return said, "said", failure or awaited or absent, failure is not None
    if waiting:
        return waiting[0].text, "wait", failure, failure is not None
    if failed:
        return failed[0].text, "fail", failed[0].reason, False
    return "Motion", "quiet", missing[0].text if missing else None, False


def _camera_chips(cameras: Iterable[Camera], query: GalleryQuery, *, site: Site, now: datetime) -> Iterable[CameraChip]:
    yield CameraChip("All cameras", query.for_camera(None).url(), query.camera_id is None, None)
    wanted = query.camera_id
    for camera in cameras:
        is_on = camera.camera_id == query.camera_id
        if is_on:
            wanted = None
        yield CameraChip(
            camera.name,
            query.for_camera(camera.camera_id).url(),
            is_on,
            is_online(camera, site=site, now=now),
        )
    if wanted is not None:
        # A camera that is gone, or never was: the filter must still say what it does.
        yield CameraChip(wanted, query.url(), True, None)


def _date_chips(query: GalleryQuery) -> Iterable[Chip]:
    yield Chip("Any day", query.for_date(None).url(), query.date is None)
    for day in NAMED_DAYS:
        yield Chip(day.capitalize(), query.for_date(day).url(), query.date == day)


def _day_form(query: GalleryQuery, site: Site, now: datetime) -> DayForm:
    day = query.date if query.date and query.date not in NAMED_DAYS else ""
    kept = query.for_date(None).parameters
    return DayForm(value=day, latest=today(site.zone, now).isoformat(), is_on=bool(day), kept=kept)


def _camera_name(camera_id: str | None, names: Mapping[str, str]) -> str | None:
    return None if camera_id is None else names.get(camera_id, camera_id)


def _day_words(query: GalleryQuery, site: Site, now: datetime) -> str:
    """The day of the filter inside a sentence: ``today``, ``Saturday 21 November``; empty for all."""
    if query.date is None or query.date in NAMED_DAYS:
        return query.date or ""
    start = named_day(query.date, site.zone, now).start
    words = day_name(start, site.zone, now) if start else query.date
    return words.lower() if words in {"Today", "Yesterday"} else words


def _summary(page: Page[Event], query: GalleryQuery, site: Site, now: datetime) -> str:
    when = _day_words(query, site, now)
    when = f" {when}" if when in {"", *NAMED_DAYS} else f" on {when}"
    if not page.items:
        return f"{count(page.total)}{when}".rstrip() if page.total else ""
    last = page.offset + len(page.items)
    return f"{count(page.offset + 1)}–{count(last)} of {count(page.total)}{when}".rstrip()


def _pager(page: Page[Event], query: GalleryQuery) -> Pager:
    last = page.offset + len(page.items)
    return Pager(
        summary=f"{count(page.offset + 1)}–{count(last)} of {count(page.total)}",
        previous_url=query.at(page.offset - page.limit).url() if page.offset else None,
        next_url=query.at(last).url() if last < page.total else None,
        sizes=tuple(Chip(str(size), query.per_page(size).url(), size == query.limit) for size in PAGE_SIZES),
    )


def _empty(page: Page[Event], names: Mapping[str, str], query: GalleryQuery, site: Site, now: datetime) -> EmptyState:
    first_page = query.at(0)
    if page.total:
        last = (page.total - 1) // query.limit * query.limit
        return EmptyState(
            "past_end",
            "The list ends before this page",
            f"There are {count(page.total)} events here; this address points past the last one.",
            (
                Action("Go to the last page", query.at(last).url(), is_primary=True),
                Action("Newest first", first_page.url()),
            ),
        )
    if query.is_filtered:
        return _no_match(names, query, site, now)
    if not names:
        return EmptyState(
            "no_cameras",
            "No cameras yet",
            "Cameras announce themselves. Tell one where this server is, and it appears here.",
            (Action("Read the API docs", "/docs"),),
        )
    return EmptyState(
        "no_events",
        "Nothing has moved yet",
        "Events appear here as soon as a camera sees motion: "
        "pictures first, then the clip, then what happened in words.",
        (Action("Look again", "/", is_primary=True),),
    )


def _no_match(names: Mapping[str, str], query: GalleryQuery, site: Site, now: datetime) -> EmptyState:
    where = _camera_name(query.camera_id, names)
    when = _day_words(query, site, now)
    on = f" {when}" if when in NAMED_DAYS else f" on {when}" if when else ""
    actions = []
    if where and when:
        actions += [
            Action(f"All cameras{on}", query.for_camera(None).url()),
            Action(f"{where} on any day", query.for_date(None).url()),
        ]
    unfiltered = query.for_camera(None).for_date(None)
    text = f"{where} saw no motion{on}." if where else f"No camera saw motion{on}."
    return EmptyState(
        "no_match",
        "No events match",
        text,
        (Action("Show all events", unfiltered.url(), is_primary=True), *actions),
    )


def _is_loopback(url: str) -> bool:
    """Whether ``url`` works on this machine only."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
