"""From reports to what their pages print. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Final

from securitycamd.domain.digests import DayFacts, Digest, DigestState, category_words, in_numbers
from securitycamd.domain.models import Camera
from securitycamd.domain.names import Category
from securitycamd.domain.times import day_bounds, today
from securitycamd.web.ui.contexts import Action, Site
from securitycamd.web.ui.digest_contexts import (
    CameraPart,
    DigestCard,
    DigestContext,
    DigestsContext,
    SayingView,
    Share,
)
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.words import count, counted, day_name, moment

DIGESTS_URL: Final = "/digests"
PAGE_SIZE: Final = 20
LEAD_LIMIT: Final = 260
_ORDER: Final = (*Category, "pending")
_DONE: Final = frozenset({DigestState.WRITTEN, DigestState.QUIET})
_NUMBERS_ALONE: Final = " While AI descriptions are switched off, it tells the numbers."
_WAITING: Final = "The report is being written."


def digest_url(day: date) -> str:
    """The page of a day's report."""
    return f"{DIGESTS_URL}/{day.isoformat()}"


def digests_context(
    found: Sequence[Digest],
    cameras: Sequence[Camera],
    *,
    site: Site,
    now: datetime,
    due: str | None,
    is_first: bool,
    may_change: bool,
) -> DigestsContext:
    """The list.

    Args:
        found: a page of reports and one more where there is one, newest first.
        cameras: for the frame.
        site: zone and name of the site.
        now: the present, aware.
        due: when the next one comes by itself, as ``07:00``; ``None``: none does.
        is_first: whether it is the list's beginning.
        may_change: whether the reader may have one written.
    """
    shown = found[:PAGE_SIZE]
    this_day = today(site.zone, now)
    yesterday = this_day - timedelta(days=1)
    there = {digest.day for digest in shown}
    # A new site has no yesterday.
    offered = (
        (this_day, Action("Write today's so far", digest_url(this_day), is_primary=not shown)),
        (yesterday, Action("Write yesterday's report now", digest_url(yesterday))),
    )
    return DigestsContext(
        frame=frame("Reports", "digests", cameras=cameras, site=site, now=now),
        summary=f"{_when(due)}{'' if site.describes else _NUMBERS_ALONE}",
        cards=tuple(_card(digest, site, now) for digest in shown),
        has_waiting=any(digest.state is DigestState.WAITING for digest in shown),
        older_url=f"{DIGESTS_URL}?before={shown[-1].day.isoformat()}" if len(found) > PAGE_SIZE else None,
        writes=tuple(action for day, action in offered if may_change and is_first and day not in there),
        empty=f"The first one comes at {due}, about the day before." if due else "None was asked for yet.",
    )


def digest_context(
    digest: Digest,
    cameras: Sequence[Camera],
    *,
    site: Site,
    now: datetime,
    due: str | None,
    there: frozenset[int],
    earlier: date | None,
    later: date | None,
    may_change: bool,
) -> DigestContext:
    """One report.

    Args:
        digest: the report.
        cameras: for the frame.
        site: zone and name of the site.
        now: the present, aware.
        due: as of the list.
        there: which of its events are still there.
        earlier: the day of the report before it.
        later: the day of the one after it.
        may_change: whether the reader may have it written anew.
    """
    facts, name = digest.facts, _day(digest.day, site, now)
    calendar_day = f"{digest.day:%A} {digest.day.day} {digest.day:%B}"
    is_waiting = digest.state is DigestState.WAITING
    # Of a report that was never tried nothing is known, which is not that nothing happened.
    is_known = bool(facts.events) or digest.state in _DONE
    return DigestContext(
        frame=frame(f"Report of {name}", "digests", cameras=cameras, site=site, now=now),
        date=digest.day.isoformat(),
        day=name,
        calendar_day="" if calendar_day in name else calendar_day,
        so_far=_so_far(due) if digest.day == today(site.zone, now) else "",
        paragraphs=tuple(part for part in digest.text.split("\n\n") if part),
        is_waiting=is_waiting,
        trouble=_trouble(digest, may_change=may_change),
        error=digest.error or "",
        written=moment(digest.updated_at, site.zone, now) if digest.state in _DONE else None,
        author=f"Written by {digest.model}" if digest.model else "Made from the numbers alone",
        numbers=in_numbers(facts) if is_known else "",
        compared=_compared(facts),
        shares=_shares(facts),
        cameras=tuple(
            CameraPart(camera, count(n), round(100 * n / max(facts.by_camera.values()), 1))
            for camera, n in facts.by_camera.items()
        ),
        sayings=tuple(
            _saying(text, event_id if event_id in there else None)
            for text, event_id in zip_longest(facts.sayings, facts.saying_events)
        ),
        sayings_title=_sayings_title(digest),
        events_url=f"/?date={digest.day.isoformat()}",
        back=Action("All reports", DIGESTS_URL),
        earlier=None if earlier is None else Action(_day(earlier, site, now), digest_url(earlier)),
        later=None if later is None else Action(_day(later, site, now), digest_url(later)),
        write_url=digest_url(digest.day) if may_change else None,
    )


