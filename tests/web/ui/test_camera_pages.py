"""The pages about cameras in every state, from what services tell to HTML."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from securitycamd.domain.agents import AgentStatus
from securitycamd.domain.coverage import Cover, CoverPart
from securitycamd.domain.models import Camera
from securitycamd.domain.names import CameraRemoval
from securitycamd.domain.pictures import NewestEvent, Poster
from securitycamd.domain.retention import Use
from securitycamd.services.camera_details import (
    ActivitySpan,
    CameraDetails,
    CameraOverview,
    CameraPicture,
    HourOfEvents,
)
from securitycamd.services.camera_removal import Progress
from securitycamd.web.ui.camera_plots import MOST_PARTS, lasting, outages, plot, strip
from securitycamd.web.ui.camera_view import camera_context, cameras_context
from securitycamd.web.ui.contexts import PageContext
from tests.web.ui.samples import CAMERAS, NOW, SITE, ZONE, make_camera

Render = Callable[[PageContext], str]
HOUR = timedelta(hours=1)
AGENT = AgentStatus(
    "camera_1",
    NOW - timedelta(seconds=40),
    NOW - timedelta(seconds=40),
    None,
    "2.1",
    NOW - 50 * HOUR,
    "idle",
    False,
    0.4,
)


def parts(*hours: tuple[Cover, float]) -> list[CoverPart]:
    """Stretches of so many hours that end now."""
    found: list[CoverPart] = []
    at = NOW - sum(length for _, length in hours) * HOUR
    for cover, length in hours:
        found.append(CoverPart(cover, at, at + length * HOUR))
        at += length * HOUR
    return found


def hours_of(count: int, events: Callable[[int], int] = lambda number: number % 3) -> list[HourOfEvents]:
    last = NOW.replace(minute=0, second=0, microsecond=0)
    return [HourOfEvents(last - (count - 1 - number) * HOUR, events(number)) for number in range(count)]


def picture(camera: Camera = CAMERAS[0], agent: AgentStatus | None = AGENT, **changes: object) -> CameraPicture:
    taken_at = NOW - timedelta(minutes=3)
    poster = Poster(7, taken_at, "camera_1/thumbs/7_thumb.jpg", "camera_1/pictures/7_a.jpg")
    newest = NewestEvent(7, taken_at, poster)
    details = CameraDetails(camera, agent, newest, Use(45 * 10**9, 2 * 10**9), 3, 1234, 9, None)
    covered = {
        ActivitySpan.DAY: parts((Cover.WATCHING, 20), (Cover.OFFLINE, 2), (Cover.WATCHING, 2)),
        ActivitySpan.MONTH: parts(
            (Cover.UNKNOWN, 600), (Cover.OFFLINE, 100), (Cover.VIEWED, 0.5), (Cover.WATCHING, 20)
        ),
    }
    active = {ActivitySpan.DAY: hours_of(24), ActivitySpan.MONTH: hours_of(720)}
    return CameraPicture(replace(details, **changes), covered, active)  # type: ignore[arg-type]  # fields of details


def page(render: Render, shown: CameraPicture, *, may_change: bool = True) -> str:
    return render(camera_context(shown, CAMERAS, site=SITE, now=NOW, may_change=may_change))


def test_one_camera_with_all_of_it(render: Render) -> None:
    text = page(render, picture())
    for words in (
        "Front walk side",
        "10.0.0.1",
        '<dd class="number">2.1</dd>',
        "2 d 2 h",
        "in step",
        "45.0 GB",
        "1,234",
        "Last 24 hours: watching 92 %, offline 8.3 %",
        "Viewed live, motion detection paused",
        "24 events; busiest hour:",
        "1,234 events, 3 of them starred, 45.0 GB",
        "It is online: its agent would go on recording.",
        'href="/live/camera_1"',
        'href="/?camera_id=camera_1"',
    ):
        assert words in text, words


def test_who_may_only_look_is_offered_nothing_to_change(render: Render) -> None:
    text = page(render, picture(), may_change=False)
    for words in ("Remove", "Hide it", "Save"):
        assert words not in text
    assert "Refresh now" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agent": None}, "not asked yet"),
        ({"agent": replace(AGENT, error="Nobody answers at 10.0.0.1.")}, "asked 40 s ago. Nobody answers at 10.0.0.1."),
        ({"agent": replace(AGENT, clock_offset_seconds=-3720.5)}, "Its clock is 1 h 2 min behind"),
        ({"agent": replace(AGENT, clock_offset_seconds=5.0)}, ">5 s ahead<"),
        ({"agent": replace(AGENT, is_streaming=True)}, "Motion detection is paused meanwhile"),
        ({"newest": None, "events_total": 0}, "no events yet"),
        ({"camera": replace(CAMERAS[2], created_at=NOW - 99 * HOUR)}, "Silent for 2 h"),
        ({"camera": replace(CAMERAS[0], is_hidden=True)}, "Show it in lists again"),
        ({"camera": replace(CAMERAS[0], removal=CameraRemoval.RETIRED)}, "Bring the camera back"),
        (
            {"camera": replace(CAMERAS[0], removal=CameraRemoval.FOOTAGE), "progress": Progress(1000, 250, None)},
            "Being removed: 750 of 1,000 events are gone.",
        ),
        (
            {"camera": replace(CAMERAS[0], removal=CameraRemoval.FOOTAGE), "progress": Progress(9, 9, "It waits.")},
            "It waits.",
        ),
    ],
)
def test_what_is_out_of_the_ordinary_is_said(render: Render, changes: dict[str, object], words: str) -> None:
    assert words in page(render, picture(**changes))  # type: ignore[arg-type]  # by name


def test_a_camera_that_never_was_heard_of(render: Render) -> None:
    silent = replace(CAMERAS[2], created_at=CAMERAS[2].last_seen)
    text = page(render, picture(silent, None))
    assert "Never heard from" in text
    assert "It registered 2 h ago" in text


def test_what_agents_say_is_text(render: Render) -> None:
    bad = '<script>alert(1)</script>"'
    camera = replace(CAMERAS[0], name=bad, location=bad, agent_name=bad, agent_location=bad, ip_address=bad)
    text = page(render, picture(camera, replace(AGENT, version=bad, motion_state=bad, error=bad)))
    assert "<script>alert" not in text
    one = CameraOverview(camera, AGENT, None, 0, parts((Cover.WATCHING, 24)), None)
    assert "<script>alert" not in render(cameras_context([one], site=SITE, now=NOW, server_url="http://a"))


def overview(camera: Camera, progress: Progress | None = None) -> CameraOverview:
    return CameraOverview(camera, None, None, 2, parts((Cover.UNKNOWN, 12), (Cover.WATCHING, 12)), progress)


def test_the_list_of_cameras(render: Render) -> None:
    hidden = replace(make_camera(4, "Attic", 9), is_hidden=True)
    retired = replace(make_camera(5, "Shed", 9), removal=CameraRemoval.RETIRED)
    going = replace(make_camera(6, "Barn", 9), removal=CameraRemoval.FOOTAGE)
    found = [*map(overview, [*CAMERAS, hidden, retired]), overview(going, Progress(40, 10, None))]
    context = cameras_context(found, site=SITE, now=NOW, server_url="http://192.168.1.2:8000")
    assert [card.camera_name for card in context.cards] == ["Front walk", "Back patio", "Side gate"]
    assert context.summary == "2 of 3 cameras online · 6 events today"
    text = render(context)
    for words in ("hidden; it records on", "its events are still here", "being removed: 30 of 40 events are gone"):
        assert words in text
    rail = text.partition('id="content"')[0]
    assert "Side gate" in rail
    assert not [name for name in ("Attic", "Shed", "Barn") if name in rail]


def test_no_camera_yet(render: Render) -> None:
    text = render(cameras_context([], site=SITE, now=NOW, server_url="http://localhost:8000"))
    assert "http://localhost:8000/api/v1" in text
    assert "in place of the host" in text
    hidden = replace(CAMERAS[0], is_hidden=True)
    away = render(cameras_context([overview(hidden)], site=SITE, now=NOW, server_url="http://localhost:8000"))
    assert "All cameras are put away" in away
    assert "Add your first camera" not in away


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (42.4, "42 s"), (60, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90061, "1 d 1 h"), (86400, "1 d")],
)
def test_how_long(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_a_strip_fills_its_length_and_loses_no_outage() -> None:
    found = strip(parts((Cover.WATCHING, 719.9), (Cover.OFFLINE, 0.1)), ActivitySpan.MONTH, ZONE, NOW)
    assert found.strip_parts[-1].width > 0
    blink = strip(
        parts((Cover.WATCHING, 400), (Cover.OFFLINE, 0.1), (Cover.WATCHING, 319.9)), ActivitySpan.MONTH, ZONE, NOW
    )
    assert [part.width for part in blink.strip_parts if part.cover == "offline"] == [2.0]
    assert blink.legend[1].share == "under 0.1 %"


def test_a_strip_of_very_many_stretches_stays_small() -> None:
    flapping = parts(*[(Cover.WATCHING, 0.01), (Cover.OFFLINE, 0.02)] * 1200)
    found = strip(flapping, ActivitySpan.DAY, ZONE, NOW)
    assert len(found.strip_parts) <= MOST_PARTS
    assert sum(part.width for part in found.strip_parts) == pytest.approx(1000, abs=1)
    assert {part.cover for part in found.strip_parts} == {"offline"}


def test_the_latest_outages_are_told() -> None:
    told = outages(parts(*[(Cover.WATCHING, 1), (Cover.OFFLINE, 0.5)] * 12), ZONE, NOW)
    assert len(told) == 8
    assert (told[0].until, told[0].lasted) == ("now", "30 min")


def test_a_plot_in_words_and_as_a_table() -> None:
    day = plot(hours_of(24, lambda number: 5 if number == 20 else 1), ActivitySpan.DAY, ZONE, NOW)
    assert day.summary == "28 events; busiest hour: today at 15:00, with 5"
    assert len(day.rows) == 24
    assert day.outline.count("M") == 24
    month = plot(hours_of(720, lambda number: int(number == 5)), ActivitySpan.MONTH, ZONE, NOW)
    assert re_day(month.summary)
    assert len(month.outline) < 30
    assert len(month.rows) == 31
    assert plot(hours_of(24, lambda _: 0), ActivitySpan.DAY, ZONE, NOW).summary == "No events"


def re_day(summary: str) -> bool:
    """Whether it names the day of the one event."""
    at: datetime = hours_of(720)[5].start.astimezone(ZONE)
    return summary == f"1 event, on {at:%A} {at.day} {at:%B} at {at:%H:%M}"
