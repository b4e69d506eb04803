"""``/api/v1/logs``: batches of lines, and lists of them at any depth."""

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Site
from tests.protocol.wire import API, LINE, all_at_once, fields_of, refused, without

LOGS = f"{API}/logs"
SOURCES = ("camera_1", "camera_2", "central")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SOME_DAY = datetime(2025, 10, 25, 20, tzinfo=UTC)  # a clock change is near


async def _post(site: Site, *lines: dict[str, Any]) -> int:
    return int((await site.json("POST", LOGS, json=list(lines)))["logs_inserted"])


async def _listed(site: Site, **query: Any) -> Any:
    return await site.json("GET", LOGS, params={name: str(value) for name, value in query.items()})


async def _everything(site: Site) -> Any:
    return await _listed(site, start_date="2000-01-01")


def _messages(page: Any) -> list[str]:
    return [line["message"] for line in page["logs"]]


class TestPost:
    async def test_a_batch_is_counted(self, site: Site) -> None:
        reply = await site.json("POST", LOGS, json=[LINE] * 3, status=201)
        assert reply == {"logs_inserted": 3}

    async def test_an_agent_may_log_before_it_registers(self, site: Site) -> None:
        assert await site.json("GET", f"{API}/cameras") == []
        assert await _post(site, LINE) == 1

    async def test_lines_read_back_as_they_were_told(self, site: Site) -> None:
        lines = [LINE | {"level": level, "message": f"{level} message"} for level in LEVELS]
        await _post(site, *lines)
        kept = (await _everything(site))["logs"]
        assert [without(line, "id") for line in kept] == [
            line | {"timestamp": "2025-10-28T14:30:22.186476+01:00"} for line in reversed(lines)
        ]
        assert all(isinstance(line["id"], int) for line in kept)

    async def test_it_needs_no_content_type(self, site: Site) -> None:
        body = json.dumps([LINE]).encode()
        await site.json("POST", LOGS, data=body, skip_auto_headers=["Content-Type"], status=201)

    async def test_hundreds_of_lines(self, site: Site) -> None:
        lines = [LINE | {"message": f"{number} {'word ' * 100}"} for number in range(800)]
        assert await _post(site, *lines) == 800
        assert (await _everything(site))["total"] == 800

    async def test_batches_that_arrive_together_are_all_kept(self, site: Site) -> None:
        batches = [
            [LINE | {"source": f"camera_{number}", "message": f"{number}"}] * (number + 1) for number in range(30)
        ]
        assert await asyncio.gather(*(_post(site, *batch) for batch in batches)) == list(range(1, 31))
        assert (await _everything(site))["total"] == sum(range(1, 31))
        assert (await _listed(site, start_date="2000-01-01", source="camera_7"))["total"] == 8

    async def test_messages_are_trimmed_and_otherwise_untouched(self, site: Site) -> None:
        await _post(site, LINE | {"message": " \t\n <b>'\"\\%s\x00\x1b[31m 🎥\u2028 a\nb \r\n"})
        assert _messages(await _everything(site)) == ["<b>'\"\\%s\x00\x1b[31m 🎥\u2028 a\nb"]

    async def test_a_long_message_is_no_reason_to_lose_the_batch(self, site: Site) -> None:
        assert await _post(site, LINE | {"message": "🎥" * 50_000}, LINE) == 2
        kept = _messages(await _everything(site))
        assert kept[0] == LINE["message"]
        assert len(kept[1]) >= 10_000
        assert set(kept[1]) == {"🎥"}

    async def test_an_empty_array_is_a_bad_request(self, site: Site) -> None:
        assert isinstance(await refused(site, 400, "POST", LOGS, json=[]), str)

    @pytest.mark.parametrize("body", [LINE, None, "line", 1, {}, [None], ["line"], [[LINE]]])
    async def test_only_an_array_of_lines_is_one(self, site: Site, body: Any) -> None:
        await refused(site, 422, "POST", LOGS, json=body)

    @pytest.mark.parametrize("field", list(LINE))
    async def test_every_field_is_required(self, site: Site, field: str) -> None:
        assert fields_of(await refused(site, 422, "POST", LOGS, json=[without(LINE, field)])) == {field}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("source", ""),
            ("source", "  "),
            ("source", "a" * 101),
            ("source", 1),
            ("timestamp", "now"),
            ("timestamp", 1761661822),
            ("timestamp", "1500-01-01T00:00:00"),
            ("level", "TRACE"),
            ("level", "info"),
            ("level", "CRITICAL"),
            ("level", ""),
            ("level", None),
            ("message", ""),
            ("message", " \t\r\n\u3000"),
            ("message", None),
            ("message", 1),
            ("message", ["a"]),
        ],
    )
    async def test_one_bad_line_refuses_its_whole_batch(self, site: Site, field: str, value: Any) -> None:
        detail = await refused(site, 422, "POST", LOGS, json=[LINE, LINE | {field: value}, LINE])
        assert fields_of(detail) == {field}
        assert (await _everything(site))["total"] == 0


