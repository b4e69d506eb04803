"""The report of a day, over a stand-in for Ollama that is away, slow to come, or says strange things."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from securitycamd.ai.digests import REPORT_LIMIT, SAYINGS_LIMIT, clean_report, digest_prompt
from securitycamd.db import digests as digest_rows
from securitycamd.db import events as event_rows
from securitycamd.domain.digests import DayFacts, DigestState, in_numbers, retry_after
from securitycamd.domain.errors import ForbiddenError, InvalidError, NotFoundError
from securitycamd.domain.principal import TRUSTED_OPERATOR, Principal
from securitycamd.services import digests as service
from tests.conftest import Site
from tests.ollama_server import OllamaServer, Reply

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2025, 10, 26)  # 25 hours long
SAID = "In the afternoon a person came to the front walk.\n\nOtherwise it was calm."


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer() as running:
        yield running


@pytest.fixture
async def home(make_site: Callable[..., Any], server: OllamaServer) -> Site:
    site: Site = await make_site(analyser={"url": server.url, "timeout_seconds": 5})
    await site.register("camera_1")
    await site.register("camera_2", name="Yard <b>&")
    return site


async def an_eventful_day(site: Site) -> None:
    for camera_id, clock, category, phrase in (
        ("camera_1", "00:30:00", "person", "Person at the gate"),
        ("camera_1", "18:42:00", "package", "Parcel left at the door"),
        ("camera_2", "18:50:00", "vehicle", "Car drives past"),
        ("camera_2", "23:59:59", None, None),
    ):
        event = await site.event(camera_id, f"{DAY}T{clock}")
        columns = {"ai_category": category, "ai_phrase": phrase}
        if category:
            await event_rows.update(site.shared.database, event["id"], columns)
    await site.event("camera_1", f"{DAY + timedelta(days=1)}T00:00:00")
    await site.event("camera_1", f"{DAY - timedelta(days=1)}T12:00:00")


def digest_time(site: Site, moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the service believe that it is ``moment``."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # a plain datetime, as it gives
            return moment.astimezone(tz)

    monkeypatch.setattr(service, "datetime", Clock)


async def test_yesterdays_report_is_written_at_its_time(
    home: Site, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_eventful_day(home)
    digests = home.shared.digests
    digest_time(home, datetime(2025, 10, 27, 6, 59, tzinfo=BERLIN), monkeypatch)
    await digests.write_due()
    assert await digests.newest(TRUSTED_OPERATOR) == []
    digest_time(home, datetime(2025, 10, 27, 7, 0, tzinfo=BERLIN), monkeypatch)
    server.enqueue(Reply(text=f"<think>hm</think># Report\n\n{SAID}"))
    await digests.write_due()
    report = await digests.get(TRUSTED_OPERATOR, DAY)
    assert (report.state, report.error) == (DigestState.WRITTEN, None)
    assert report.text == f"Report\n\n{SAID}"
    assert report.facts.events == 4
    assert report.facts.by_category == {"person": 1, "package": 1, "vehicle": 1, "pending": 1}
    assert report.facts.by_camera == {"Front walk": 2, "Yard <b>&": 2}
    assert report.facts.busiest_hour == 18
    assert (await digests.gather(DAY - timedelta(days=1))).busiest_hour is None  # its one event's
    assert report.facts.sayings == (
        "00:30 Front walk: Person at the gate",
        "18:42 Front walk: Parcel left at the door",
        "18:50 Yard <b>&: Car drives past",
    )
    assert len(await digests.still_there(report)) == 3
    [asked] = server.chats
    assert "18:42 Front walk: Parcel left at the door" in asked.prompt
    assert "4 events: 1 with people, 1 with vehicles, 1 with packages, 1 not looked at yet" in asked.prompt
    await digests.write_due()
    assert len(server.chats) == 1
    assert [notice.url for notice in home.shared.notices.recent] == [f"/digests/{DAY}"]


async def test_a_busy_day_is_told_from_morning_to_evening_and_what_is_rare_is_not_forgotten(home: Site) -> None:
    digests = home.shared.digests
    for hour in range(24):
        for minute in range(0, 60, 10):
            event = await home.event("camera_1", f"{DAY}T{hour:02}:{minute:02}:00")
            category = "animal" if (hour, minute) == (7, 0) else "person"
            columns = {"ai_category": category, "ai_phrase": f"Seen by {category}"}
            await event_rows.update(home.shared.database, event["id"], columns)
    facts = await digests.gather(DAY)
    assert len(facts.sayings) == len(facts.saying_events) == len(set(facts.saying_events)) > SAYINGS_LIMIT // 2
    assert len(facts.sayings) <= SAYINGS_LIMIT
    assert "07:00 Front walk: Seen by animal" in facts.sayings
    by_part = Counter(int(saying[:2]) // 6 for saying in facts.sayings)
    assert min(by_part[part] for part in range(4)) >= 4


async def test_a_server_that_is_away_is_tried_again(
    home: Site, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_eventful_day(home)
    digests, moment = home.shared.digests, datetime(2025, 10, 27, 8, tzinfo=BERLIN)
    digest_time(home, moment, monkeypatch)
    await server.stop()
    await digests.write_due()
    waiting = await digests.get(TRUSTED_OPERATOR, DAY)
    assert (waiting.state, waiting.attempts) == (DigestState.WAITING, 1)
    assert waiting.error
    await digests.write_due()
    assert (await digests.get(TRUSTED_OPERATOR, DAY)).attempts == 1
    await server.start()
    digest_time(home, moment + retry_after(1), monkeypatch)
    server.enqueue(Reply(text=SAID))
    await digests.write_due()
    assert (await digests.get(TRUSTED_OPERATOR, DAY)).state is DigestState.WRITTEN


async def test_it_is_tried_at_once_when_the_server_is_back(home: Site, server: OllamaServer) -> None:
    await an_eventful_day(home)
    digests, gate = home.shared.digests, home.shared.ai_gate
    await gate.look()
    await server.stop()
    await digests.request(TRUSTED_OPERATOR, DAY)
    for _ in range(2):
        await digests.write_due()
        await gate.look()
        assert (await digests.get(TRUSTED_OPERATOR, DAY)).attempts == 1
    await server.start()
    await gate.look()
    await digests.write_due()
    assert (await digests.get(TRUSTED_OPERATOR, DAY)).state is DigestState.WRITTEN


async def test_a_report_of_half_a_day_is_written_once_more_when_the_day_is_over(
    home: Site, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = home.shared.digests
    await home.event("camera_1", f"{DAY}T10:00:00")
    digest_time(home, datetime(2025, 10, 26, 12, tzinfo=BERLIN), monkeypatch)
    server.enqueue(Reply(text="The morning."), Reply(text="The whole day."))
    await digests.request(TRUSTED_OPERATOR, DAY)
    await digests.write_due()
    await home.event("camera_1", f"{DAY}T20:00:00")
    digest_time(home, datetime(2025, 10, 27, 7, tzinfo=BERLIN), monkeypatch)
    for _ in range(2):
        await digests.write_due()
    report = await digests.get(TRUSTED_OPERATOR, DAY)
    assert (report.text, report.facts.events, len(server.chats)) == ("The whole day.", 2, 2)


async def test_while_one_daemon_writes_another_does_not(
    home: Site, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_eventful_day(home)
    moment = datetime(2025, 10, 27, 8, tzinfo=BERLIN)
    digest_time(home, moment, monkeypatch)
    await home.shared.digests.request(TRUSTED_OPERATOR, DAY)
    claimed = await digest_rows.one(home.shared.database, DAY)
    assert claimed is not None
    assert await digest_rows.claim(home.shared.database, claimed, moment)
    settings = home.shared.settings.current
    slow = settings.model_copy(update={"analyser": settings.analyser.model_copy(update={"timeout_seconds": 600.0})})
    monkeypatch.setattr(home.shared.settings, "current", slow)
    digest_time(home, moment + timedelta(minutes=9), monkeypatch)
    await home.shared.digests.write_due()
    assert server.chats == []
    # One that crashed is followed by another in the end.
    digest_time(home, moment + timedelta(minutes=11), monkeypatch)
    server.enqueue(Reply(text=SAID))
    await home.shared.digests.write_due()
    assert (await home.shared.digests.get(TRUSTED_OPERATOR, DAY)).state is DigestState.WRITTEN


async def test_a_day_without_events_asks_no_model(home: Site, server: OllamaServer) -> None:
    await home.json("POST", "/api/v1/digests/2025-01-02")
    await home.shared.digests.write_due()
    # However long ago the day is: somebody asked for it.
    assert (await home.json("GET", "/api/v1/digests/2025-01-02"))["state"] == "quiet"
    yesterday = datetime.now(BERLIN).date() - timedelta(days=1)
    await home.json("POST", f"/api/v1/digests/{yesterday}")
    await home.shared.digests.write_due()
    report = await home.json("GET", f"/api/v1/digests/{yesterday}")
    assert (report["state"], report["text"], report["model"]) == ("quiet", "No camera saw motion on this day.", None)
    assert server.chats == []


async def test_without_an_analyser_the_numbers_are_told(make_site: Callable[..., Any]) -> None:
    site: Site = await make_site(analyser={"enabled": False})
    await site.register()
    this_day = datetime.now(BERLIN)
    await site.event("camera_1", f"{this_day:%Y-%m-%d}T00:00:00")
    await site.json("POST", f"/api/v1/digests/{this_day:%Y-%m-%d}")
    await site.shared.digests.write_due()
    report = await site.json("GET", f"/api/v1/digests/{this_day:%Y-%m-%d}")
    assert (report["state"], report["model"]) == ("written", None)
    assert report["text"] == "1 event: 1 not looked at yet."


async def test_written_anew_the_earlier_text_stays_until_then(
    home: Site, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_eventful_day(home)
    digest_time(home, datetime(2025, 10, 27, 8, tzinfo=BERLIN), monkeypatch)
    server.enqueue(Reply(text="The first one."), Reply(text="The second one."))
    await home.shared.digests.write_due()
    again = await home.json("POST", f"/api/v1/digests/{DAY}")
    assert (again["state"], again["text"], again["events"]) == ("waiting", "The first one.", 4)
    await home.shared.digests.write_due()
    assert (await home.json("GET", f"/api/v1/digests/{DAY}"))["text"] == "The second one."
    assert [report["date"] for report in await home.json("GET", "/api/v1/digests")] == [str(DAY)]
    assert await home.json("GET", f"/api/v1/digests?before={DAY}") == []


async def test_what_cannot_be_asked_for(home: Site) -> None:
    digests = home.shared.digests
    with pytest.raises(NotFoundError):
        await digests.get(TRUSTED_OPERATOR, DAY)
    with pytest.raises(InvalidError):
        await digests.request(TRUSTED_OPERATOR, datetime.now(UTC).date() + timedelta(days=3))
    viewer = Principal("viewer", TRUSTED_OPERATOR.role, frozenset({"camera_1"}))
    with pytest.raises(ForbiddenError):
        await digests.newest(viewer)
    for text in ("2025-02-30", "20251026", "soon"):
        await home.json("GET", f"/api/v1/digests/{text}", status=422)


async def test_the_pages_show_reports_and_let_nothing_through(home: Site, server: OllamaServer) -> None:
    this_day = datetime.now(BERLIN).date()
    async with home.client.get("/digests") as response:
        assert "No reports yet" in await response.text()
    await home.event("camera_2", f"{this_day}T00:00:00")
    async with home.client.post(f"/digests/{this_day}", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, f"/digests/{this_day}")
    async with home.client.get(f"/digests/{this_day}") as response:
        assert "The report is being written" in await response.text()
    server.enqueue(Reply(text="All calm. <script>alert(1)</script>"))
    await home.shared.digests.write_due()
    for path in ("/digests", f"/digests/{this_day}"):
        async with home.client.get(path) as response:
            text = await response.text()
            assert response.status == 200
            assert "All calm." in text
            assert "<script>alert" not in text
            assert "Yard <b>" not in text
    async with home.client.get("/digests/2020-01-01", headers={"Accept": "text/html"}) as response:
        assert response.status == 404


def test_a_prompt_is_bounded_whatever_happened() -> None:
    facts = DayFacts(
        10**6,
        {"person": 10**6},
        {f"camera {number} " + "x" * 500: number for number in range(1000)},
        1e9,
        23,
        tuple("y" * 5000 for _ in range(1000)),
    )
    assert len(digest_prompt(facts, day="today", site="z" * 9999, language="English", words=120)) < 8000


def test_a_report_is_cleaned_and_bounded() -> None:
    text = clean_report("## Title\n\n" + "A sentence. " * 1000 + "\x1b[31m\n\n***\n")
    assert len(text) <= REPORT_LIMIT
    assert text.startswith("Title\n\nA sentence.")
    assert text.endswith("A sentence.")
    assert "\x1b" not in text
    assert clean_report("<think>never ends") == clean_report(" \n\n --- ") == ""


def test_numbers_in_words() -> None:
    assert in_numbers(DayFacts(0)) == "No camera saw motion on this day."
    assert in_numbers(DayFacts(3, {"animal": 1, "person": 2})) == "3 events: 2 with people, 1 with animals."
