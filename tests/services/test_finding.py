"""Every filter finds exactly what a look at every event finds, on whatever way it is answered."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from securitycamd.db import events as event_rows
from securitycamd.db import footage, removals
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.models import Event, EventFilter, NewEvent, Place
from securitycamd.domain.names import Category, EventStatus
from securitycamd.domain.principal import TRUSTED_OPERATOR, Principal
from securitycamd.domain.times import Span
from securitycamd.services import looking
from securitycamd.services.finding import FindingService
from tests.db.samples import CAMERAS, add_events, register_all

START: Final = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
EVENTS: Final = 160


def matches(event: Event, wanted: EventFilter) -> bool:
    """The filter in plain words."""
    start, end = wanted.span.start, wanted.span.end
    return (
        (wanted.cameras is None or event.camera_id in wanted.cameras)
        and (start is None or event.timestamp >= start)
        and (end is None or event.timestamp < end)
        and (wanted.categories is None or event.ai_category in wanted.categories)
        and (wanted.person is None or event.ai_person_detected is wanted.person)
        and (wanted.statuses is None or event.status in wanted.statuses)
        and (wanted.reviewed is None or event.reviewed is wanted.reviewed)
        and (wanted.protected is None or event.protected is wanted.protected)
        and (
            wanted.min_confidence is None
            or (event.ai_confidence is not None and event.ai_confidence >= wanted.min_confidence)
        )
    )


def random_filter(chance: random.Random, events: list[Event]) -> EventFilter:
    """Some of everything, often about a moment or a stretch that an event is at the edge of."""

    def maybe(value: object) -> object:
        return value if chance.random() < 0.35 else None

    def moment() -> datetime:
        return chance.choice(events).timestamp + timedelta(microseconds=chance.choice((-1, 0, 1, 3_600_000_000)))

    wanted = EventFilter(
        span=Span(moment() if chance.random() < 0.3 else None, moment() if chance.random() < 0.3 else None)
    )
    chosen = {
        "cameras": maybe(frozenset(chance.sample([*CAMERAS, "nowhere"], chance.randint(1, 3)))),
        "categories": maybe(frozenset(chance.sample(list(Category), chance.randint(1, 3)))),
        "person": maybe(chance.random() < 0.5),
        "statuses": maybe(frozenset(chance.sample(list(EventStatus), chance.randint(1, 2)))),
        "reviewed": maybe(chance.random() < 0.5),
        "protected": maybe(chance.random() < 0.7),
        "min_confidence": maybe(chance.choice((0.0, 0.3, 0.87, 1.0))),
    }
    return replace(wanted, **chosen)  # type: ignore[arg-type]  # each fits its field


async def make_events(database: Database, chance: random.Random, count: int = EVENTS) -> list[Event]:
    """Events of some weeks, several at one moment, looked at, starred and reviewed as it comes; newest first."""
    await register_all(database)
    moments = [
        START + timedelta(hours=chance.randrange(900), seconds=chance.choice((0, 1, 1800))) for _ in range(count)
    ]
    keys = {(chance.choice(CAMERAS), moment) for moment in moments}
    await add_events(database, [NewEvent(camera_id, moment, 1.0) for camera_id, moment in sorted(keys)])

    async def work(transaction: Transaction) -> None:
        rows, _ = await event_rows.by_keys(transaction, keys)
        for event in (await event_rows.lock(transaction, [event.id for event in rows.values()])).values():
            columns: dict[str, object] = {
                "status": chance.choice(["complete"] * 5 + list(EventStatus)),
                "reviewed": chance.random() < 0.3,
            }
            if chance.random() < 0.7:
                columns |= {
                    "ai_category": chance.choice(["person"] * 4 + list(Category)),
                    "ai_person_detected": chance.random() < 0.5,
                    "ai_confidence": chance.choice((0.0, 0.3, 0.87, 1.0)),
                }
            await event_rows.update(transaction, event.id, columns)
            if chance.random() < 0.15:
                await footage.set_protected(transaction, event, protected=True)

    await database.transact(work)
    return await event_rows.newest(database, EventFilter(), limit=10_000, offset=0)


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events]


async def walk_down(finding: FindingService, wanted: EventFilter, limit: int) -> list[Event]:
    """Every page from the newest to the oldest, each held to what it says of itself."""
    found: list[Event] = []
    before: Place | None = None
    for _ in range(500):
        page = await finding.find(TRUSTED_OPERATOR, wanted, limit=limit, before=before)
        assert len(page.items) <= limit
        assert page.items or page.older is None or page.searched_to is not None
        if page.position is not None:
            assert page.position == len(found)
        found += page.items
        if page.older is None:
            return found
        assert before is None or (page.older.timestamp, page.older.event_id) < (before.timestamp, before.event_id)
        before = page.older
    raise AssertionError("the list does not end")


async def walk_up(finding: FindingService, wanted: EventFilter, limit: int) -> list[Event]:
    """The same from the oldest to the newest; the last step lands on the first page."""
    found: list[Event] = []
    after: Place | None = Place(datetime(1950, 1, 1, tzinfo=UTC), 0)
    while after is not None:
        page = await finding.find(TRUSTED_OPERATOR, wanted, limit=limit, after=after)
        known = set(ids(found))
        found = [event for event in page.items if event.id not in known] + found
        after = page.newer
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ways", ["as it is", "nothing is rare", "little patience"])
async def test_a_filter_finds_what_it_says_on_every_way(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, ways: str
) -> None:
    chance = random.Random(seed)
    everything = await make_events(database, chance)
    if ways != "as it is":
        monkeypatch.setattr(looking, "LOOKUPS", (1, 2))
    if ways == "little patience":
        monkeypatch.setattr(looking, "PATIENCE", (3, 11))
    finding = FindingService(database)
    for _ in range(25):
        wanted = random_filter(chance, everything)
        expected = [event for event in everything if matches(event, wanted)]
        limit = chance.choice((1, 3, 7, 200)) if len(expected) < 40 else 24
        assert ids(await walk_down(finding, wanted, limit)) == ids(expected), wanted
        assert ids(await walk_up(finding, wanted, limit)) == ids(expected), wanted
        page = await finding.find(TRUSTED_OPERATOR, wanted, limit=limit)
        if page.total.is_exact:
            assert page.total.value == len(expected), wanted
        else:
            assert page.total.value <= len(expected), wanted
        if ways == "as it is":
            assert page.total.is_exact
        if expected and ways == "as it is":
            place = chance.randrange(len(expected))
            near = await finding.neighbours(TRUSTED_OPERATOR, wanted, expected[place])
            assert near.newer == (expected[place - 1].id if place else None)
            assert near.older == (expected[place + 1].id if place + 1 < len(expected) else None)


async def test_counts_by_category_follow_every_change(database: Database) -> None:
    chance = random.Random(7)
    everything = await make_events(database, chance)
    finding = FindingService(database)

    async def change(transaction: Transaction) -> None:
        for event in (await event_rows.lock(transaction, ids(everything[::3]))).values():
            if chance.random() < 0.5:
                await removals.remove(transaction, event)
            else:
                category = chance.choice([None, *Category])
                await event_rows.update(transaction, event.id, {"ai_category": category})

    await database.transact(change)
    left = await event_rows.newest(database, EventFilter(), limit=10_000, offset=0)
    assert len(left) < len(everything)
    for category in Category:
        wanted = EventFilter(categories=frozenset({category}))
        expected = [event for event in left if event.ai_category is category]
        page = await finding.find(TRUSTED_OPERATOR, wanted, limit=200)
        assert (page.total.value, ids(page.items)) == (len(expected), ids(expected))


async def test_another_camera_is_never_found(database: Database) -> None:
    everything = await make_events(database, random.Random(1))
    finding = FindingService(database)
    viewer = Principal("viewer", TRUSTED_OPERATOR.role, frozenset({"camera_2"}))
    theirs = [event for event in everything if event.camera_id == "camera_2"]
    for cameras in (None, frozenset(CAMERAS), frozenset({"camera_2"})):
        page = await finding.find(viewer, EventFilter(cameras), limit=200)
        assert (ids(page.items), page.total.value) == (ids(theirs), len(theirs))
    for cameras in (frozenset({"camera_1"}), frozenset({"camera_2 "}), frozenset({"x' OR 1=1"})):
        page = await finding.find(viewer, EventFilter(cameras, reviewed=False), limit=200)
        assert (page.items, page.total.value) == ([], 0)
    near = await finding.neighbours(viewer, EventFilter(), theirs[1])
    assert (near.newer, near.older) == (theirs[0].id, theirs[2].id)


async def test_a_page_goes_on_where_the_event_at_its_edge_was_removed(database: Database) -> None:
    everything = await make_events(database, random.Random(3))
    finding = FindingService(database)
    wanted = EventFilter(cameras=frozenset(CAMERAS[:2]))
    first = await finding.find(TRUSTED_OPERATOR, wanted, limit=10)
    expected = [event for event in everything if matches(event, wanted)]

    async def remove(transaction: Transaction) -> None:
        await removals.remove(transaction, (await event_rows.lock(transaction, [expected[9].id]))[expected[9].id])

    await database.transact(remove)
    second = await finding.find(TRUSTED_OPERATOR, wanted, limit=10, before=first.older)
    assert ids(second.items) == ids(expected[10:20])
    assert second.newer is not None
    back = await finding.find(TRUSTED_OPERATOR, wanted, limit=10, after=second.newer)
    assert ids(back.items) == ids(expected[:9] + expected[10:11])
