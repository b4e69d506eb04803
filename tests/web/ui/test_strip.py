"""The strip: what stands in a bar, where a bar leads, and what the table says."""

from datetime import UTC, date, datetime, timedelta

from securitycamd.domain.names import Category
from securitycamd.services.timeline import Bucket, Timeline
from securitycamd.web.ui.gallery_contexts import StripView
from securitycamd.web.ui.query import GalleryQuery
from securitycamd.web.ui.strip_view import StripCount, strip_counts, strip_days, strip_view
from tests.web.ui.samples import NOW, SITE, ZONE


def count(hour: int, category: Category | None, events: int, day: date = date(2025, 11, 23)) -> StripCount:
    return StripCount(datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC), category, events)


def of_today(*counts: StripCount, query: GalleryQuery | None = None) -> StripView:
    return strip_view(counts, query or GalleryQuery(date="today"), site=SITE, now=NOW)


def test_a_day_has_a_bar_an_hour_stacked_by_category() -> None:
    strip = of_today(
        count(7, Category.PERSON, 3), count(7, Category.VEHICLE, 1), count(18, Category.PERSON, 8), count(9, None, 2)
    )
    assert (strip.unit, len(strip.bars), strip.heading) == ("Hour", 24, "Sunday 23 November")
    assert strip.summary == "14 events, 11 with people"
    assert [tag.label for tag in strip.legend] == ["person", "vehicle", "not clear"]
    seven = strip.bars[7]
    assert seven.title == "07:00 to 08:00: 4 events, 3 person, 1 vehicle"
    assert [(part.category, part.y, part.height) for part in seven.parts] == [
        (Category.PERSON, 62.5, 37.5),
        (Category.VEHICLE, 50.0, 12.5),
    ]
    assert seven.cells == (3, 1, 0)
    assert strip.bars[9].cells == (0, 0, 2)
    assert strip.bars[3].parts == ()
    assert [bar.is_ahead for bar in strip.bars] == [hour > 18 for hour in range(24)]


def test_it_says_when_it_shows_more_than_was_asked_for() -> None:
    counts = (count(7, Category.PERSON, 3), count(7, Category.VEHICLE, 1))
    for query in (GalleryQuery(date="today", q="van"), GalleryQuery(date="today", starred=True)):
        assert of_today(*counts, query=query).summary == "4 events in all, 3 with people"
    for query in (
        GalleryQuery(date="today", camera_id=("camera_1",)),
        GalleryQuery(date="today", category=(Category.PERSON,)),
    ):
        assert of_today(*counts, query=query).summary == "4 events, 3 with people"


def test_one_event_is_seen_beside_a_thousand() -> None:
    strip = of_today(count(7, Category.PERSON, 1), count(8, Category.PERSON, 1000))
    assert strip.bars[7].parts[0].height == 4


def test_a_bar_leads_to_its_hour_and_back() -> None:
    query = GalleryQuery(date="today", camera_id=("camera_1",), hour=7, before="5.5")
    strip = of_today(query=query)
    assert strip.bars[8].url == "/?camera_id=camera_1&date=today&hour=8"
    assert [bar.is_on for bar in strip.bars].index(True) == 7
    assert strip.bars[7].url == "/?camera_id=camera_1&date=today"


def test_a_stretch_has_a_bar_a_day() -> None:
    counts = [count(0, Category.ANIMAL, 2, date(2025, 11, 18)), count(0, None, 1)]
    strip = of_today(*counts, query=GalleryQuery(date="7days"))
    assert (strip.unit, len(strip.bars), strip.heading) == ("Day", 7, "17 to 23 November")
    assert strip.bars[1].title == "Tuesday 18 November: 2 events, 2 animal"
    assert strip.bars[1].url == "/?date=2025-11-18"
    assert strip.bars[6].label == "Today"
    assert strip.marks == ("17 Nov", "19 Nov", "20 Nov", "21 Nov", "23 Nov")
    assert strip.earlier
    assert strip.earlier.url == "/?date=2025-11-10&end_date=2025-11-16"
    assert strip.later is None


def test_without_a_day_the_last_thirty_are_shown_and_a_long_stretch_is_cut() -> None:
    assert strip_days(GalleryQuery(), ZONE, NOW) == (date(2025, 10, 25), date(2025, 11, 23))
    first, last = strip_days(GalleryQuery(date="2020-01-01", end_date="2025-01-01"), ZONE, NOW)
    assert (last - first, last) == (timedelta(days=91), date(2025, 1, 1))


def test_nothing_at_all() -> None:
    strip = of_today(query=GalleryQuery(date="yesterday"))
    assert strip.summary == "nothing moved"
    assert strip.legend == ()
    assert strip.later
    assert (strip.later.label, strip.later.url) == ("The day after", "/?date=2025-11-23")


def test_the_hour_that_clocks_repeat_is_one_bar() -> None:
    day = date(2025, 10, 26)
    counts = [
        StripCount(datetime(2025, 10, 26, hour, tzinfo=UTC), Category.PERSON, 1) for hour in (0, 1)
    ]  # both are 02:00 in Berlin
    strip = strip_view(counts, GalleryQuery(date=day.isoformat()), site=SITE, now=NOW)
    assert strip.bars[2].total == 2


def test_a_timeline_gives_the_categories_that_are_asked_for() -> None:
    start = datetime(2025, 11, 23, 7, tzinfo=UTC)
    timeline = Timeline(start, start, [Bucket(start, {"person": 3, "animal": 1, "pending": 2})])
    assert [(entry.category, entry.events) for entry in strip_counts(timeline, GalleryQuery())] == [
        (Category.PERSON, 3),
        (Category.ANIMAL, 1),
        (None, 2),
    ]
    asked = GalleryQuery(category=(Category.ANIMAL,))
    assert [entry.events for entry in strip_counts(timeline, asked)] == [1]
