import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.ai.cleaning import (
    COUNT_LIMIT,
    DESCRIPTION_LIMIT,
    LABEL_LIMIT,
    OBJECTS_LIMIT,
    PHRASE_LIMIT,
    PHRASE_WORDS,
)
from securitycamd.ai.parsing import (
    RULES_CONFIDENCE,
    Reading,
    combine,
    parse_reply,
    parse_whole_reply,
    read_by_rules,
)
from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category, ReadBy

DESCRIPTION = "A man walks past a parked car."
GOOD: dict[str, object] = {
    "person_detected": True,
    "confidence": 0.8,
    "objects": [{"label": "man", "count": 1}],
    "category": "person",
    "phrase": "Man walks past car",
}

ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
NEAR_REPLIES = st.fixed_dictionaries(
    {
        "person_detected": st.one_of(st.booleans(), JSON),
        "confidence": st.one_of(st.floats(), st.integers(), JSON),
        "objects": st.one_of(
            st.lists(st.fixed_dictionaries({"label": st.text(), "count": st.integers()}), max_size=30), JSON
        ),
        "category": st.one_of(st.sampled_from([*Category, "light/weather", "other"]), st.text(), JSON),
        "phrase": st.one_of(st.text(), JSON),
    }
).map(json.dumps)


def assert_bounded(reading: Reading) -> None:
    assert 0 <= reading.confidence <= 1
    assert len(reading.phrase) <= PHRASE_LIMIT
    assert len(reading.phrase.split()) in PHRASE_WORDS
    assert len(reading.objects) <= OBJECTS_LIMIT
    for item in reading.objects:
        assert 0 < len(item.label) <= LABEL_LIMIT
        assert 1 <= item.count <= COUNT_LIMIT
    reading.phrase.encode()
    assert reading.category in Category
    assert reading.person_detected or reading.category is not Category.PERSON


@given(st.one_of(ANY_TEXT, NEAR_REPLIES, JSON.map(json.dumps)), ANY_TEXT)
def test_any_reply_is_read_within_bounds_or_found_broken(reply: str, description: str) -> None:
    reading = parse_reply(reply, description)
    if reading is not None:
        assert_bounded(reading)


@given(ANY_TEXT)
def test_any_description_is_read_by_rules_within_bounds(description: str) -> None:
    assert_bounded(read_by_rules(description))


def test_a_good_reply() -> None:
    assert parse_reply(json.dumps(GOOD), DESCRIPTION) == Reading(
        person_detected=True,
        confidence=0.8,
        objects=(Detection("man", 1),),
        phrase="Man walks past car",
        category=Category.PERSON,
    )


@pytest.mark.parametrize(
    "wrapped",
    ["```json\n{}\n```", "<think>{{hm}}</think>{}", "Here it is: {} I hope it helps!", "\ud800{}"],
    ids=["fence", "thoughts", "chatter", "surrogate"],
)
def test_what_stands_around_the_object_is_no_matter(wrapped: str) -> None:
    reply = wrapped.replace("{}", json.dumps(GOOD)).replace("{{", "{").replace("}}", "}")
    assert parse_reply(reply, DESCRIPTION) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"person_detected": "yes"},
        {"person_detected": None},
        {"confidence": "high"},
        {"confidence": float("nan")},
        {"objects": "man"},
        {"objects": ["man"]},
        {"objects": [{"label": "man", "count": "one"}]},
        {"category": 3},
        {"phrase": 3},
        {"phrase": None},
    ],
    ids=str,
)
def test_a_broken_schema_is_seen(change: dict[str, object]) -> None:
    assert parse_reply(json.dumps({**GOOD, **change}), DESCRIPTION) is None


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_key_is_seen(missing: str) -> None:
    assert parse_reply(json.dumps({key: value for key, value in GOOD.items() if key != missing}), DESCRIPTION) is None


def test_half_a_surrogate_pair_in_a_reply_is_no_matter() -> None:
    reading = parse_reply(json.dumps(GOOD).replace("Man walks", "Man \ud800walks"), DESCRIPTION)
    assert reading is not None
    assert reading.phrase == "Man ?walks past car"


@pytest.mark.parametrize("reply", ["", "{", "}{", "[]", "null", "A man walks.", '{"person_detected": tr'])
def test_what_is_no_object_is_broken(reply: str) -> None:
    assert parse_reply(reply, DESCRIPTION) is None


def test_a_person_among_the_objects_is_a_person_detected() -> None:
    reading = parse_reply(json.dumps({**GOOD, "person_detected": False}), DESCRIPTION)
    assert reading is not None
    assert reading.person_detected


def test_rules_mark_themselves_and_are_half_sure() -> None:
    assert read_by_rules(DESCRIPTION) == Reading(
        person_detected=True,
        confidence=RULES_CONFIDENCE,
        objects=(Detection("person", 1), Detection("car", 1)),
        phrase="A man walks past a parked car",
        category=Category.PERSON,
        read_by=ReadBy.RULES,
    )
    assert not read_by_rules("No people are visible on the street.").person_detected


def test_both_stages_are_combined() -> None:
    analysis = combine("A man\nwalks.", read_by_rules("A man walks."))
    assert analysis.description == "A man walks."
    assert analysis.person_detected
    assert analysis.objects == (Detection("person", 1),)


WHOLE = {"description": "A man walks\npast a parked car.", **GOOD}


def test_a_whole_reply_holds_description_and_structure() -> None:
    found = parse_whole_reply(f"<think>hm</think>{json.dumps(WHOLE)}")
    assert found is not None
    description, reading = found
    assert description == DESCRIPTION
    assert reading == parse_reply(json.dumps(GOOD), DESCRIPTION)


@pytest.mark.parametrize("description", ["", "!!!!", "GGGG", 3, None])
def test_a_whole_reply_without_a_description_is_broken(description: object) -> None:
    assert parse_whole_reply(json.dumps({**WHOLE, "description": description})) is None
    assert parse_whole_reply(json.dumps(GOOD)) is None


@given(st.one_of(ANY_TEXT, NEAR_REPLIES, JSON.map(json.dumps)), ANY_TEXT)
def test_any_whole_reply_is_read_within_bounds_or_found_broken(reply: str, description: str) -> None:
    with_description = reply.replace("{", f"{{{json.dumps('description')}: {json.dumps(description)}, ", 1)
    for text in (reply, with_description):
        found = parse_whole_reply(text)
        if found is not None:
            assert found[0]
            assert len(found[0]) <= DESCRIPTION_LIMIT
            assert_bounded(found[1])
