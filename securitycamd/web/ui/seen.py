"""What was seen in the pictures, from the words of a model: untrusted, so parsed defensively."""

import json
from collections.abc import Sequence
from typing import Final

from securitycamd.domain.models import Detection, Event
from securitycamd.domain.names import Category
from securitycamd.web.ui.contexts import Badge, Grade, Tag

# More than these on one event are noise, and a hostile list must not fill a page.
MOST_OBJECTS: Final = 12
LONGEST_LABEL: Final = 40
GOOD_PERCENT: Final = 70
FAIR_PERCENT: Final = 40

_PERSONS: Final = frozenset({"person", "people", "man", "men", "woman", "women", "child", "children", "boy", "girl"})
_VEHICLES: Final = frozenset(
    (
        "car",
        "van",
        "truck",
        "bus",
        "lorry",
        "pickup",
        "suv",
        "taxi",
        "vehicle",
        "motorcycle",
        "motorbike",
        "scooter",
        "bicycle",
        "bike",
        "tractor",
        "trailer",
        "train",
        "boat",
    )
)
_ANIMALS: Final = frozenset(
    (
        "dog",
        "cat",
        "bird",
        "horse",
        "sheep",
        "cow",
        "fox",
        "deer",
        "rabbit",
        "squirrel",
        "hedgehog",
        "raccoon",
        "badger",
        "bear",
        "goat",
        "pig",
        "duck",
        "chicken",
        "animal",
    )
)
_PLURALS: Final = (
    {"person": "people", "bus": "buses", "lorry": "lorries", "fox": "foxes"}
    | {word: word for word in ("sheep", "deer", "people", "men", "women", "children")}
    | {"man": "men", "woman": "women", "child": "children"}
)


def detections(event: Event) -> tuple[Detection, ...]:
    """The objects of ``event.ai_objects``; what does not look like one is left out."""
    try:
        entries = json.loads(event.ai_objects or "[]")
    except (ValueError, RecursionError):
        return ()
    if not isinstance(entries, list):
        return ()
    found = (_detection(entry) for entry in entries[:MOST_OBJECTS])
    return tuple(detection for detection in found if detection)


def _detection(entry: object) -> Detection | None:
    if not isinstance(entry, dict):
        return None
    label, number = entry.get("label"), entry.get("count", 1)
    if not isinstance(label, str) or not label.strip() or isinstance(number, bool) or not isinstance(number, int):
        return None
    if not 1 <= number <= 1000:
        return None
    return Detection(" ".join(label.split())[:LONGEST_LABEL], number)


def category_of(label: str) -> Category:
    """The category of an object's label; compound labels count by any of their words."""
    words = {word.strip(".,") for word in label.lower().split()}
    singular = words | {word.removesuffix("s") for word in words}
    for known, category in (
        (_PERSONS, Category.PERSON),
        (_VEHICLES, Category.VEHICLE),
        (_ANIMALS, Category.ANIMAL),
    ):
        if singular & known:
            return category
    return Category.UNKNOWN


CATEGORY_LABELS: Final = {category: category.value for category in Category} | {
    Category.LIGHT: "light or weather",
    Category.UNKNOWN: "not clear",
}


def tags_of(event: Event) -> tuple[Tag, ...]:
    """A tag for each category that was seen, what the event shows above all first; the rest the most telling first.

    An object of no known category speaks by its label.
    """
    labels: dict[Category, str] = {}
    if event.ai_person_detected:
        labels[Category.PERSON] = CATEGORY_LABELS[Category.PERSON]
    for detection in detections(event):
        category = category_of(detection.label)
        is_known = category is not Category.UNKNOWN
        labels.setdefault(category, CATEGORY_LABELS[category] if is_known else detection.label)
    above_all = event.ai_category
    if above_all is not None and above_all not in labels and (above_all is not Category.UNKNOWN or not labels):
        labels[above_all] = CATEGORY_LABELS[above_all]
    ordered = sorted(labels, key=lambda category: (category is not above_all, list(Category).index(category)))
    return tuple(Tag(category, labels[category]) for category in ordered)


def objects_text(found: Sequence[Detection]) -> str:
    """The objects in a line: ``2 people, 1 van``."""
    return ", ".join(_counted(detection) for detection in found)


def _counted(detection: Detection) -> str:
    label, number = detection.label, detection.count
    if number == 1:
        return f"1 {label}"
    word = label.lower()
    if word in _PLURALS:
        return f"{number} {_PLURALS[word]}"
    # Only words we know: a plural of anything a model may say would often be wrong.
    if word in _PERSONS | _VEHICLES | _ANIMALS:
        return f"{number} {label}s"
    return f"{number} × {label}"


def badge_of(event: Event) -> Badge:
    """How sure the models were; before they looked, how sure the camera was of the motion (a number, 100 is a lot).

    An agent that tells neither tells how many pixels changed.
    """
    pixels = f"{event.motion_score:,.0f} pixels changed"
    # Graded as printed: 39.6 reads 40 and is graded as 40.
    score = None if event.confidence_score is None else round(event.confidence_score)
    motion = pixels if score is None else f"Motion confidence {score:,}; {pixels}"
    if event.ai_confidence is not None and event.ai_processed:
        text = percent_text(event.ai_confidence)
        sure = int(text.partition(" ")[0])
        return Badge("sure", text, f"The models are {text} sure. {motion}", sure, _grade(sure))
    if score is None:
        return Badge("motion", f"{event.motion_score:,.0f} px", pixels, None, "none")
    return Badge("motion", f"{score:,}", motion, min(100, max(0, score)), _grade(score))


def _grade(score: int) -> Grade:
    if score >= GOOD_PERCENT:
        return "good"
    return "fair" if score >= FAIR_PERCENT else "poor"


def percent_text(share: float) -> str:
    """``94 %`` of a share of 1; rows of the older system hold percents instead."""
    percent = share if share > 1 else share * 100
    return f"{min(100.0, max(0.0, percent)):.0f} %"
