"""The gallery's state and its URL are the same thing."""

from datetime import date
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.web.ui.query import LARGEST_OFFSET, PAGE_SIZES, GalleryQuery

days = st.one_of(
    st.sampled_from(["today", "yesterday"]),
    st.dates(date(1971, 1, 1), date(8999, 12, 31)).map(date.isoformat),
)
queries = st.builds(
    GalleryQuery,
    camera_id=st.none() | st.from_regex(r"[A-Za-z0-9_]{1,50}", fullmatch=True),
    date=st.none() | days,
    limit=st.sampled_from(PAGE_SIZES),
    offset=st.integers(0, LARGEST_OFFSET),
)


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing="?" in url))


@given(queries)
def test_a_url_reads_back_as_the_query_it_was_made_of(query: GalleryQuery) -> None:
    assert GalleryQuery.read(parameters(query.url())) == query
    assert GalleryQuery.read(parameters(query.url("/events/7"))) == query


@given(st.dictionaries(st.sampled_from([*GalleryQuery.model_fields, "other"]), st.text(max_size=60)))
def test_any_parameters_read_as_a_query_that_has_a_url(given_parameters: dict[str, str]) -> None:
    query = GalleryQuery.read(given_parameters)
    assert GalleryQuery.read(parameters(query.url())) == query


@given(queries, st.sampled_from(PAGE_SIZES))
def test_another_page_size_keeps_the_first_event_on_the_page(query: GalleryQuery, size: int) -> None:
    changed = query.per_page(size)
    assert changed.offset <= query.offset < changed.offset + size
    assert changed.offset % size == 0


@pytest.mark.parametrize(
    ("given_parameters", "url"),
    [
        ({}, "/"),
        ({"camera_id": "", "date": ""}, "/"),
        (
            {"camera_id": "camera_1", "date": "2025-11-23", "limit": "24"},
            "/?camera_id=camera_1&date=2025-11-23",
        ),
        ({"date": "20251123"}, "/?date=2025-11-23"),
        ({"date": "2025-02-30", "limit": "25", "offset": "-1"}, "/"),
        ({"date": "9999-12-31"}, "/"),
        ({"camera_id": "../etc", "offset": "48"}, "/?offset=48"),
        ({"offset": "9" * 5000}, "/"),
        ({"offset": "٤٨"}, "/"),
    ],
)
def test_what_cannot_be_used_is_left_out(given_parameters: dict[str, str], url: str) -> None:
    assert GalleryQuery.read(given_parameters).url() == url


def test_neighbours_start_at_the_first_page() -> None:
    query = GalleryQuery(camera_id="camera_1", date="today", limit=48, offset=96)
    assert query.for_camera(None).url() == "/?date=today&limit=48"
    assert query.for_date("yesterday").url() == "/?camera_id=camera_1&date=yesterday&limit=48"
    assert query.at(-5).offset == 0
    assert query.is_filtered
    assert not GalleryQuery(offset=24).is_filtered
