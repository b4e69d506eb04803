"""Searching lines against the plainest model of it: a list in memory, filtered and cut."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from securitycamd.db import log_search
from securitycamd.db.engine import Database
from securitycamd.domain.log_search import FoundLines, LineQuery, Place
from securitycamd.domain.models import LogLine, NewLogLine
from securitycamd.domain.names import LogLevel
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.domain.times import LATEST, Span
from securitycamd.services.log_search import LogSearchService
from tests.db.samples import SOURCES, add_lines, random_moments
from tests.db.test_logs import all_lines

WORDS: Final = ("Motion stopped", "50% done", "snake_case name", "back\\slash", "Zürich gate", "disk full")
WHEN: Final = datetime(2026, 3, 1, 10, tzinfo=UTC)


async def fill(database: Database, chance: random.Random, count: int) -> list[LogLine]:
    lines = [
        NewLogLine(chance.choice(SOURCES), moment, chance.choice(list(LogLevel)), chance.choice(WORDS))
        for moment in random_moments(chance, count)
    ]
    for start in range(0, count, 200):
        await add_lines(database, lines[start : start + 200])
    return sorted(await all_lines(database), key=Place.of)


def random_query(chance: random.Random, lines: Sequence[LogLine]) -> LineQuery:
    moments = sorted(chance.choice(lines).timestamp for _ in range(2))
    return LineQuery(
        chance.choice([None, frozenset(chance.sample(SOURCES, chance.randint(1, 3)))]),
        chance.choice([None, frozenset(chance.sample(list(LogLevel), chance.randint(1, 3)))]),
        chance.choice(["", "", "50%", "E_C", "k\\s", "MOTION", "zürich"]),
        chance.choice([Span(), Span(moments[0]), Span(None, moments[1]), Span(moments[0], moments[1])]),
    )


async def everything(
    service: LogSearchService, wanted: LineQuery, direction: str, start: Place, limit: int
) -> list[int]:
    """The ids of all pages, oldest first."""
    found: list[int] = []
    place: Place | None = start
    for _ in range(200):
        assert place is not None
        page: FoundLines
        if direction == "older":
            page = await service.older(TRUSTED_OPERATOR, wanted, place, limit=limit, seconds=0.2)
            found[:0] = [line.id for line in page.lines]
        else:
            page = await service.newer(TRUSTED_OPERATOR, wanted, place, limit=limit, seconds=0.2)
            found += [line.id for line in page.lines]
        assert len(page.lines) <= limit
        place = page.further
        if place is None:
            return found
    raise AssertionError("does not end")


@pytest.mark.parametrize("seed", range(4))
async def test_pages_in_both_directions_are_what_a_plain_filter_gives(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    lines = await fill(database, chance, 600)
    service = LogSearchService(database)
    for _ in range(25):
        wanted = random_query(chance, lines)
        place = Place.of(chance.choice(lines)) if chance.random() < 0.7 else Place(LATEST, 0)
        matching = [line for line in lines if wanted.matches(line)]
        limit = chance.choice([1, 7, 100])
        if len(matching) / limit > 150:
            limit = 100
        older = [line.id for line in matching if Place.of(line) < place]
        assert await everything(service, wanted, "older", place, limit) == older, wanted
        newer = [line.id for line in matching if Place.of(line) > place]
        assert await everything(service, wanted, "newer", place, limit) == newer, wanted


async def test_a_search_that_finds_nothing_says_how_far_it_looked(database: Database) -> None:
    lines = [NewLogLine("camera_1", WHEN + timedelta(seconds=n), LogLevel.INFO, f"line {n}") for n in range(3000)]
    for start in range(0, 3000, 500):
        await add_lines(database, lines[start : start + 500])
    service = LogSearchService(database)
    wanted = LineQuery(text="line 0")
    found = await service.older(TRUSTED_OPERATOR, wanted, None, limit=10, seconds=0)
    answers = 1
    while found.further is not None and not found.lines:
        assert found.is_cut_short
        answers += 1
        found = await service.older(TRUSTED_OPERATOR, wanted, found.further, limit=10, seconds=0)
    assert [line.message for line in found.lines] == ["line 0"]
    assert answers == 3  # 3,000 lines, a thousand each


async def test_a_stretch_looks_at_a_bounded_number_of_lines(database: Database) -> None:
    lines = [NewLogLine("camera_1", WHEN + timedelta(seconds=n), LogLevel.INFO, f"line {n}") for n in range(3000)]
    for start in range(0, 3000, 500):
        await add_lines(database, lines[start : start + 500])
    for direction in ("older", "newer"):
        async with database.session() as session:
            await session.script("FLUSH LOCAL STATUS")
            place = Place(LATEST, 0) if direction == "older" else log_search.FIRST
            wanted = LineQuery(text="nowhere")
            found, further = await log_search.stretch(session, wanted, place, direction, looks=200, limit=50)
            read = await session.script("SHOW SESSION STATUS LIKE 'Handler_read%'")
        assert found == []
        assert further is not None
        assert sum(int(value) for _, value in read) < 200 * 2 + 300  # a start in each partition


async def test_rare_lines_are_jumped_to(database: Database) -> None:
    """An error of a camera lies under thousands of other lines: it is found without looking at them."""
    rare = NewLogLine("camera_1", WHEN, LogLevel.ERROR, "the one")
    common = [NewLogLine("camera_1", WHEN + timedelta(seconds=10 + n), LogLevel.INFO, f"line {n}") for n in range(4000)]
    await add_lines(database, [rare])
    for start in range(0, 4000, 500):
        await add_lines(database, common[start : start + 500])
    wanted = LineQuery(frozenset({"camera_1"}), frozenset({LogLevel.ERROR}))
    async with database.session() as session:
        minute = await log_search.skip(session, wanted, Place(LATEST, 0), "older")
        assert minute == (Place(WHEN + timedelta(minutes=1), 0), Place(WHEN, -1))
        assert await log_search.skip(session, wanted, Place(WHEN + timedelta(minutes=5), 0), "newer") is None
    found = await LogSearchService(database).older(TRUSTED_OPERATOR, wanted, None, limit=10, seconds=5)
    assert [line.message for line in found.lines] == ["the one"]
    assert found.further is None


async def test_sources_and_counts(database: Database) -> None:
    await add_lines(
        database,
        [
            NewLogLine("camera_1", WHEN, LogLevel.INFO, "a"),
            NewLogLine("a|b", WHEN + timedelta(minutes=2), LogLevel.ERROR, "b"),
            NewLogLine("central", WHEN + timedelta(minutes=4), LogLevel.ERROR, "c"),
        ],
    )
    assert await log_search.sources(database) == ["a|b", "camera_1", "central"]
    service = LogSearchService(database)
    assert await service.count(TRUSTED_OPERATOR, LineQuery()) == 3
    assert await service.count(TRUSTED_OPERATOR, LineQuery(levels=frozenset({LogLevel.ERROR}))) == 2
    assert await service.count(TRUSTED_OPERATOR, LineQuery(span=Span(WHEN + timedelta(minutes=1)))) == 2
    limited = Principal("limited", Audience.OPERATOR, frozenset({"camera_1"}))
    assert await service.sources(limited) == ["camera_1"]
    found = await service.older(limited, LineQuery(), None, limit=10, seconds=1)
    assert [line.source for line in found.lines] == ["camera_1"]
    found = await service.older(limited, LineQuery(frozenset({"central"})), None, limit=10, seconds=1)
    assert not found.lines


async def test_a_download_holds_the_newest_of_too_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securitycamd.services.log_search.DOWNLOAD_LIMIT", 100)
    lines = [NewLogLine("camera_1", WHEN + timedelta(seconds=n), LogLevel.INFO, f"line {n}") for n in range(400)]
    await add_lines(database, lines)
    service = LogSearchService(database)
    download = await service.download(TRUSTED_OPERATOR, LineQuery())
    assert download.is_cut
    got = [line.message async for piece in download.pieces for line in piece]
    assert 100 <= len(got) < 160  # whole minutes
    assert got == [f"line {n}" for n in range(400 - len(got), 400)]
    download = await service.download(
        TRUSTED_OPERATOR, LineQuery(text="line 39", span=Span(WHEN + timedelta(seconds=395)))
    )
    assert not download.is_cut
    assert [line.message async for piece in download.pieces for line in piece] == [f"line {n}" for n in range(395, 400)]


@pytest.mark.parametrize("walk", ["time", "source", "level"])
@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_a_page_reads_its_lines_and_no_more(database: Database, walk: str, direction: str) -> None:
    lines = [
        NewLogLine(SOURCES[n % 3], WHEN + timedelta(seconds=n), list(LogLevel)[n % 4], f"line {n}") for n in range(3000)
    ]
    for start in range(0, 3000, 500):
        await add_lines(database, lines[start : start + 500])
    wanted = {
        "time": LineQuery(),
        "source": LineQuery(frozenset(SOURCES[:2])),
        "level": LineQuery(levels=frozenset({LogLevel.ERROR, LogLevel.WARNING})),
    }[walk]
    place = Place(LATEST, 0) if direction == "older" else log_search.FIRST
    async with database.session() as session:
        await session.script("FLUSH LOCAL STATUS")
        assert len(await log_search.first(session, wanted, place, direction, limit=50)) == 50  # type: ignore[arg-type]
        read = await session.script("SHOW SESSION STATUS LIKE 'Handler_read%'")
    assert sum(int(value) for _, value in read) < 800
