"""The gallery's state and its URL are the same thing."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from securitycamd.domain.names import Category, EventStatus
from securitycamd.web.ui.query import PAGE_SIZES, GalleryQuery

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 11, 23, 17, 43, tzinfo=UTC)
dates = st.dates(date(1971, 1, 1), date(8999, 12, 31)).map(date.isoformat)
cameras = st.lists(st.from_regex(r"[A-Za-z0-9_]{1,50}", fullmatch=True), max_size=4, unique=True).map(tuple)
yes_no = st.none() | st.booleans()


@st.composite
def queries(draw: st.DrawFn) -> GalleryQuery:
    """Any state that a URL can have."""
    kind = draw(st.sampled_from(["any", "named", "stretch", "day", "range"]))
    when: dict[str, Any] = {}
    if kind in {"named", "day"}:
        when["date"] = draw(dates if kind == "day" else st.sampled_from(["today", "yesterday"]))
        when["hour"] = draw(st.none() | st.integers(0, 23))
    elif kind == "stretch":
        when["date"] = draw(st.sampled_from(["7days", "30days"]))
    elif kind == "range":
        when |= {"date": draw(dates), "end_date": draw(dates)}
    side = draw(st.sampled_from(["before", "after"]))
    place = {side: f"{draw(st.integers(-(10**12), 10**17))}.{draw(st.integers(0, 10**9))}"}
    return GalleryQuery(
        camera_id=draw(cameras.filter(lambda chosen: "all" not in chosen)),
        category=draw(st.lists(st.sampled_from(Category), unique=True).map(tuple)),
        status=draw(st.lists(st.sampled_from(EventStatus), unique=True).map(tuple)),
        person=draw(yes_no),
        reviewed=draw(yes_no),
        starred=draw(yes_no),
        min_confidence=draw(st.none() | st.sampled_from([0.05, 0.4, 0.7, 0.9, 1.0])),
        q=draw(st.text(max_size=30)),
        view=draw(st.sampled_from(["grid", "list"])),
        limit=draw(st.sampled_from(PAGE_SIZES)),
        **when,
        **draw(st.sampled_from([{}, place])),
    )


@given(queries())
def test_a_url_reads_back_as_the_query_it_was_made_of(query: GalleryQuery) -> None:
    assert GalleryQuery.read_url(query.url()) == query
    assert GalleryQuery.read_url(query.url("/events/7")) == query


@given(st.lists(st.tuples(st.sampled_from([*GalleryQuery.model_fields, "other"]), st.text(max_size=60)), max_size=12))
def test_any_parameters_read_as_a_query_that_has_a_url(pairs: list[tuple[str, str]]) -> None:
    query = GalleryQuery.read(MultiDict(pairs))
    assert GalleryQuery.read_url(query.url()) == query
    query.wanted(BERLIN)


@pytest.mark.parametrize(
    ("given_parameters", "url"),
    [
        ({}, "/"),
        ({"camera_id": "", "date": "", "person": "", "category": ""}, "/"),
        (
            {"camera_id": "camera_1", "date": "2025-11-23", "limit": "24"},
            "/?camera_id=camera_1&date=2025-11-23",
        ),
        ({"camera_id": "camera_1,camera_2,camera_1"}, "/?camera_id=camera_1&camera_id=camera_2"),
        ({"camera_id": "all"}, "/"),
        ({"category": "person,teapot"}, "/?category=person"),
        ({"person": "true", "reviewed": "0", "starred": "perhaps"}, "/?person=yes&reviewed=no"),
        ({"min_confidence": "1.5"}, "/"),
        ({"min_confidence": "nan"}, "/"),
        ({"q": "  red   van "}, "/?q=red+van"),
        ({"date": "20251123"}, "/?date=2025-11-23"),
        ({"date": "2025-02-30", "limit": "25"}, "/"),
        ({"date": "9999-12-31"}, "/"),
        ({"date": "7days", "hour": "3", "end_date": "2025-11-23"}, "/?date=7days"),
        ({"hour": "3"}, "/"),
        ({"end_date": "2025-11-23"}, "/?date=2025-11-23"),
        ({"date": "today", "hour": "24"}, "/?date=today"),
        ({"date": "today", "hour": "٣"}, "/?date=today"),
        ({"camera_id": "../etc", "before": "48"}, "/"),
        ({"before": "5.5", "after": "6.6"}, "/?before=5.5"),
        ({"limit": "9" * 5000}, "/"),
    ],
)
def test_what_cannot_be_used_is_left_out(given_parameters: dict[str, str], url: str) -> None:
    assert GalleryQuery.read(given_parameters).url() == url


def test_neighbours_start_at_the_first_page() -> None:
    query = GalleryQuery(camera_id=("camera_1",), date="today", limit=48, before="5.5")
    assert query.for_camera(None).url() == "/?date=today&limit=48"
    assert query.for_date("yesterday").url() == "/?camera_id=camera_1&date=yesterday&limit=48"
    assert query.toggled("camera_id", "camera_2").url() == (
        "/?camera_id=camera_1&camera_id=camera_2&date=today&limit=48"
    )
    assert query.toggled("camera_id", "camera_1").camera_id == ()
    assert query.per_page(12).before == "5.5"
    assert query.is_filtered
    assert not GalleryQuery(before="5.5").is_filtered


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        (GalleryQuery(date="today"), 24),
        (GalleryQuery(date="7days"), 7 * 24),
        (GalleryQuery(date="2025-11-01", end_date="2025-11-03"), 72),
        (GalleryQuery(date="2025-11-03", end_date="2025-11-01"), 72),
        (GalleryQuery(date="today", hour=23), 1),
        (GalleryQuery(date="2025-10-26"), 25),
        (GalleryQuery(date="2025-10-26", hour=2), 2),
        (GalleryQuery(date="2025-03-30", hour=2), 0),
        (GalleryQuery(date="2025-03-30", hour=3), 1),
    ],
)
def test_a_stretch_follows_the_clocks_of_the_site(query: GalleryQuery, hours: int) -> None:
    span = query.span(BERLIN, NOW)
    assert span.start is not None
    assert span.end is not None
    assert span.end - span.start == timedelta(hours=hours)


@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26", "2025-11-23"])
def test_the_hours_of_a_day_are_the_day(day: str) -> None:
    spans = [GalleryQuery(date=day, hour=hour).span(BERLIN, NOW) for hour in range(24)]
    whole = GalleryQuery(date=day).span(BERLIN, NOW)
    assert (spans[0].start, spans[-1].end) == (whole.start, whole.end)
    assert all(one.end == other.start for one, other in pairwise(spans))
