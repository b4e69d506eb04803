"""What an event shows above all: the model's own word where it is one of ours, else read from the prose by rules."""

import re
from collections.abc import Iterable
from typing import Final

from securitycamd.ai.rules import PERSON, find_objects, kind_of
from securitycamd.domain.models import Detection
from securitycamd.domain.names import Category

_VEHICLES: Final = frozenset({"car", "truck", "van", "bus", "vehicle", "bicycle", "motorcycle"})
_ANIMALS: Final = frozenset(
    {"dog", "cat", "bird", "horse", "cow", "sheep", "deer", "fox", "squirrel", "rabbit", "animal"}
)
_PACKAGES: Final = frozenset({"package", "box"})

_WORDS: Final = {
    Category.PERSON: "person people human humans man woman pedestrian",
    Category.VEHICLE: "vehicle vehicles car traffic truck bicycle",
    Category.ANIMAL: "animal animals pet dog cat bird wildlife",
    Category.PACKAGE: "package packages parcel delivery box",
    Category.LIGHT: "light lights lighting weather shadow shadows rain snow wind sun reflection",
    Category.VEGETATION: "vegetation plant plants tree trees foliage leaves grass",
    Category.NOTHING: "nothing none empty no",
    Category.UNKNOWN: "unknown other unclear",
}
_BY_WORD: Final = {word: category for category, words in _WORDS.items() for word in words.split()}
_TOKEN: Final = re.compile(r"[a-z]+")

# What stands still is in the picture, but is not what the event is about.
_STANDING: Final = re.compile(
    r"\b(?:parked|stationary|unmoving)\s+[\w-]+"
    r"|\b[\w-]+\s+(?:is|are|was|were|remains?|stands?|stays?)\s+(?:still\s+)?(?:parked|stationary|unmoving)\b"
    r"|\b[\w-]+\s+parked\s+(?:in|on|at|near|by|along|beside|behind|outside|nearby)\b"
    r"|\b[\w-]+\s+(?:did|does|do|has|have)(?:\s+not|n't)\s+(?:moved?|changed?)\b"
)
_STILL: Final = re.compile(
    r"\bnothing\b(?! else)[^.!?;]{0,40}\b(?:mov|chang|happen|differ)"
    r"|\b(?:no|not any|without)\s+(?!other\b|further\b)(?:[\w-]+\s+){0,3}(?:movements?|motion|changes?|differences?)\b"
    r"|\bunchanged\b|\bidentical\b|\b(?:is|are|was|were|remains?|looks?|stays?)\s+(?:exactly\s+)?the\s+same\b"
)
_SENTENCE: Final = re.compile(r"[^.!?;]+[.!?;]?")
_DENIED: Final = re.compile(r"\b(?:no|not|without|neither|nor|never)\b|n't\b")
_WEATHER: Final = re.compile(
    r"\b(?:rain|raining|raindrops?|snow|snowing|snowflakes?|fog|hail|lightning|headlights?|sunlight|glare)\b"
)
_LIGHT: Final = re.compile(r"\b(?:light|lights|lighting|shadows?|reflections?|sun|clouds?|sky|brightness|exposure)\b")
_LIGHT_CHANGES: Final = re.compile(
    r"\b(?:chang\w+|brighter|darker|dimmer|brighten\w*|darken\w*|dim\w*|shift\w*|mov\w+|flicker\w*|appear\w*|fad\w+|"
    r"turn\w* (?:on|off)|switch\w*|flash\w*|fall\w*|pass\w*)\b"
)
_PLANT: Final = re.compile(
    r"\b(?:trees?|branch(?:es)?|lea(?:f|ves)|bush(?:es)?|grass|plants?|foliage|vegetation|shrubs?|hedges?|flowers?)\b"
)
_PLANT_MOVES: Final = re.compile(
    r"\b(?:sway\w*|mov\w+|blow\w*|wind|windy|breeze|rustl\w*|wav\w+|shak\w*|flutter\w*|bend\w*|fall\w*)\b"
)


def named_category(word: str) -> Category | None:
    """The category that a model's word for one means; ``None`` when it means none of ours."""
    tokens = _TOKEN.findall(word.casefold()[:100])
    return next((_BY_WORD[token] for token in tokens if token in _BY_WORD), None)


def category_by_rules(description: str, objects: Iterable[Detection] = ()) -> Category:
    """What the prose, and the things that were seen besides, are about above all.

    People first, wherever they stand; then what is not said to stand still; then light and weather, and plants that
    move; then that nothing moved; and last what was seen at all.
    """
    text = description.casefold().replace("’", "'")
    seen = {kind_of(item.label) for item in objects} | {item.label for item in find_objects(text)}
    if PERSON in seen:
        return Category.PERSON
    sentences = _SENTENCE.findall(text)
    is_still = _STILL.search(text) is not None
    if not is_still and (moving := _of_things({item.label for item in find_objects(_STANDING.sub(" ", text))})):
        return moving
    if any(_tells(sentence, _LIGHT, _LIGHT_CHANGES) or _tells(sentence, _WEATHER) for sentence in sentences):
        return Category.LIGHT
    if any(_tells(sentence, _PLANT, _PLANT_MOVES) for sentence in sentences):
        return Category.VEGETATION
    return Category.NOTHING if is_still else _of_things(seen) or Category.UNKNOWN


def agreed_category(named: Category | None, description: str, objects: tuple[Detection, ...], person: bool) -> Category:
    """The category of a reading, in agreement with whether a person was detected.

    Args:
        named: what the model said; ``None`` when that was no category.
        description: the prose, for when it said nothing of use.
        objects: what was seen.
        person: whether a person was; then nothing less is what the event is about.
    """
    if person and named not in {Category.VEHICLE, Category.ANIMAL, Category.PACKAGE}:
        return Category.PERSON
    if named is None or (named is Category.PERSON and not person):
        by_rules = category_by_rules(description, objects)
        return by_rules if person or by_rules is not Category.PERSON else Category.UNKNOWN
    return named


def _of_things(labels: set[str]) -> Category | None:
    groups = ((_VEHICLES, Category.VEHICLE), (_ANIMALS, Category.ANIMAL), (_PACKAGES, Category.PACKAGE))
    return next((category for group, category in groups if group & labels), None)


def _tells(sentence: str, *patterns: re.Pattern[str]) -> bool:
    return _DENIED.search(sentence) is None and all(pattern.search(sentence) for pattern in patterns)
