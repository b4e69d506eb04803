"""From what was found to what ``events.html`` prints. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from securitycamd.domain.models import Camera, FoundPage
from securitycamd.domain.names import Category, EventStatus
from securitycamd.domain.times import named_day, today
from securitycamd.domain.words import read_search
from securitycamd.web.schemas.places import place_text
from securitycamd.web.ui.cards import NO_WORK, Work, day_groups
from securitycamd.web.ui.contexts import Action, Option, Site
from securitycamd.web.ui.frame import agent_url, frame, is_loopback, is_online
from securitycamd.web.ui.gallery_contexts import (
    CameraChip,
    CategoryChip,
    Chip,
    EmptyState,
    FilterForm,
    GalleryContext,
    ListState,
    Pager,
    SearchForm,
    Select,
    StripView,
)
from securitycamd.web.ui.query import ALL_CAMERAS, NAMED_DAYS, NAMED_STRETCHES, PAGE_SIZES, GalleryQuery
from securitycamd.web.ui.seen import CATEGORY_LABELS
from securitycamd.web.ui.words import count, day_name

CHIP_CATEGORIES: Final = (Category.PERSON, Category.VEHICLE, Category.ANIMAL, Category.PACKAGE)
"""Those that people ask for most; the rest is in the form."""
STATUS_LABELS: Final = {
    EventStatus.PROCESSING: "Being recorded",
    EventStatus.COMPLETE: "Complete",
    EventStatus.INTERRUPTED: "Interrupted",
    EventStatus.FAILED: "Failed",
}
SURE: Final = (0.4, 0.7, 0.9)
_STRETCH_LABELS: Final = {"today": "Today", "yesterday": "Yesterday", "7days": "7 days", "30days": "30 days"}


def gallery_context(
    page: FoundPage,
    cameras: Sequence[Camera],
    query: GalleryQuery,
    *,
    site: Site,
    now: datetime,
    server_url: str,
    strip: StripView | None = None,
    work: Work = NO_WORK,
    notice: str | None = None,
    may_change: bool = False,
) -> GalleryContext:
    """The gallery.

    Args:
        page: the events that ``query`` asks for, newest first.
        cameras: all that the reader may see.
        query: the filter state.
        site: zone, name and patience of the site.
        now: the present, aware.
        server_url: how the reader reached us (``http://host:8000``), to tell how an agent may.
        strip: how much happened when; ``None``: not known.
        work: why conversions failed and how far others are.
        notice: what is amiss with what is shown.
        may_change: whether the reader may review, star and remove events.
    """
    names = {camera.camera_id: camera.name for camera in cameras}
    where = _where(query, names)
    days = _day_words(query, site, now)
    title = " · ".join(["Events", *filter(None, (where, days.capitalize() if days in NAMED_DAYS else days))])
    empty = None if page.items else _empty(page, names, query, site, now)
    return GalleryContext(
        frame=frame(title, "events", cameras=cameras, site=site, now=now),
        summary=_summary(page, query, site, now),
        notice=notice,
        camera_chips=tuple(_camera_chips(cameras, query, site=site, now=now)),
        category_chips=tuple(
            CategoryChip(
                category,
                CATEGORY_LABELS[category].capitalize(),
                query.toggled("category", category).url(),
                category in query.category,
            )
            for category in CHIP_CATEGORIES
        ),
        flag_chips=tuple(_flag_chips(query)),
        date_chips=tuple(_date_chips(query)),
        active_chips=tuple(_active_chips(query)),
        search=SearchForm(query.q, query.but(q="").parameters),
        form=_form(query, site, now),
        views=tuple(
            Chip(view, query.model_copy(update={"view": view}).telling("view"), view == query.view)
            for view in ("grid", "list")
        ),
        view=query.view,
        strip=strip if names else None,
        days=day_groups(page.items, cameras, query, site=site, now=now, work=work),
        pager=_pager(page, query) if page.items or page.newer or page.older else None,
        empty=empty,
        state=ListState(
            query=query.url(""),
            shows_new=query.is_first_page and _reaches_now(query, site, now),
            may_change=may_change,
            asks_more=query.asks_more,
            cameras=",".join(query.camera_id),
        ),
        agent_url=agent_url(server_url),
        agent_url_is_local=is_loopback(server_url),
    )


def _reaches_now(query: GalleryQuery, site: Site, now: datetime) -> bool:
    """Whether an event of this moment could be among what is asked for."""
    span = query.span(site.zone, now)
    return (span.start is None or span.start <= now) and (span.end is None or now < span.end)


def _camera_chips(cameras: Iterable[Camera], query: GalleryQuery, *, site: Site, now: datetime) -> Iterable[CameraChip]:
    yield CameraChip("All cameras", _all_cameras(query.for_camera(None)), not query.camera_id, None)
    unknown = list(query.camera_id)
    for camera in cameras:
        is_on = camera.camera_id in query.camera_id
        if is_on:
            unknown.remove(camera.camera_id)
        elif not camera.is_listed:
            continue
        yield CameraChip(
            camera.name,
            _toggled_camera(query, camera.camera_id),
            is_on,
            is_online(camera, site=site, now=now),
        )
    for camera_id in unknown:
        # A camera that is gone, or never was: the filter must still say what it does.
        yield CameraChip(camera_id, _toggled_camera(query, camera_id), True, None)


def _toggled_camera(query: GalleryQuery, camera_id: str) -> str:
    toggled = query.toggled("camera_id", camera_id)
    return toggled.url() if toggled.camera_id else _all_cameras(toggled)


def _all_cameras(query: GalleryQuery) -> str:
    """The URL of a query without cameras that says so on purpose: the last choice is remembered."""
    return f"{query.url()}{'&' if query.parameters else '?'}camera_id={ALL_CAMERAS}"


def _flag_chips(query: GalleryQuery) -> Iterable[Chip]:
    is_open = query.reviewed is False
    yield Chip("Not reviewed", query.but(reviewed=None if is_open else False).url(), is_open)
    yield Chip("Starred", query.but(starred=None if query.starred else True).url(), query.starred is True)


def _date_chips(query: GalleryQuery) -> Iterable[Chip]:
    yield Chip("Any day", query.for_date(None).url(), query.date is None)
    for day, label in _STRETCH_LABELS.items():
        yield Chip(label, query.for_date(day).url(), query.date == day and query.hour is None)


def _active_chips(query: GalleryQuery) -> Iterable[Chip]:
    """What is asked for and has no chip of its own."""
    if query.q:
        yield Chip(f"“{query.q}”", query.but(q="").url(), True)
    if query.hour is not None:
        yield Chip(f"{query.hour:02}:00 to {query.hour + 1:02}:00", query.but(hour=None).url(), True)
    for category in query.category:
        if category not in CHIP_CATEGORIES:
            yield Chip(CATEGORY_LABELS[category].capitalize(), query.toggled("category", category).url(), True)
    if query.person is not None:
        yield Chip("With people" if query.person else "Without people", query.but(person=None).url(), True)
    for status in query.status:
        left = tuple(each for each in query.status if each is not status)
        yield Chip(STATUS_LABELS[status], query.but(status=left).url(), True)
    if query.reviewed:
        yield Chip("Reviewed", query.but(reviewed=None).url(), True)
    if query.starred is False:
        yield Chip("Not starred", query.but(starred=None).url(), True)
    if query.min_confidence is not None:
        yield Chip(f"At least {query.min_confidence:.0%} sure", query.but(min_confidence=None).url(), True)


def _form(query: GalleryQuery, site: Site, now: datetime) -> FilterForm:
    def select(name: str, label: str, current: str, *options: tuple[str, str]) -> Select:
        return Select(name, label, tuple(Option(value, shown, value == current) for value, shown in options))

    def yes_no(*, value: bool | None) -> str:
        return "" if value is None else "yes" if value else "no"

    sure = "" if query.min_confidence is None else f"{query.min_confidence:g}"
    first, last = _form_days(query, site, now)
    asked = {"category", "person", "status", "reviewed", "starred", "min_confidence", "date", "end_date", "hour"}
    return FilterForm(
        categories=tuple(
            Option(category, CATEGORY_LABELS[category].capitalize(), category in query.category)
            for category in Category
        ),
        selects=(
            select("person", "People", yes_no(value=query.person), ("", "Any"), ("yes", "With"), ("no", "Without")),
            select(
                "status",
                "Recording",
                query.status[0] if query.status else "",
                ("", "Any"),
                *((status, label) for status, label in STATUS_LABELS.items()),
            ),
            select(
                "reviewed", "Reviewed", yes_no(value=query.reviewed), ("", "Any"), ("no", "Not yet"), ("yes", "Yes")
            ),
            select("starred", "Starred", yes_no(value=query.starred), ("", "Any"), ("yes", "Yes"), ("no", "No")),
            select(
                "min_confidence",
                "How sure",
                sure,
                ("", "Any"),
                *((f"{value:g}", f"At least {value:.0%}") for value in SURE),
                *(
                    ((sure, f"At least {query.min_confidence:.0%}"),)
                    if query.min_confidence not in {None, *SURE}
                    else ()
                ),
            ),
        ),
        first_day=first,
        last_day=last,
        latest=today(site.zone, now).isoformat(),
        is_on=any(True for _ in _active_chips(query.but(q="", hour=None))),
        kept=tuple(pair for pair in query.but().parameters if pair[0] not in asked),
    )


def _form_days(query: GalleryQuery, site: Site, now: datetime) -> tuple[str, str]:
    days = query.days(site.zone, now)
    if days is None or query.date in NAMED_STRETCHES:
        return "", ""
    return days[0].isoformat(), "" if days[0] == days[1] else days[1].isoformat()


def _where(query: GalleryQuery, names: Mapping[str, str]) -> str:
    """The chosen cameras inside a sentence; empty for all."""
    chosen = [names.get(camera_id, camera_id) for camera_id in query.camera_id]
    if len(chosen) > 2:
        return f"{len(chosen)} cameras"
    return " and ".join(chosen)


def _day_words(query: GalleryQuery, site: Site, now: datetime) -> str:
    """The day of the filter inside a sentence: ``today``, ``Saturday 21 November``; empty for all."""
    if query.date is None or query.date in NAMED_DAYS:
        return query.date or ""
    if query.date in NAMED_STRETCHES:
        return f"the last {NAMED_STRETCHES[query.date]} days"
    days = query.days(site.zone, now)
    words = [
        day_name(start, site.zone, now)
        for day in dict.fromkeys(days or ())
        if (start := named_day(day.isoformat(), site.zone, now).start)
    ]
    return " to ".join(word.lower() if word in {"Today", "Yesterday"} else word for word in words)


def _when(query: GalleryQuery, site: Site, now: datetime) -> str:
    """The same with its preposition and a space before it."""
    days = _day_words(query, site, now)
    hour = "" if query.hour is None else f" between {query.hour:02}:00 and {query.hour + 1:02}:00"
    if not days or days in NAMED_DAYS:
        return (f" {days}" if days else "") + hour
    if " to " in days:
        return f" from {days}"
    return (f" in {days}" if query.date in NAMED_STRETCHES else f" on {days}") + hour


def _total(page: FoundPage) -> str:
    return count(page.total.value) if page.total.is_exact else f"more than {count(page.total.value)}"


def _place(page: FoundPage) -> str:
    if not page.items:
        return _total(page) if page.total.value else ""
    if page.position is None:
        return f"{count(len(page.items))} of {_total(page)}"
    return f"{count(page.position + 1)}–{count(page.position + len(page.items))} of {_total(page)}"


def _summary(page: FoundPage, query: GalleryQuery, site: Site, now: datetime) -> str:
    place = _place(page)
    ignored = read_search(query.q).ignored[:3]
    left_out = f"left out of the search: {', '.join(f'“{part}”' for part in ignored)}" if ignored else ""
    return " · ".join(filter(None, (place + _when(query, site, now) if place else "", left_out)))


def _pager(page: FoundPage, query: GalleryQuery) -> Pager:
    def at(**place: str) -> str:
        return query.but(**place).url()

    is_near_top = page.position is not None and page.position <= query.limit
    newer = None if page.newer is None else at() if is_near_top else at(after=place_text(page.newer))
    return Pager(
        summary=_place(page),
        previous_url=newer,
        next_url=None if page.older is None else at(before=place_text(page.older)),
        sizes=tuple(Chip(str(size), query.per_page(size).telling("limit"), size == query.limit) for size in PAGE_SIZES),
    )


def _empty(page: FoundPage, names: Mapping[str, str], query: GalleryQuery, site: Site, now: datetime) -> EmptyState:
    if page.searched_to is not None:
        return EmptyState(
            "further",
            "Nothing so far",
            f"Everything back to {day_name(page.searched_to, site.zone, now)} was looked through. What is rare is"
            " looked for a stretch at a time.",
            (Action("Look further back", _pager(page, query).next_url or query.url(), is_primary=True),),
        )
    if not query.is_first_page:
        return EmptyState(
            "past_end",
            "The list ends before this page",
            f"There are {_total(page)} events here; this address points past the last one.",
            (Action("Newest first", query.but().url(), is_primary=True),),
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
    where, when = _where(query, names), _when(query, site, now)
    actions = []
    if query.asks_more:
        kept = query.but(date=query.date, end_date=query.end_date, hour=query.hour)
        plain = kept.but(category=(), person=None, status=(), reviewed=None, starred=None, min_confidence=None, q="")
        actions.append(Action("Drop the further filters", plain.url()))
    elif where and when:
        actions += [
            Action(f"All cameras{when}", query.for_camera(None).url()),
            Action(f"{where} on any day", query.for_date(None).url()),
        ]
    what = f"Nothing that fits “{query.q}”" if query.q else "Nothing that fits"
    text = (
        f"{what} happened{when}."
        if query.asks_more
        else f"{where or 'No camera'} saw {'no ' if where else ''}motion{when}."
    )
    unfiltered = GalleryQuery(limit=query.limit, view=query.view)
    everything = _all_cameras(unfiltered) if query.camera_id else unfiltered.url()
    return EmptyState(
        "no_match",
        "No events match",
        text,
        (Action("Show all events", everything, is_primary=True), *actions),
    )
