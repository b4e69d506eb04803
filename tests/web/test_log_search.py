"""Searching, following and downloading log lines through the whole application."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from multidict import MultiDict

from securitycamd.domain.errors import DatabaseUnavailableError
from securitycamd.domain.log_search import LineQuery, Place
from securitycamd.domain.models import LogLine
from securitycamd.domain.times import Span
from securitycamd.services import log_tail
from securitycamd.services.log_search import LogSearchService
from securitycamd.web.schemas.log_search import LinesPageQuery, LinesQuery, place_text, read_place
from tests.conftest import Site
from tests.db.conftest import until

BERLIN = ZoneInfo("Europe/Berlin")


async def post(site: Site, *lines: tuple[str, str, str], seconds_ago: float = 60.0) -> None:
    """Lines of source, level and message, a second apart, the last of them so long ago."""
    first = datetime.now(UTC) - timedelta(seconds=seconds_ago + len(lines) - 1)
    body = [
        {
            "source": source,
            "timestamp": (first + timedelta(seconds=number)).isoformat(),
            "level": level,
            "message": message,
        }
        for number, (source, level, message) in enumerate(lines)
    ]
    await site.json("POST", "/api/v1/logs", json=body)


class TestSearch:
    async def test_several_sources_levels_and_a_text(self, site: Site) -> None:
        await post(
            site,
            ("camera_1", "INFO", "Motion began"),
            ("camera_2", "ERROR", "No disk"),
            ("camera_1", "WARNING", "Slow disk"),
            ("camera_3", "WARNING", "Slow disk"),
        )
        found = await site.json("GET", "/api/v1/logs/search?source=camera_1&source=camera_2&level=ERROR&level=WARNING")
        assert [line["message"] for line in found["lines"]] == ["No disk", "Slow disk"]
        assert found["further"] is None
        found = await site.json("GET", "/api/v1/logs/search?q=DISK&source=camera_3")
        assert [(line["source"], line["message"]) for line in found["lines"]] == [("camera_3", "Slow disk")]

    async def test_pages_older_and_newer_meet(self, site: Site) -> None:
        await post(site, *(("camera_1", "INFO", f"line {n}") for n in range(10)))
        last = await site.json("GET", "/api/v1/logs/search?limit=4")
        assert [line["message"] for line in last["lines"]] == ["line 6", "line 7", "line 8", "line 9"]
        before = await site.json("GET", f"/api/v1/logs/search?limit=4&before={last['further']}")
        assert [line["message"] for line in before["lines"]] == ["line 2", "line 3", "line 4", "line 5"]
        after = await site.json("GET", f"/api/v1/logs/search?limit=3&after={before['newest']}")
        assert [line["message"] for line in after["lines"]] == ["line 6", "line 7", "line 8"]

    @pytest.mark.parametrize(
        "query",
        [
            "level=LOUD",
            "limit=1001",
            "before=x",
            "before=9" + "9" * 17 + ".1",
            "range=ever",
            "since=soon",
            "q=" + "x" * 201,
        ],
    )
    async def test_what_cannot_be_asked_is_told(self, site: Site, query: str) -> None:
        refused = await site.json("GET", f"/api/v1/logs/search?{query}", status=422)
        assert refused["detail"][0]["loc"][0] == query.partition("=")[0]


class TestQuery:
    def test_a_place_survives_its_text(self) -> None:
        for place in (Place(datetime(1900, 1, 1, tzinfo=UTC), -1), Place(datetime(2026, 3, 1, 1, 2, 3, 4, UTC), 2**62)):
            assert read_place(place_text(place)) == place

    @pytest.mark.parametrize(
        ("preset", "start", "end"),
        [
            # On 25 October 2026 clocks go back: that day has 25 hours, and the seven days before it 7 * 24 + 1.
            ("today", "2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00"),
            ("yesterday", "2026-10-23T22:00+00:00", "2026-10-24T22:00+00:00"),
            ("7d", "2026-10-18T22:00+00:00", None),
            ("30d", "2026-09-25T22:00+00:00", None),
        ],
    )
    def test_presets_are_days_of_the_site(self, preset: str, start: str, end: str | None) -> None:
        now = datetime(2026, 10, 25, 12, tzinfo=BERLIN)
        expected = Span(datetime.fromisoformat(start), datetime.fromisoformat(end) if end else None)
        assert LinesQuery.model_validate({"range": preset}).span(BERLIN, now) == expected

    def test_hours_of_a_clock_change_are_read_as_wide_as_they_can_be(self) -> None:
        span = LinesQuery.model_validate({"since": "2026-10-25T02:30", "until": "2026-10-25T02:30"}).span(BERLIN)
        assert span.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert span.end is not None
        assert span.end - span.start == timedelta(hours=1, microseconds=1)

    def test_an_address_leaves_out_what_cannot_be_used(self) -> None:
        given = [
            ("source", "camera_1"),
            ("source", ""),
            ("level", "LOUD"),
            ("q", " disk "),
            ("limit", "x"),
            ("range", ""),
        ]
        query = LinesPageQuery.read(MultiDict(given))
        assert query == LinesPageQuery(source=("camera_1",), q="disk")
        assert query.url() == "/logs?source=camera_1&q=disk"

    def test_an_address_says_the_same_again(self) -> None:
        query = LinesQuery.model_validate(
            {"source": ["a b", "c"], "level": ["ERROR"], "q": "50%", "since": "2026-03-01T10:00", "until": "2026-03-02"}
        )
        address = query.url()
        pairs = [tuple(pair.split("=", 1)) for pair in address.partition("?")[2].split("&")]
        assert ("since", "2026-03-01T10%3A00") in pairs
        from yarl import URL

        assert LinesQuery.read(URL(address).query) == query


async def events_of(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any], str]]:
    """Kind, data and id of each server-sent event."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                yield fields.get("event", "message"), json.loads(fields["data"]), fields.get("id", "")
            fields = {}


