"""What models say is taken for what it is: perhaps useful, perhaps not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category
from securitycamd.web.ui.seen import badge_of, category_of, detections, objects_text, percent_text, tags_of
from tests.web.ui.samples import make_event


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not JSON",
        "{}",
        '"person"',
        "[" * 100_000,
        '[{"label": 1, "count": 1}]',
        '[{"label": " ", "count": 1}]',
        '[{"label": "cat", "count": "2"}, {"label": "cat", "count": true}, {"label": "cat", "count": 0}]',
        '[{"label": "cat", "count": 1e9}, ["cat", 1], null]',
    ],
)
def test_objects_that_are_none(text: str | None) -> None:
    assert detections(make_event(ai_objects=text)) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["label", "count", "x"]), inner),
    max_leaves=20,
)


@given(json_values)
def test_any_json_gives_sound_objects(value: object) -> None:
    event = make_event(ai_objects=json.dumps(value))
    for detection in detections(event):
        assert detection.label.strip()
        assert len(detection.label) <= 40
        assert 1 <= detection.count <= 1000
    assert len(tags_of(event)) <= len(Category)


def test_tags_name_each_category_once() -> None:
    objects = [{"label": label, "count": 1} for label in ("umbrella", "delivery van", "dogs", "car", "bench")]
    tags = tags_of(make_event(ai_objects=json.dumps(objects)))
    assert [(tag.category, tag.label) for tag in tags] == [
        (Category.PERSON, "person"),
        (Category.VEHICLE, "vehicle"),
        (Category.ANIMAL, "animal"),
        (Category.UNKNOWN, "umbrella"),
    ]


def test_categories_need_whole_words() -> None:
    assert category_of("carpet") is Category.UNKNOWN
    assert category_of("Parked cars") is Category.VEHICLE
    assert category_of("a man, walking") is Category.PERSON


def test_objects_are_counted_in_words() -> None:
    found = [Detection("person", 2), Detection("van", 1), Detection("bus", 3), Detection("odd thing", 2)]
    assert objects_text(found) == "2 people, 1 van, 3 buses, 2 × odd thing"


@pytest.mark.parametrize(
    ("score", "value", "percent", "grade"),
    [
        (0.0, "0", 0, "poor"),
        (39.4, "39", 39, "poor"),
        (39.6, "40", 40, "fair"),
        (70.0, "70", 70, "good"),
        (1320.0, "1,320", 100, "good"),
        (None, "1,284 px", None, "none"),
    ],
)
def test_badge(score: float | None, value: str, percent: int | None, grade: str) -> None:
    badge = badge_of(make_event("words", confidence_score=score))
    assert (badge.value, badge.percent, badge.grade) == (value, percent, grade)


def test_once_the_models_looked_the_badge_says_how_sure_they_are() -> None:
    badge = badge_of(make_event(ai_confidence=0.38))
    assert (badge.label, badge.value, badge.percent, badge.grade) == ("sure", "38 %", 38, "poor")
    assert "Motion confidence 86" in badge.title


def test_what_an_event_shows_above_all_comes_first() -> None:
    objects = json.dumps([{"label": "person", "count": 1}, {"label": "van", "count": 1}])
    tags = tags_of(make_event(ai_objects=objects, ai_category=Category.VEHICLE))
    assert [tag.category for tag in tags] == [Category.VEHICLE, Category.PERSON]
    empty = make_event(ai_objects="[]", ai_person_detected=False, ai_category=Category.LIGHT)
    assert [tag.label for tag in tags_of(empty)] == ["light or weather"]


def test_percents_of_both_ages() -> None:
    assert percent_text(0.94) == "94 %"
    assert percent_text(1.0) == "100 %"
    assert percent_text(85.0) == "85 %"
    assert percent_text(250.0) == "100 %"
