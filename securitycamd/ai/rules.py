"""Reading prose by rules: which things it says are there, with negation.

The last resort when the text model cannot give a structure, and deliberately simple: English nouns, number
words before them, and the ways in which a vision model says that something is *not* there.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from securitycamd.domain.models import Detection

_IRREGULAR: Final = {
    "man": "men", "woman": "women", "person": "people", "child": "children", "policeman": "policemen",
    "postman": "postmen", "gentleman": "gentlemen", "sheep": "sheep", "deer": "deer",
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSON_NOUNS: Final = _words(
    "person man woman child boy girl kid toddler baby teenager adult pedestrian human individual guy lady "
    "gentleman someone somebody figure cyclist courier postman mailman policeman officer worker visitor "
    "jogger intruder stranger passerby"
)

_OTHER_NOUNS: Final = {
    "car": "car sedan suv hatchback taxi", "truck": "truck lorry pickup", "van": "van minivan", "bus": "bus",
    "vehicle": "vehicle", "bicycle": "bicycle bike", "motorcycle": "motorcycle motorbike scooter moped",
    "dog": "dog puppy", "cat": "cat kitten", "bird": "bird pigeon crow seagull", "horse": "horse",
    "cow": "cow", "sheep": "sheep", "deer": "deer", "fox": "fox", "squirrel": "squirrel", "rabbit": "rabbit",
    "animal": "animal", "package": "package parcel", "box": "box", "bag": "bag backpack suitcase",
    "umbrella": "umbrella", "ladder": "ladder",
}  # fmt: skip

_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "another": 1, "two": 2, "both": 2, "couple": 2, "three": 3, "several": 3,
    "few": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_PLURAL_COUNT: Final = 2
"""What a plural without a number counts as: the least it can mean."""
_NUMBER_DISTANCE: Final = 3

# These deny whatever is named after them, up to the end of their clause.
_DENIALS: Final = _words("no without nobody none neither nor zero 0 absence devoid void lack lacks lacking whether if")
# These deny a verb; they reach a noun only when the verb is one of showing, or an article follows at once.
_VERB_DENIALS: Final = frozenset({"not", "never", "cannot"})
_SHOWING: Final = _words(
    "a an any show shows showing see seen contain contains containing include includes feature features "
    "depict depicts have has reveal reveals capture captures detect detected identify observe notice find "
    "appear appears"
)
# "No longer there" says that it was there; "not only a man" says that he is.
_NO_DENIAL_BEFORE: Final = frozenset({"longer", "only", "just", "doubt"})
_NO_DENIAL_AFTER: Final = frozenset({"as", "even"})
_SCOPE_ENDS: Final = _words("but however although though while whereas except besides apart yet because when than")
_ASSERTIONS: Final = frozenset({"the", "some", "there", "it", *_NUMBERS} - {"both"})

_TOKEN: Final = re.compile(r"[a-z]+(?:['-][a-z]+)*|\d+|,")
_SENTENCE: Final = re.compile(r"[^.!?;:]+[.!?;:]?")
_DENIED_AFTERWARDS: Final = re.compile(
    r"(?:(?:or|and|nor) \S+ )*"
    r"(?:(?:is|are|was|were|can|could|do|does|did|has|have|been|to|be|seem|seems|appear|appears) )*"
    r"(?:absent\b|(?:not|never|cannot|[a-z]+n't) (?:(?:to|be|been|appear|currently) ){0,2}"
    r"(?:visible|present|seen|detected|shown|there|noticeable|discernible|evident|observed|found|in))\b"
)
_WORDS_LOOKED_AT_AFTERWARDS: Final = 12

PERSON: Final = "person"


def _plural(noun: str) -> str:
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2] not in "aeou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _vocabulary() -> dict[str, tuple[str, bool]]:
    """Word -> (label, whether it is a plural)."""
    groups = {PERSON: _PERSON_NOUNS} | {label: nouns.split() for label, nouns in _OTHER_NOUNS.items()}
    words = {_plural(noun): (label, True) for label, nouns in groups.items() for noun in nouns}
    words |= {noun: (label, False) for label, nouns in groups.items() for noun in nouns}
    return words | {"persons": (PERSON, True), "passersby": (PERSON, True)}


_VOCABULARY: Final = _vocabulary()


def find_objects(prose: str) -> tuple[Detection, ...]:
    """The things that ``prose`` says are there; people, whatever they are called, under the label ``person``.

    A thing named several times counts as often as the largest number said of it.
    """
    counts: dict[str, int] = {}
    for sentence in _SENTENCE.findall(prose.lower().replace("’", "'")):
        # A question, often the prompt's own given back, asserts nothing.
        if not sentence.endswith("?"):
            for label, count in _asserted(_TOKEN.findall(sentence)):
                counts[label] = max(count, counts.get(label, 0))
    return tuple(Detection(label, count) for label, count in counts.items())


def names_person(label: str) -> bool:
    """Whether a short label such as ``young woman`` is one of a person."""
    return PERSON in _kinds(label)


def kind_of(label: str) -> str:
    """The common name of what a short label means, such as ``car`` for ``red sedan``; the label, when unknown."""
    kinds = _kinds(label)
    return PERSON if PERSON in kinds else next((kind for kind in kinds if kind), label)


def _kinds(label: str) -> list[str]:
    return [_VOCABULARY.get(_bare(token), ("", False))[0] for token in _TOKEN.findall(label.lower())]


def _asserted(tokens: Sequence[str]) -> Iterator[tuple[str, int]]:
    denied = False
    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        if token in _SCOPE_ENDS or (token in {",", "and"} and following in _ASSERTIONS):
            denied = False
        elif _denies(tokens, position, following):
            denied = True
        elif (found := _VOCABULARY.get(_bare(token))) and not denied:
            label, is_plural = found
            rest = tokens[position + 1 : position + 1 + _WORDS_LOOKED_AT_AFTERWARDS]
            if not _DENIED_AFTERWARDS.match(" ".join(rest)):
                yield label, _count(tokens, position, is_plural=is_plural)


def _denies(tokens: Sequence[str], position: int, following: str) -> bool:
    word = tokens[position]
    if following in _NO_DENIAL_BEFORE:
        return False
    if word in _DENIALS:
        return position == 0 or tokens[position - 1] not in _NO_DENIAL_AFTER
    if word in {"free", "empty"}:
        return following == "of"
    if word in _VERB_DENIALS or word.endswith("n't"):
        return not _SHOWING.isdisjoint(tokens[position + 1 : position + 3])
    return False


def _count(tokens: Sequence[str], position: int, *, is_plural: bool) -> int:
    for word in reversed(tokens[max(0, position - _NUMBER_DISTANCE) : position]):
        if word == "," or _bare(word) in _VOCABULARY:
            break
        if word in _NUMBERS:
            # "A group of people" has an article of its own, but not of the people.
            number = _NUMBERS[word]
            return max(number, _PLURAL_COUNT) if is_plural else number
        if word.isdecimal():
            return int(word[:3])
    return _PLURAL_COUNT if is_plural else 1


def _bare(word: str) -> str:
    return word.removesuffix("'s")