class TestStream:
    async def test_a_new_line_comes_to_who_asked_for_it(self, site: Site) -> None:
        await post(site, ("camera_1", "ERROR", "an old line"))
        async with site.client.get("/api/v1/logs/stream?level=ERROR&q=disk") as response:
            assert response.content_type == "text/event-stream"
            events = events_of(response)
            kind, _, _ = await anext(events)
            assert kind == "ready"
            await post(site, ("camera_1", "INFO", "disk is fine"), ("camera_2", "ERROR", "Disk full"))
            kind, data, newest = await anext(events)
            assert (kind, data["skipped"]) == ("lines", 0)
            assert [(line["source"], line["message"]) for line in data["lines"]] == [("camera_2", "Disk full")]
            assert int(newest) >= data["lines"][0]["id"]

    async def test_who_comes_back_gets_what_was_missed(self, site: Site) -> None:
        await post(site, ("camera_1", "INFO", "before"))
        async with site.client.get("/api/v1/logs/stream") as response:
            _, _, newest = await anext(events_of(response))
        await post(site, ("camera_1", "INFO", "meanwhile"))
        async with site.client.get("/api/v1/logs/stream", headers={"Last-Event-ID": newest}) as response:
            events = events_of(response)
            assert (await anext(events))[0] == "ready"
            _, data, _ = await anext(events)
            assert [line["message"] for line in data["lines"]] == ["meanwhile"]

    async def test_lines_that_another_daemon_wrote_come_too(self, site: Site) -> None:
        async with site.client.get("/api/v1/logs/stream") as response:
            events = events_of(response)
            await anext(events)
            async with site.shared.database.session() as session:
                await session.script(
                    "INSERT INTO logs (source, timestamp, level, message) VALUES ('camera_9', NOW(6), 'INFO', 'hello')"
                )
            _, data, _ = await anext(events)
            assert [line["message"] for line in data["lines"]] == ["hello"]

    async def test_who_is_slow_is_told_how_much_was_left_out(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_tail, "LINES_A_WATCHER", 5)
        async with site.client.get("/api/v1/logs/stream") as response:
            events = events_of(response)
            await anext(events)
            await post(site, *(("camera_1", "INFO", f"line {n}") for n in range(12)))
            _, data, _ = await anext(events)
            assert data["skipped"] == 7
            assert [line["message"] for line in data["lines"]] == [f"line {n}" for n in range(7, 12)]

    async def test_followers_are_bounded_and_their_places_come_back(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_tail, "WATCHERS_LIMIT", 1)
        async with site.client.get("/api/v1/logs/stream") as response:
            await anext(events_of(response))
            refused = await site.json("GET", "/api/v1/logs/stream", status=503)
            assert "Too many" in refused["detail"]

        async def is_free() -> bool:
            return not site.shared.log_tail.watchers

        await until(is_free)
        async with site.client.get("/api/v1/logs/stream") as response:
            assert (await anext(events_of(response)))[0] == "ready"

    async def test_the_stop_ends_every_stream(self, site: Site) -> None:
        async with site.client.get("/api/v1/logs/stream") as response:
            events = events_of(response)
            await anext(events)
            site.shared.log_tail.close()
            async with asyncio.timeout(20):
                assert [event async for event in events] == []


class TestDownload:
    async def test_one_that_breaks_off_does_not_look_whole(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        await post(site, ("camera_1", "INFO", "line"))
        pieces = LogSearchService._pieces

        async def some(service: LogSearchService, wanted: LineQuery) -> AsyncIterator[Sequence[LogLine]]:
            async for piece in pieces(service, wanted):
                yield piece
            raise DatabaseUnavailableError

        monkeypatch.setattr(LogSearchService, "_pieces", some)
        with pytest.raises((aiohttp.ClientError, OSError)):
            async with site.client.get("/api/v1/logs/download") as response:
                await response.read()

    async def test_text_says_when_who_and_what_on_one_line_each(self, make_site: Callable[..., Any]) -> None:
        site = await make_site(site={"name": "Müller & Söhne"})
        await post(site, ("camera_1", "WARNING", "two\nlines \x1b[31m"), ("camera_2", "INFO", "ok"))
        async with site.client.get("/api/v1/logs/download?level=WARNING&level=INFO") as response:
            assert response.content_type == "text/plain"
            assert response.headers["Content-Disposition"].startswith('attachment; filename="logs-m-ller-s-hne-2')
            text = await response.text()
        first, second = text.splitlines()
        assert first.endswith(" WARNING camera_1: two lines  [31m")
        assert second.endswith(" INFO    camera_2: ok")

    async def test_json_lines_hold_what_the_search_finds(self, site: Site) -> None:
        await post(site, *(("camera_1", "INFO", f"line {n}") for n in range(5)))
        found = await site.json("GET", "/api/v1/logs/search?q=line")
        async with site.client.get("/api/v1/logs/download?format=json&q=line") as response:
            assert response.headers["Content-Disposition"].endswith('.jsonl"')
            lines = [json.loads(line) for line in (await response.text()).splitlines()]
        assert lines == found["lines"]

    async def test_of_nothing_it_is_empty(self, site: Site) -> None:
        async with site.client.get("/api/v1/logs/download?source=nobody") as response:
            assert (response.status, await response.text()) == (200, "")