def _card(digest: Digest, site: Site, now: datetime) -> DigestCard:
    is_waiting = digest.state is DigestState.WAITING
    text = digest.text.replace("\n\n", " ") or (_trouble(digest, may_change=False) or _WAITING)
    if len(text) > LEAD_LIMIT:
        text = text[:LEAD_LIMIT].rpartition(" ")[0] + "…"
    events, shares = digest.facts.events, _shares(digest.facts)
    return DigestCard(
        url=digest_url(digest.day),
        date=digest.day.isoformat(),
        day=_day(digest.day, site, now),
        lead=text,
        is_waiting=is_waiting,
        error=digest.error or "",
        numbers=counted(events, "event") if events else "",
        shares=shares,
        shares_label=", ".join(share.label for share in shares),
    )


def _day(day: date, site: Site, now: datetime) -> str:
    return day_name(day_bounds(day, site.zone)[0], site.zone, now)


def _when(due: str | None) -> str:
    return f"Each day's report comes at {due}." if due else "Reports are written when you ask for one."


def _so_far(due: str | None) -> str:
    again = f" Tomorrow at {due} this is written once more, about all of it." if due else ""
    return f"The day is not over.{again}"


def _trouble(digest: Digest, *, may_change: bool) -> str | None:
    if digest.error is None:
        return None
    if digest.state is DigestState.FAILED:
        advice = " Once that is mended, have it written anew." if may_change else ""
        return f"It could not be written: {digest.error}{advice}"
    return f"The report waits, and is tried again by itself: {digest.error}"


def _sayings_title(digest: Digest) -> str:
    if not digest.text:
        return "What it is written from"
    return "What it was written from" if digest.model else "Some of what was seen"


def _compared(facts: DayFacts) -> str | None:
    if facts.usual_events is None or not facts.events:
        return None
    usual = count(facts.usual_events)
    if facts.events > facts.usual_events * 1.25:
        return f"More than usual: a day of the week before had about {usual} events."
    if facts.events < facts.usual_events * 0.75:
        return f"Less than usual: a day of the week before had about {usual} events."
    return f"As usual: a day of the week before had about {usual} events."


def _shares(facts: DayFacts) -> tuple[Share, ...]:
    total = sum(facts.by_category.values())
    shares: list[Share] = []
    start = 0.0
    for category in _ORDER:
        if n := facts.by_category.get(category, 0):
            width = 100 * n / total
            shares.append(Share(str(category), category_words(category, n), round(start, 2), round(width, 2)))
            start += width
    return tuple(shares)


def _saying(text: str, event_id: int | None) -> SayingView:
    clock, _, rest = text.partition(" ")
    return SayingView(clock, rest, None if event_id is None else f"/events/{event_id}")
