import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.ai.rules import find_objects, names_person


def found(prose: str) -> dict[str, int]:
    return {item.label: item.count for item in find_objects(prose)}


@pytest.mark.parametrize(
    ("prose", "people"),
    [
        ("A man walks past.", 1),
        ("Two women carry umbrellas.", 2),
        ("Two young women carry umbrellas.", 2),
        ("Several pedestrians cross the road.", 3),
        ("Pedestrians cross the road.", 2),
        ("A group of people stands there.", 2),
        ("There are 4 children on the lawn.", 4),
        ("SOMEONE is at the door", 1),
        ("A man walks. The man wears a hat.", 1),
        ("The person's shadow moved.", 1),
        # Denied, but not the person.
        ("A person is not moving.", 1),
        ("A man is standing without a hat.", 1),
        ("The man is no longer visible in the second picture.", 1),
        ("The car is not moving near a man.", 1),
        ("The car has not moved, and a man walks past.", 1),
        ("There are no cars, a man is walking.", 1),
        ("There are no cars but two men are walking.", 2),
        ("No cars are visible. A woman walks.", 1),
        ("No one except a courier is there.", 1),
        ("Not only a man but also a dog.", 1),
        ("It looks as if a man walks.", 1),
    ],
)
def test_people_who_are_there(prose: str, people: int) -> None:
    assert found(prose).get("person") == people


@pytest.mark.parametrize(
    "prose",
    [
        "No people are visible.",
        "There are no people or vehicles in the scene.",
        "no man, woman or child",
        "Neither a man nor a woman is there.",
        "The image does not show any people.",
        "The picture doesn’t contain people.",
        "I don't see a person.",
        "There isn't a man.",
        "It is not a person, it is a cat.",
        "People are not visible in either picture.",
        "People and cars are not present.",
        "Persons are absent.",
        "Nobody is there. No one is there.",
        "The street is empty of people.",
        "The street is free of cars and people.",
        "There is a complete absence of people.",
        "A yard without people.",
        "It is unclear whether a person is present.",
        "Is there a person?",
        "A manhole, a snowman and a man-made pond.",
        "",
    ],
)
def test_people_who_are_not_there(prose: str) -> None:
    assert "person" not in found(prose)


def test_a_number_belongs_to_one_noun_only() -> None:
    assert found("Five men watch cats.") == {"person": 5, "cat": 2}
    assert found("Five men, cats.") == {"person": 5, "cat": 2}


def test_things_are_counted_under_their_common_name() -> None:
    assert found("A sedan and two bikes stand by 3 trucks; no dogs, but a kitten.") == {
        "car": 1, "bicycle": 2, "truck": 3, "cat": 1,
    }  # fmt: skip


@pytest.mark.parametrize("label", ["person", "young woman", "People", "delivery man", "children"])
def test_labels_of_people(label: str) -> None:
    assert names_person(label)


@pytest.mark.parametrize("label", ["car", "manhole", "mannequin", "", "no"])
def test_labels_of_other_things(label: str) -> None:
    assert not names_person(label)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                ["no", "not", "a", "man", "men", "is", "visible", ",", ".", "and", "two", "9999", "’s", "if"]
            )
        ).map(" ".join),
    )
)
def test_any_text_can_be_read(prose: str) -> None:
    assert all(item.count >= 0 for item in find_objects(prose))


@given(st.sampled_from(["No {} are visible.", "There are no {}.", "I cannot see any {}.", "{} are not present."]))
def test_denials_hold_for_every_noun(pattern: str) -> None:
    for noun in ("people", "men", "women", "children", "cars", "dogs", "ladies", "buses", "foxes"):
        assert found(pattern.format(noun)) == {}
        assert found(f"Three {noun} are visible.") != {}