class TestList:
    async def test_no_lines_are_an_empty_page(self, site: Site) -> None:
        assert await _listed(site) == {"logs": [], "total": 0, "limit": 100, "offset": 0}

    async def test_without_a_time_it_is_the_last_fifteen_minutes(self, site: Site) -> None:
        now = datetime.now(UTC)
        for minutes in (0, 14, 16, 24 * 60):
            moment = (now - timedelta(minutes=minutes)).isoformat()
            await _post(site, LINE | {"timestamp": moment, "message": f"{minutes} minutes old"})
        page = await _listed(site)
        assert _messages(page) == ["0 minutes old", "14 minutes old"]
        assert page["total"] == 2
        assert (await _listed(site, source="camera_1", level="INFO"))["total"] == 2
        assert (await _listed(site, after=(now - timedelta(minutes=17)).isoformat()))["total"] == 3

    async def test_local_times_of_just_now_are_among_them(self, site: Site) -> None:
        local = datetime.now(site.settings.current.site.zone).replace(tzinfo=None)
        await _post(site, LINE | {"timestamp": local.isoformat()})
        assert (await _listed(site))["total"] == 1

    async def test_newest_comes_first_and_of_equals_the_latest_told(self, site: Site) -> None:
        for second, message in ((1, "b"), (3, "d"), (1, "c"), (0, "a")):
            await _post(site, LINE | {"timestamp": f"2025-10-28T14:30:0{second}", "message": message})
        page = await _everything(site)
        assert _messages(page) == ["d", "c", "b", "a"]
        assert page["logs"][1]["id"] > page["logs"][2]["id"]

    async def test_after_leaves_its_own_moment_out(self, site: Site) -> None:
        """A reader asks for what is later than the newest line it has."""
        for digit in range(3):
            moment = f"2025-10-28T14:30:00.00000{digit}"
            await _post(site, LINE | {"timestamp": moment, "message": str(digit)})
        for after in ("2025-10-28T14:30:00.000001", "2025-10-28T13:30:00.000001Z"):
            page = await _listed(site, after=after)
            assert (_messages(page), page["total"]) == (["2"], 1)
        newest = (await _everything(site))["logs"][0]["timestamp"]
        assert (await _listed(site, after=newest))["total"] == 0

    async def test_bounds_belong_to_the_stretch(self, site: Site) -> None:
        marks = [f"2025-10-28T12:00:00.00000{digit}" for digit in range(6)]
        await _post(site, *(LINE | {"timestamp": mark, "message": mark[-1]} for mark in marks))
        page = await _listed(site, start_date=marks[1], end_date=marks[4])
        assert (_messages(page), page["total"]) == (["4", "3", "2", "1"], 4)
        assert (await _listed(site, start_date=marks[4], end_date=marks[1]))["total"] == 0
        assert (await _listed(site, start_date=marks[1], after=marks[3]))["total"] == 2
        assert (await _listed(site, end_date="2025-10-28"))["total"] == 6
        assert (await _listed(site, start_date="2025-10-28", end_date="2025-10-28"))["total"] == 6
        assert (await _listed(site, start_date="2025-10-29"))["total"] == 0
        assert (await _listed(site, end_date="2025-10-27"))["total"] == 0

    @pytest.mark.parametrize(
        ("source", "number"),
        [
            ("camera_1", 2),
            (" camera_1 ", 2),
            ("Camera_1", 0),
            ("camera", 0),
            ("a|INFO", 1),
            ("a", 0),
            ("%", 0),
            ("ü🎥", 1),
            ("\x00", 0),
        ],
    )
    async def test_one_source(self, site: Site, source: str, number: int) -> None:
        for name in ("camera_1", "camera_1", "a|INFO", "ü🎥"):
            await _post(site, LINE | {"source": name})
        page = await _listed(site, start_date="2000-01-01", source=source)
        assert (len(page["logs"]), page["total"]) == (number, number)

    async def test_source_and_level_both_hold(self, site: Site) -> None:
        for source in SOURCES:
            await _post(site, *(LINE | {"source": source, "level": level} for level in LEVELS))
        page = await _listed(site, start_date="2000-01-01", source="central", level="WARNING")
        assert [(line["source"], line["level"]) for line in page["logs"]] == [("central", "WARNING")]
        assert page["total"] == 1
        assert (await _listed(site, start_date="2000-01-01", level="DEBUG"))["total"] == 3

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("limit", "0"),
            ("limit", "501"),
            ("limit", "-1"),
            ("limit", "all"),
            ("offset", "-1"),
            ("offset", str(2**64)),
            ("level", "TRACE"),
            ("level", "info"),
            ("level", ""),
            ("source", ""),
            ("source", "  "),
            ("source", "a" * 101),
            ("after", "now"),
            ("after", "9999-12-31T23:59:59"),
            ("after", "0001-01-01T00:00:00"),
            ("start_date", "2025-02-30"),
            ("end_date", "later"),
        ],
    )
    async def test_what_is_outside_the_rules_is_refused_by_its_name(self, site: Site, name: str, value: str) -> None:
        assert fields_of(await refused(site, 422, "GET", LOGS, params={name: value})) == {name}

    @pytest.mark.parametrize(("limit", "offset"), [(1, 0), (500, 2**40)])
    async def test_limits_themselves_are_allowed(self, site: Site, limit: int, offset: int) -> None:
        page = await _listed(site, limit=limit, offset=offset)
        assert (page["limit"], page["offset"]) == (limit, offset)


