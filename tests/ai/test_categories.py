import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.ai.categories import agreed_category, category_by_rules, named_category
from securitycamd.ai.rules import kind_of
from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category


@pytest.mark.parametrize(
    ("prose", "category"),
    [
        ("A man walks past a parked car.", Category.PERSON),
        ("A courier puts a parcel on the step.", Category.PERSON),
        ("A red car drives up. No people are visible.", Category.VEHICLE),
        ("Both pictures show the same driveway. In the second a van enters.", Category.VEHICLE),
        ("A dog runs past a parked car.", Category.ANIMAL),
        ("The car has not moved. A cat sits on its roof.", Category.ANIMAL),
        ("A dog runs over the lawn. Nothing else changed.", Category.ANIMAL),
        ("A package lies at the door that was not there before.", Category.PACKAGE),
        ("The shadows on the wall shifted.", Category.LIGHT),
        ("It is snowing heavily.", Category.LIGHT),
        ("The headlights of something out of view light up the fence.", Category.LIGHT),
        ("The light in the porch turned on; a parked car stands in the yard.", Category.LIGHT),
        ("The branches of the tree sway in the wind.", Category.VEGETATION),
        ("Leaves have moved. No person is there.", Category.VEGETATION),
        ("A parked car and a tree. Nothing has moved.", Category.NOTHING),
        ("There is no visible movement between the two pictures.", Category.NOTHING),
        ("An empty yard. The two pictures are identical.", Category.NOTHING),
        ("A car is parked in the driveway.", Category.VEHICLE),
        ("A wall and a fence.", Category.UNKNOWN),
        ("The light did not change.", Category.UNKNOWN),
        ("", Category.UNKNOWN),
    ],
)
def test_prose_is_put_into_a_category(prose: str, category: Category) -> None:
    assert category_by_rules(prose) is category


def test_what_was_seen_besides_counts_too() -> None:
    assert category_by_rules("A yard.", [Detection("red sedan", 1)]) is Category.VEHICLE
    assert category_by_rules("A yard.", [Detection("young woman", 1)]) is Category.PERSON


@pytest.mark.parametrize(
    ("word", "category"),
    [(str(category), category) for category in Category]
    + [
        ("People", Category.PERSON),
        ("light/weather", Category.LIGHT),
        ("a delivery", Category.PACKAGE),
        ("Category: vehicle.", Category.VEHICLE),
        ("", None),
        ("banana", None),
    ],
)
def test_a_models_word_for_a_category(word: str, category: Category | None) -> None:
    assert named_category(word) is category


@pytest.mark.parametrize(
    ("named", "objects", "person", "category"),
    [
        (Category.PERSON, (), True, Category.PERSON),
        (Category.NOTHING, (), True, Category.PERSON),
        (None, (), True, Category.PERSON),
        (Category.PACKAGE, (), True, Category.PACKAGE),
        (Category.PERSON, (Detection("truck", 1),), False, Category.VEHICLE),
        (Category.PERSON, (), False, Category.UNKNOWN),
        (Category.LIGHT, (Detection("car", 1),), False, Category.LIGHT),
        (None, (Detection("crow", 2),), False, Category.ANIMAL),
    ],
)
def test_the_category_agrees_with_whether_a_person_is_there(
    named: Category | None, objects: tuple[Detection, ...], person: bool, category: Category
) -> None:
    assert agreed_category(named, "A yard.", objects, person) is category


def test_a_person_that_only_the_prose_names_is_not_made_the_category_against_the_model() -> None:
    assert agreed_category(Category.PERSON, "A man walks.", (), person=False) is Category.UNKNOWN


@pytest.mark.parametrize(("label", "kind"), [("red sedan", "car"), ("men", "person"), ("lamp", "lamp"), ("", "")])
def test_labels_have_a_common_name(label: str, kind: str) -> None:
    assert kind_of(label) == kind


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                [
                    "no",
                    "not",
                    "a",
                    "man",
                    "car",
                    "parked",
                    "is",
                    "nothing",
                    "moved",
                    "the",
                    "light",
                    "changed",
                    "tree",
                    "sways",
                    ".",
                    ",",
                    ";",
                    "n't",
                    "identical",
                ]
            ),
            max_size=60,
        ).map(" ".join),
    )
)
def test_any_prose_has_one_category(prose: str) -> None:
    assert category_by_rules(prose) in Category
