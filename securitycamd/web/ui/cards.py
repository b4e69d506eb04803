"""From an event to its card. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final, Literal

from securitycamd.domain.models import Camera, Event
from securitycamd.domain.snippets import snippets
from securitycamd.domain.times import today
from securitycamd.domain.words import Piece, Search, marked, read_search
from securitycamd.web.ui.contexts import Site, StepState, StepView
from securitycamd.web.ui.gallery_contexts import CardsContext, CardView, DayGroup
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.seen import badge_of, tags_of
from securitycamd.web.ui.stages import event_steps, picture_url
from securitycamd.web.ui.words import day_name, moment

# About what a large screen shows at once; pictures below it load when scrolled to.
EAGER_PICTURES: Final = 8
SNIPPET_LIMIT: Final = 110
"""Characters of a text with a hit; about what the lines of a card hold."""
HeadlineKind = Literal["said", "wait", "fail", "quiet"]


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of the work on events, by event id."""

    clip_errors: Mapping[int, str] = field(default_factory=dict)
    """Why conversions failed."""
    clip_progress: Mapping[int, float] = field(default_factory=dict)
    """How far conversions are that run, 0 to 1."""


NO_WORK: Final = Work()


def cards_context(
    events: Iterable[Event], cameras: Sequence[Camera], query: GalleryQuery, *, site: Site, now: datetime, work: Work
) -> CardsContext:
    """Some cards alone, in the order of the events; none of them is in sight for sure."""
    names = {camera.camera_id: camera.name for camera in cameras}
    cards = (card(event, names, query, site=site, now=now, work=work, is_eager=True) for event in events)
    return CardsContext(tuple(cards))


def day_groups(
    events: Sequence[Event],
    cameras: Sequence[Camera],
    query: GalleryQuery,
    *,
    site: Site,
    now: datetime,
    work: Work = NO_WORK,
) -> tuple[DayGroup, ...]:
    """The cards under their days."""
    names = {camera.camera_id: camera.name for camera in cameras}
    cards = (
        (event, card(event, names, query, site=site, now=now, work=work, is_eager=position < EAGER_PICTURES))
        for position, event in enumerate(events)
    )
    days = groupby(cards, key=lambda pair: today(site.zone, pair[0].timestamp))
    found = [(day, [card for _, card in pairs]) for day, pairs in days]
    is_one_day = (stretch := query.days(site.zone, now)) is not None and stretch[0] == stretch[1]
    return tuple(
        DayGroup(
            None if is_one_day else day_name(datetime.fromisoformat(cards[0].moment.iso), site.zone, now),
            day.isoformat(),
            tuple(cards),
        )
        for day, cards in found
    )


def event_url(event_id: int, query: GalleryQuery) -> str:
    """An event's page; it remembers the list one came from."""
    return query.url(f"/events/{event_id}")


def card(
    event: Event,
    names: Mapping[str, str],
    query: GalleryQuery,
    *,
    site: Site,
    now: datetime,
    work: Work,
    is_eager: bool,
) -> CardView:
    """An event's card."""
    steps = event_steps(
        event,
        site=site,
        now=now,
        clip_error=work.clip_errors.get(event.id),
        clip_progress=work.clip_progress.get(event.id),
    )
    headline, kind, note, note_is_failure = _words(event, steps)
    search = read_search(query.q)
    return CardView(
        event_id=event.id,
        camera_id=event.camera_id,
        url=event_url(event.id, query),
        picture_url=picture_url(event),
        is_eager=is_eager,
        moment=moment(event.timestamp, site.zone, now),
        camera_name=names.get(event.camera_id, event.camera_id),
        duration_seconds=event.video_duration,
        headline=_marked(headline, search) if kind == "said" else (Piece(headline, is_hit=False),),
        headline_kind=kind,
        note=note,
        note_is_failure=note_is_failure,
        own_note=_marked(event.note, search),
        found=_found(event, search),
        steps=steps if any(step.state.is_waiting for step in steps) else (),
        tags=tags_of(event),
        badge=badge_of(event),
        is_reviewed=event.reviewed,
        is_starred=event.protected,
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


def _marked(text: str, search: Search) -> tuple[Piece, ...]:
    """A text of the card; of a long one what stands around the first hit, as the card cuts what is longer."""
    return marked(text, search, limit=SNIPPET_LIMIT if search.wanted else 0)


def _found(event: Event, search: Search) -> tuple[Piece, ...]:
    """Where the event says more of what was searched for than its headline and its note do."""
    hits = {snippet.field: snippet.pieces for snippet in snippets(event, search, limit=SNIPPET_LIMIT)}
    shown = _hits(hits.get("note", ())) | _hits(hits.get("phrase" if event.ai_phrase else "description", ()))
    others = (hits.get("description", ()), hits.get("objects", ()))
    return next((pieces for pieces in others if not _hits(pieces) <= shown), ())


def _hits(pieces: Sequence[Piece]) -> set[str]:
    return {piece.text.casefold() for piece in pieces if piece.is_hit}