@dataclass
class Crowd:
    """A site with many lines, and a list of them to count by hand: newest first."""

    site: Site
    lines: list[tuple[datetime, int, str, str]]


@pytest.fixture
async def crowd(site: Site) -> Crowd:
    """Lines over two days: seconds with a dozen, hours with none."""
    dice = random.Random(5)
    lines = []
    for _ in range(60):
        start = SOME_DAY + timedelta(seconds=dice.randrange(2 * 86400))
        for _ in range(50):
            moment = start + timedelta(
                seconds=dice.choice([0, 0, 1, 30, 59, 60, 61, 600]), microseconds=dice.choice([0, 0, 1])
            )
            source = dice.choices(SOURCES, weights=(10, 3, 1))[0]
            lines.append((moment, source, dice.choices(LEVELS, weights=(1, 10, 3, 2))[0]))
    batches = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    await all_at_once(
        [
            _post(
                site,
                *(
                    {"source": source, "timestamp": moment.isoformat(), "level": level, "message": "Line."}
                    for moment, source, level in batch
                ),
            )
            for batch in batches
        ]
    )
    async with site.shared.database.session() as session:
        rows = await session.script("SELECT timestamp, id, source, level FROM logs")
    kept = [(moment.replace(tzinfo=UTC), line_id, source, level) for moment, line_id, source, level in rows]
    assert sorted((moment, source, level) for moment, _, source, level in kept) == sorted(lines)
    return Crowd(site, sorted(kept, reverse=True))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(data=st.data())
async def test_every_page_is_what_counting_by_hand_gives(crowd: Crowd, data: st.DataObject) -> None:
    """Random filters over random lines; from offset 500 on, another way leads to the page."""
    query: dict[str, Any] = {}
    source = data.draw(st.sampled_from([None, None, *SOURCES, "camera_9"]), "source")
    level = data.draw(st.sampled_from([None, None, *LEVELS]), "level")
    query |= {} if source is None else {"source": source}
    query |= {} if level is None else {"level": level}
    moments = st.integers(-3600, 3 * 86400).map(lambda second: SOME_DAY + timedelta(seconds=second))
    moments |= st.sampled_from([moment for moment, _, _, _ in crowd.lines])
    start = data.draw(moments, "start_date")
    end = data.draw(st.none() | moments, "end_date")
    after = data.draw(st.none() | st.none() | moments, "after")
    query["start_date"] = start.isoformat()
    query |= {} if end is None else {"end_date": end.isoformat()}
    query |= {} if after is None else {"after": after.isoformat()}
    expected = [
        line_id
        for moment, line_id, line_source, line_level in crowd.lines
        if start <= moment
        and (end is None or moment <= end)
        and (after is None or moment > after)
        and source in {None, line_source}
        and level in {None, line_level}
    ]
    offsets = st.integers(0, len(expected) + 3) | st.integers(500, max(501, len(expected)))
    query |= {"limit": data.draw(st.integers(1, 500), "limit"), "offset": data.draw(offsets, "offset")}
    page = await _listed(crowd.site, **query)
    assert page["total"] == len(expected)
    there = expected[query["offset"] : query["offset"] + query["limit"]]
    assert [line["id"] for line in page["logs"]] == there


@pytest.mark.parametrize("query", [{}, {"source": "camera_1", "level": "INFO"}])
async def test_paging_to_the_end_shows_each_line_once(crowd: Crowd, query: dict[str, str]) -> None:
    seen: list[int] = []
    while lines := (await _listed(crowd.site, start_date="2000-01-01", limit=331, offset=len(seen), **query))["logs"]:
        seen += [line["id"] for line in lines]
    everything = [
        line_id for _, line_id, source, level in crowd.lines if not query or [*query.values()] == [source, level]
    ]
    assert len(everything) > 1000  # so deep that both ways of finding a page were gone
    assert seen == everything
