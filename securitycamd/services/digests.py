"""The report of a day: counts and sayings gathered, the text model asked, its answer kept; tried again when away."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from securitycamd.ai.client import Analyst
from securitycamd.ai.digests import PROMPT_VERSION, SAYINGS_LIMIT, digest_prompt
from securitycamd.config import SettingsHolder
from securitycamd.db import digests as rows
from securitycamd.db import events as event_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.digests import (
    TRIES_LIMIT,
    DayFacts,
    Digest,
    DigestState,
    in_numbers,
    is_due,
    retry_after,
)
from securitycamd.domain.errors import AiUnavailableError, AnalysisError, ForbiddenError, InvalidError, NotFoundError
from securitycamd.domain.models import Event, EventFilter
from securitycamd.domain.names import Category
from securitycamd.domain.notices import Notice
from securitycamd.domain.principal import DAEMON, Principal
from securitycamd.domain.times import Span, day_bounds, today
from securitycamd.services.cameras import CameraService
from securitycamd.services.finding import FindingService
from securitycamd.services.notices import Notices
from securitycamd.services.timeline import TimelineService

log = structlog.get_logger(__name__)

LOOK_BACK: Final = timedelta(days=7)
"""Reports that wait for longer, without a try, are left; somebody may ask for them again."""
TELLING: Final = (Category.PACKAGE, Category.ANIMAL, Category.PERSON, Category.VEHICLE, Category.UNKNOWN)
"""Whose events are told of; first, of kinds that are equally rare that day, what is rarer in general."""
PARTS_OF_A_DAY: Final = 4
EVENTS_A_PART: Final = 25
"""Of a category so many are looked at in each part of the day: the newest of all would tell of the evening only."""


class DigestService:
    """Reports of days, for those who may see all cameras: a report speaks of all."""

    def __init__(
        self,
        database: Database,
        settings: SettingsHolder,
        cameras: CameraService,
        finding: FindingService,
        timeline: TimelineService,
        notices: Notices,
        *,
        analyst: Callable[[], Analyst | None],
        ready_since: Callable[[], datetime | None],
        on_request: Callable[[], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._cameras = cameras
        self._finding = finding
        self._timeline = timeline
        self._notices = notices
        self._analyst = analyst
        self._ready_since = ready_since
        self._on_request = on_request

    async def newest(self, principal: Principal, *, before: date | None = None, limit: int = 30) -> list[Digest]:
        """Reports, newest first."""
        _require_all(principal)
        return await rows.newest(self._database, before=before or date.max, limit=limit)

    async def get(self, principal: Principal, day: date) -> Digest:
        """The report of a day.

        Raises:
            NotFoundError: there is none.
            ForbiddenError: it speaks of cameras that are not this principal's.
        """
        _require_all(principal)
        found = await rows.one(self._database, day)
        if found is None:
            raise NotFoundError(f"There is no report of {day.isoformat()}.")
        return found

    async def request(self, principal: Principal, day: date) -> Digest:
        """Have the report of a day written anew; it is, once the AI server had its time.

        Raises:
            InvalidError: the day has not begun.
        """
        _require_all(principal)
        now = datetime.now(UTC)
        if day > today(self._settings.current.site.zone, now):
            raise InvalidError("date", "this day has not begun")

        async def work(transaction: Transaction) -> None:
            await rows.begin(transaction, day, now)
            await rows.again(transaction, day, now)

        await self._database.transact(work)
        self._on_request()
        return await self.get(principal, day)

    async def write_due(self, on_step: Callable[[], None] = lambda: None) -> None:
        """Write what is to be written now: yesterday's report from its time on, and those that wait.

        ``on_step`` is called before each of them.
        """
        settings = self._settings.current
        now = datetime.now(UTC)
        this_day = today(settings.site.zone, now)
        if settings.digest.enabled and is_due(now.astimezone(settings.site.zone), settings.digest.at):
            yesterday = this_day - timedelta(days=1)
            await self._begin(yesterday, day_bounds(yesterday, settings.site.zone)[1], now)
        for digest in await rows.waiting(self._database, now - LOOK_BACK, limit=10):
            on_step()
            if now >= self._due_at(digest) and await rows.claim(self._database, digest, now):
                await self._write(replace(digest, attempts=digest.attempts + 1))

    def _due_at(self, digest: Digest) -> datetime:
        """When a report that waits is to be tried."""
        if not digest.attempts:
            return digest.updated_at
        wait = retry_after(digest.attempts)
        if digest.error is None:
            # Another daemon is at it, or one that crashed was: it may take as long as the model may.
            wait = max(wait, timedelta(seconds=self._settings.current.analyser.timeout_seconds))
        elif (ready_since := self._ready_since()) is not None and ready_since > digest.updated_at:
            # It came back since: nobody shall wait for the rest of an hour.
            return ready_since
        return digest.updated_at + wait

    async def _begin(self, day: date, ended_at: datetime, now: datetime) -> None:
        """Have the report of a day that is over; once more where somebody had it written before the day's end."""
        known = await rows.one(self._database, day)
        if known is not None and (known.state is DigestState.WAITING or known.updated_at >= ended_at):
            return

        async def work(transaction: Transaction) -> None:
            await rows.begin(transaction, day, now)
            if known is not None:
                await rows.again(transaction, day, now)

        await self._database.transact(work)

    async def _write(self, digest: Digest) -> None:
        facts = await self.gather(digest.day)
        analyst = self._analyst()
        if not facts.events or analyst is None:
            state = DigestState.WRITTEN if facts.events else DigestState.QUIET
            await self._keep(digest, state, facts, in_numbers(facts), None)
            return
        settings = self._settings.current
        prompt = digest_prompt(
            facts,
            day=f"{digest.day:%A} {digest.day.day} {digest.day:%B %Y}",
            site=settings.site.name,
            language=settings.digest.language,
            words=settings.digest.words,
        )
        try:
            text = await analyst.summarise(prompt)
        except (AiUnavailableError, AnalysisError) as error:
            is_over = digest.attempts >= TRIES_LIMIT
            state = DigestState.FAILED if is_over else DigestState.WAITING
            # Numbers are there without a model; an earlier text keeps those that it was written from.
            known = digest.facts if digest.text else facts
            tried = replace(digest, state=state, facts=known, error=str(error), updated_at=datetime.now(UTC))
            await rows.fail(self._database, tried)
            log.info("report waits", day=digest.day.isoformat(), reason=str(error), attempts=digest.attempts)
            return
        # A model without a word for the day: the numbers are what there is to say.
        model = settings.analyser.text_model if text else None
        await self._keep(digest, DigestState.WRITTEN, facts, text or in_numbers(facts), model)

    async def _keep(self, digest: Digest, state: DigestState, facts: DayFacts, text: str, model: str | None) -> None:
        now = datetime.now(UTC)
        kept = replace(
            digest,
            state=state,
            facts=facts,
            text=text,
            model=model,
            prompt_version=PROMPT_VERSION if model else None,
            updated_at=now,
        )
        await rows.finish(self._database, kept)
        log.info("report written", day=digest.day.isoformat(), events=facts.events, model=model)
        title = f"{self._settings.current.site.name}: {digest.day.isoformat()}"
        self._notices.tell(Notice("digest", title, text, f"/digests/{digest.day.isoformat()}", now))

    async def gather(self, day: date) -> DayFacts:
        """What is known of a day; from kept counts and a bounded number of events."""
        zone = self._settings.current.site.zone
        start, end = day_bounds(day, zone)
        hours = await self._timeline.counts(DAEMON, cameras=None, start=start, end=end, step="hour")
        by_category: Counter[str] = Counter()
        for bucket in hours.buckets:
            by_category.update(bucket.counts)
        week = await self._timeline.counts(DAEMON, cameras=None, start=start - timedelta(days=7), end=start, step="day")
        busiest = max(hours.buckets, key=lambda bucket: bucket.total, default=None)
        # One of several that are alike is no news, but a model would make some of it.
        if busiest is not None and (
            busiest.total < 2 or [bucket.total for bucket in hours.buckets].count(busiest.total) > 1
        ):
            busiest = None
        names = {camera.camera_id: camera.name for camera in await self._cameras.everything(DAEMON)}
        by_camera = {}
        for camera_id, name in names.items():
            only = EventFilter(frozenset({camera_id}), Span(start, end))
            if count := (await self._finding.find(DAEMON, only, limit=1)).total.value:
                by_camera[name] = count
        said = await self._said(start, end)
        return DayFacts(
            events=by_category.total(),
            by_category=dict(by_category),
            by_camera=dict(sorted(by_camera.items(), key=lambda item: -item[1])),
            usual_events=sum(bucket.total for bucket in week.buckets) / 7 if week.buckets else None,
            busiest_hour=busiest.start.astimezone(zone).hour if busiest else None,
            sayings=tuple(
                f"{at:%H:%M} {names.get(event.camera_id, event.camera_id)}: {event.ai_phrase}"
                for event in said
                for at in [event.timestamp.astimezone(zone)]
            ),
            saying_events=tuple(event.id for event in said),
        )

    async def _said(self, start: datetime, end: datetime) -> list[Event]:
        """The most telling events in the order of time: all of the rare kinds, and some of the frequent ones."""
        found = [await self._described(start, end, category) for category in TELLING]
        chosen: list[Event] = []
        for place, events in enumerate(sorted(found, key=len)):
            room = (SAYINGS_LIMIT - len(chosen)) // (len(found) - place)
            step = max(1, -(-len(events) // room))
            chosen += events[::step]
        return sorted(chosen, key=lambda event: event.timestamp)

    async def _described(self, start: datetime, end: datetime, category: Category) -> list[Event]:
        """Of this kind some from each part of the day."""
        found: list[Event] = []
        part = (end - start) / PARTS_OF_A_DAY
        for number in range(PARTS_OF_A_DAY):
            begin = start + number * part
            wanted = EventFilter(span=Span(begin, begin + part), categories=frozenset({category}))
            page = await self._finding.find(DAEMON, wanted, limit=EVENTS_A_PART)
            found += [event for event in page.items if event.ai_phrase]
        return found

    async def still_there(self, digest: Digest) -> frozenset[int]:
        """Which of the events that a report speaks of are there yet: their footage may be gone before it."""
        return frozenset(await event_rows.by_ids(self._database, digest.facts.saying_events))


def _require_all(principal: Principal) -> None:
    if principal.cameras is not None:
        raise ForbiddenError("The report of a day speaks of all cameras.")
