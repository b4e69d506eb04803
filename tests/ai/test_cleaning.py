import math
import unicodedata

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
    clean_confidence,
    clean_description,
    clean_line,
    clean_objects,
    clean_phrase,
    strip_reasoning,
)
from securitycamd.domain.models import Detection

# Whole Unicode, halves of surrogate pairs too: JSON can carry them.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(1, 400))
WORDY = st.lists(st.one_of(ANY_TEXT, st.sampled_from(["a", "man", "the", "<think>", "</think>", "."]))).map(" ".join)
TEXT = st.one_of(ANY_TEXT, LONG_TEXT, WORDY)


def assert_clean(text: str, limit: int) -> None:
    assert len(text) <= limit
    assert not {unicodedata.category(character) for character in text} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert text == text.strip()
    text.encode()


@given(TEXT, st.integers(1, 100))
def test_a_clean_line_is_bounded_and_stays_as_it_is(text: str, limit: int) -> None:
    line = clean_line(text, limit)
    assert_clean(line, limit)
    assert clean_line(line, limit) == line


@given(TEXT)
def test_a_clean_description_is_bounded_and_stays_as_it_is(text: str) -> None:
    description = clean_description(text)
    assert_clean(description, DESCRIPTION_LIMIT)
    assert clean_description(description) == description


@given(TEXT, TEXT)
def test_a_clean_phrase_has_three_to_eight_words_and_stays_as_it_is(text: str, description: str) -> None:
    phrase = clean_phrase(text, description)
    assert_clean(phrase, PHRASE_LIMIT)
    assert len(phrase.split()) in PHRASE_WORDS
    assert clean_phrase(phrase, description) == phrase


@given(st.lists(st.builds(Detection, TEXT, st.integers()), max_size=40))
def test_clean_objects_are_bounded_and_stay_as_they_are(objects: list[Detection]) -> None:
    cleaned = clean_objects(objects)
    assert len(cleaned) <= OBJECTS_LIMIT
    assert len({item.label for item in cleaned}) == len(cleaned)
    for item in cleaned:
        assert item.label
        assert_clean(item.label, LABEL_LIMIT)
        assert 1 <= item.count <= COUNT_LIMIT
    assert clean_objects(cleaned) == cleaned


@given(st.floats())
def test_a_clean_confidence_is_a_share_and_stays_as_it_is(value: float) -> None:
    confidence = clean_confidence(value)
    assert 0 <= confidence <= 1
    assert clean_confidence(confidence) == confidence


@pytest.mark.parametrize(
    ("value", "expected"), [(0.25, 0.25), (85, 0.85), (100, 1), (1.4, 1), (-3, 0), (1e9, 1), (math.nan, 0)]
)
def test_per_cent_are_understood(value: float, expected: float) -> None:
    assert clean_confidence(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nA man? Yes.\n</think>\n\nA man walks.", "A man walks."),
        ("no opening mark</think>A man walks.", "A man walks."),
        ("<THINKING>hm</THINKING> A man walks.", "A man walks."),
        ("<think>a</think><think>b</think>A man walks.", "A man walks."),
        ("<think>never came to an end", ""),
        ("A man walks.", "A man walks."),
    ],
)
def test_thoughts_are_left_out(text: str, expected: str) -> None:
    assert strip_reasoning(text) == expected


def test_control_and_direction_characters_go_and_lines_become_one() -> None:
    assert clean_description("A\x00 man\r\n\twalks\u2028in\u202e \x1b[31mred.\ud800") == "A man walks in red."


@pytest.mark.parametrize("text", ["", "  ", "!!!!!!!!", "GGGGGGGGGGGGGG", "@@@@", "<think>A man", "1 2 3 4"])
def test_what_says_nothing_is_no_description(text: str) -> None:
    assert clean_description(text) == ""


@pytest.mark.parametrize(
    ("text", "description", "expected"),
    [
        ("Man walking up driveway", "", "Man walking up driveway"),
        ('"man walking up driveway."', "", "Man walking up driveway"),
        ("A man is walking up the driveway of the house", "", "A man is walking up the driveway"),
        ("Person", "The image shows a red car in a yard. It is parked.", "A red car in a yard"),
        ("", "In the first image, there is a dog on the lawn.", "A dog on the lawn"),
        ("", "Cat.", "Cat seen by the camera"),
        ("", "", "Nothing could be described"),
    ],
)
def test_phrases_are_mended(text: str, description: str, expected: str) -> None:
    assert clean_phrase(text, description) == expected


def test_objects_are_merged_and_absent_ones_dropped() -> None:
    seen = [
        Detection("Person", 2),
        Detection("dog ", 1),
        Detection(" person", 98),
        Detection("cat", 0),
        Detection("", 3),
    ]
    assert clean_objects(seen) == (Detection("person", 99), Detection("dog", 1))


def test_orders_to_a_terminal_are_left_out_whole() -> None:
    assert (
        clean_line("\x1b[1;31mred\x1b[0m \x1b]0;title\x07and \x1b]8;;x://y\x1b\\link\x1b\x1b[2J", 100) == "red and link"
    )
    assert clean_line("\x1b]0;never ended", 100) == "]0;never ended"


def test_marks_are_not_piled_up() -> None:
    assert clean_line("a" + "\u0301" * 3000 + "b\u0302\u0301", 100) == "a\u0301\u0301\u0301b\u0302\u0301"
    assert clean_line("שָׁ֑לוֹם ế", 100) == "שָׁ֑לוֹם ế"
