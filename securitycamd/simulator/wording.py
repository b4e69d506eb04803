"""What the stand-in says, and what it understands of what it said.

The vision stage is asked for prose and the text stage for structure, in two calls. So the prose has a fixed
form, from which the second call reads the counts back: like a real model it knows no more than its prompt.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from securitycamd.simulator.detector import Sighting

MARK: Final = "(demo detector)"
UNTOLD_PERCENT: Final = 50
"""Of seeing nobody, and of other people's prose."""
PHRASE_KINDS: Final = 2

_NUMBERS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_PLURALS: Final = {"person": "people", "bus": "buses"}
_ORDER: Final = ("person", "bicycle", "motorbike", "car", "truck", "bus", "dog", "cat", "horse")
_SINGULARS: Final = {(_PLURALS.get(label) or f"{label}s"): label for label in _ORDER} | {
    label: label for label in _ORDER
}
_NOTHING: Final = "nobody, no vehicle and no animal"
_COUNTED: Final = re.compile(rf"\b(an?|\d+|{'|'.join(_NUMBERS[1:])}) ({'|'.join(_SINGULARS)})\b", re.IGNORECASE)
_SHOWN: Final = re.compile(r"\bshows? ([^.]*)\.", re.IGNORECASE)
_SURE: Final = re.compile(r"Confidence: (\d+) %")


def prose(sightings: Sequence[Sighting]) -> str:
    """A description of one picture, or of several and what changed between the first and the last."""
    if len(sightings) == 1:
        sentences = [f"The picture shows {listed(sightings[0].counts)}."]
    else:
        names = [f"Picture {chr(ord('A') + index)}" for index in range(len(sightings))]
        sentences = [
            f"{name} shows {listed(sighting.counts)}." for name, sighting in zip(names, sightings, strict=True)
        ]
        sentences.append(_change(sightings[0].counts, sightings[-1].counts))
    confidence = max((sighting.confidence for sighting in sightings), default=0.0)
    if confidence > 0:
        sentences.append(f"Confidence: {confidence * 100:.0f} %.")
    return f"{MARK} {' '.join(sentences)}"


def understood(text: str) -> Sighting:
    """The counts (the most of each thing in any picture) and confidence that a text of ``prose`` tells of.

    A text of somebody else's is searched for counted things.
    """
    own = "\n".join(part.partition("\n")[0] for part in text.split(MARK)[1:])
    shown = _SHOWN.findall(own) if own else [text]
    counts: Counter[str] = Counter()
    for part in shown:
        here: Counter[str] = Counter()
        for number, name in _COUNTED.findall(part):
            here[_SINGULARS[name.lower()]] += _number(number.lower())
        counts |= here
    percents = [int(percent) for percent in _SURE.findall(own)]
    return Sighting(counts, max(percents, default=UNTOLD_PERCENT) / 100)


def description_in(text: str) -> str:
    """The description a prompt carries, with its mark; or, without one, what can be understood of it."""
    parts = [part.partition("\n")[0].strip() for part in text.split(MARK)[1:]]
    if parts:
        return f"{MARK} {' '.join(parts)}"
    return prose([understood(text)])


def phrase(counts: Counter[str]) -> str:
    """A few words for a list: ``Two people and a car in view``."""
    if not counts:
        return "Motion, nobody in view"
    first = [label for label in _ORDER if counts[label]][:PHRASE_KINDS]
    words = listed(Counter({label: counts[label] for label in first}))
    return f"{words[0].upper()}{words[1:]} in view"


def listed(counts: Counter[str]) -> str:
    """``two people, a car and a bicycle``, people first."""
    parts = [_counted(label, counts[label]) for label in _ORDER if counts[label]]
    if not parts:
        return _NOTHING
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _change(before: Counter[str], after: Counter[str]) -> str:
    come, gone = after - before, before - after
    if come and gone:
        return f"In between, {listed(come)} came into view and {listed(gone)} left it."
    if come:
        return f"In between, {listed(come)} came into view."
    if gone:
        return f"In between, {listed(gone)} left the view."
    return "In between, what is there stayed the same in kind and number."


def _counted(label: str, number: int) -> str:
    if number == 1:
        return f"a {label}"
    word = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
    return f"{word} {_PLURALS.get(label) or f'{label}s'}"


def _number(word: str) -> int:
    if word in {"a", "an"}:
        return 1
    return int(word) if word.isdigit() else _NUMBERS.index(word)
