"""Search against a real server: every event that says it, no other, whatever is typed."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securitycamd.db import event_index, removals
from securitycamd.db import events as event_rows
from securitycamd.db import search as search_rows
from securitycamd.db.engine import Database, Transaction
from securitycamd.domain.models import Event, EventFilter, NewEvent
from securitycamd.domain.names import Category
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.domain.snippets import object_labels
from securitycamd.domain.words import Search, read_search, words_in
from securitycamd.services import looking
from securitycamd.services.finding import FindingService
from tests.db.samples import CAMERAS, add_events, register_all
from tests.services.test_finding import ids, matches, random_filter, walk_down, walk_up

START: Final = datetime(2025, 3, 30, 20, tzinfo=UTC)
SAYINGS: Final = (
    "A person in a dark jacket walks toward the parked van",
    "The van door is open; nobody is near it",
    "Vehicle lights on the wall, from the left",
    "Un café à côté: l'été, Straße",
    "行人走过停车场",
    "Человек идёт по дорожке",
    "Person with a ladder; persons with ladders",
    "T-shirt on the line. TV",
    '🚗 car +passes* -by "the" gate @ 50% ~ (slow)',
    "",
)
QUERIES: Final = (
    "van", "VAN", "the", "a", "tv", "T", "person", "pers*", "per", "ladder*",
    '"parked van"', '"van parked"', "van -door",
    "-van", "cafe", "ÉTÉ", "strasse", "行人", "走过停", "人", "человек", "чело*", "car gate", "by", "with",
    '"at the"',
    "dark-jacket", "50", "🚗", "+van -", "zebra", "van zebra", "v*",
)  # fmt: skip


def says(event: Event, search: Search) -> bool:
    """The search in plain words."""
    texts = [event.ai_phrase, event.ai_description, ", ".join(object_labels(event.ai_objects)), event.note]
    cut = [[word.spelling for word in words_in(text)] for text in texts if text]

    def has(spellings: tuple[str, ...], *, is_prefix: bool) -> bool:
        size = len(spellings)
        for words in cut:
            for place in range(len(words) - size + 1):
                *first, last = words[place : place + size]
                if tuple(first) == spellings[:-1] and (
                    last.startswith(spellings[-1]) if is_prefix else last == spellings[-1]
                ):
                    return True
        return False

    if search.asks and not any(cut):
        return False
    return all(has(term.spellings, is_prefix=term.is_prefix) is not term.is_excluded for term in search.terms)


async def make_said(database: Database, chance: random.Random, count: int = 120) -> list[Event]:
    """Events over some months that say something, most of them; newest first."""
    await register_all(database)
    keys = {(chance.choice(CAMERAS), START + timedelta(hours=chance.randrange(2400))) for _ in range(count)}
    await add_events(database, [NewEvent(camera_id, moment, 1.0) for camera_id, moment in sorted(keys)])

    async def work(transaction: Transaction) -> None:
        found, _ = await event_rows.by_keys(transaction, keys)
        for event in found.values():
            columns: dict[str, Any] = {
                "ai_description": chance.choice(SAYINGS),
                "ai_phrase": chance.choice(SAYINGS)[:200],
                "ai_objects": chance.choice(('[{"label": "garden gnome", "count": 2}]', "[]", None, "no list")),
                "ai_category": chance.choice(list(Category)),
                "ai_person_detected": chance.random() < 0.5,
                "note": chance.choice(("", "", "Ask the neighbour")),
            }
            await event_rows.update(transaction, event.id, columns)

    await database.transact(work)
    return await event_rows.newest(database, EventFilter(), limit=10_000, offset=0)


@pytest.mark.parametrize("ways", ["as it is", "nothing is rare", "little patience"])
async def test_every_event_that_says_it_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch, ways: str
) -> None:
    chance = random.Random(5)
    everything = await make_said(database, chance)
    if ways != "as it is":
        monkeypatch.setattr(looking, "HITS", 3)
        monkeypatch.setattr(looking, "LOOKUPS", (1, 2))
    if ways == "little patience":
        monkeypatch.setattr(looking, "TEXT_PATIENCE", 7)
    finding = FindingService(database)
    for text in (*QUERIES, "gnome neighbour"):
        wanted = EventFilter(text=text)
        if chance.random() < 0.3:
            wanted = replace(random_filter(chance, everything), text=text)
        search = read_search(text)
        expected = [event for event in everything if matches(event, wanted) and says(event, search)]
        limit = chance.choice((3, 24, 200))
        assert ids(await walk_down(finding, wanted, limit)) == ids(expected), wanted
        assert ids(await walk_up(finding, wanted, limit)) == ids(expected), wanted
        page = await finding.find(TRUSTED_OPERATOR, wanted, limit=limit)
        assert page.total.value == len(expected) or not page.total.is_exact
        if search.wanted:
            best = await finding.ranked(TRUSTED_OPERATOR, wanted, limit=200)
            assert set(ids(best.items)) <= set(ids(expected))
            if best.searched_to is None:
                assert set(ids(best.items)) == set(ids(expected))


async def test_what_says_it_more_often_is_better(database: Database) -> None:
    await register_all(database)
    texts = ["one ladder", "ladder by ladder", "ladder ladder ladder", "no such thing"]
    keys = {("camera_1", START + timedelta(hours=place)) for place in range(len(texts))}
    await add_events(database, [NewEvent(camera_id, moment, 1.0) for camera_id, moment in sorted(keys)])
    events = (await event_rows.newest(database, EventFilter(), limit=10, offset=0))[::-1]
    for event, text in zip(events, texts, strict=True):
        await event_rows.update(database, event.id, {"ai_description": text})
    finding = FindingService(database)
    best = await finding.ranked(TRUSTED_OPERATOR, EventFilter(text="ladder"), limit=10)
    assert ids(best.items) == [events[2].id, events[1].id, events[0].id]
    rest = await finding.ranked(TRUSTED_OPERATOR, EventFilter(text="ladder"), limit=10, offset=2)
    assert ids(rest.items) == [events[0].id]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=80),
        st.text(st.sampled_from("ab van*+-~<>()\"'@%\\_;\0\n人é😀"), max_size=30),
        st.lists(
            st.sampled_from(['"', "+", "-", "*", "van", "the", "😀", "'; --", "人", "~", "@3", "(", ")"]), max_size=9
        ).map(" ".join),
    )
)
async def test_no_text_is_an_error(database: Database, text: str) -> None:
    finding = FindingService(database)
    if not await event_rows.newest(database, EventFilter(), limit=1, offset=0):
        await make_said(database, random.Random(1), 20)
    everything = await event_rows.newest(database, EventFilter(), limit=100, offset=0)
    expected = [event for event in everything if says(event, read_search(text))]
    page = await finding.find(TRUSTED_OPERATOR, EventFilter(text=text), limit=100)
    assert ids(page.items) == ids(expected)
    if read_search(text).wanted:
        assert set(ids((await finding.ranked(TRUSTED_OPERATOR, EventFilter(text=text), limit=100)).items)) == set(
            ids(expected)
        )


async def test_words_follow_every_change(database: Database) -> None:
    everything = await make_said(database, random.Random(2), 30)
    finding = FindingService(database)
    first, second = everything[:2]
    await event_rows.update(database, first.id, {"note": "wheelbarrow"})
    await event_rows.update(database, second.id, {"note": "wheelbarrow"})
    wanted = EventFilter(text="wheelbarrow")
    assert ids((await finding.find(TRUSTED_OPERATOR, wanted, limit=9)).items) == [first.id, second.id]
    await event_rows.update(database, first.id, {"note": ""})

    async def remove(transaction: Transaction) -> None:
        await removals.remove(transaction, (await event_rows.lock(transaction, [second.id]))[second.id])

    await database.transact(remove)
    page = await finding.find(TRUSTED_OPERATOR, wanted, limit=9)
    assert (page.items, page.total.value) == ([], 0)


async def test_texts_that_are_older_than_the_index_are_taken_in(database: Database) -> None:
    everything = await make_said(database, random.Random(3), 30)
    async with database.session() as session:
        await session.script("DELETE FROM event_texts")
        await session.script("DELETE FROM tallies WHERE series LIKE 'word|%'")
        await session.script("INSERT INTO unread_texts SELECT id FROM events")
    finding = FindingService(database)
    wanted = EventFilter(text="van")
    assert not (await finding.find(TRUSTED_OPERATOR, wanted, limit=9)).items
    while await event_index.read_some(database, limit=7):
        pass
    expected = [event for event in everything if says(event, read_search("van"))]
    assert ids((await finding.find(TRUSTED_OPERATOR, wanted, limit=100)).items) == ids(expected)


async def test_a_beginning_of_many_words_is_found_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_rows, "WORDS_LIMIT", 2)
    monkeypatch.setattr(search_rows, "BEGINNINGS_LIMIT", 4)
    await register_all(database)
    keys = {("camera_1", START + timedelta(hours=place)) for place in range(8)}
    await add_events(database, [NewEvent(camera_id, moment, 1.0) for camera_id, moment in sorted(keys)])
    everything = await event_rows.newest(database, EventFilter(), limit=10, offset=0)
    for place, event in enumerate(everything):
        await event_rows.update(database, event.id, {"note": f"plate{place}"})
    page = await FindingService(database).find(TRUSTED_OPERATOR, EventFilter(text="plate*"), limit=20)
    assert ids(page.items) == ids(everything)
