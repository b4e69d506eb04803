"""Bounds for what models say: no control characters, no endless text, no absurd numbers.

Pure functions; each gives back its own result unchanged when applied to it again.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from securitycamd.domain.models import Detection

DESCRIPTION_LIMIT: Final = 4000
PHRASE_LIMIT: Final = 200
PHRASE_WORDS: Final = range(3, 9)
LABEL_LIMIT: Final = 40
OBJECTS_LIMIT: Final = 20
COUNT_LIMIT: Final = 99

# Eight words of this length and the spaces between them stay below PHRASE_LIMIT.
_WORD_LIMIT: Final = 24
# A runaway reply is cut before anything costly looks at it.
_RAW_LIMIT: Final = 20_000

# Vietnamese has two on a letter, Hebrew with its cantillation three.
_MARKS_LIMIT: Final = 3
_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))")

_REASONING_START: Final = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_REASONING_END: Final = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_LEAD_IN: Final = re.compile(
    r"^(?:(?:in|on) the (?:first|second|two|both)? ?(?:images?|pictures?|stills?|photos?|frames?),? )?"
    r"(?:(?:the|these|both|this) (?:first |second |two )?"
    r"(?:images?|pictures?|stills?|photos?|frames?|scene) "
    r"(?:shows?|depicts?|features?|captures?|contains?) |(?:there (?:is|are) |(?:i|we|you) (?:can )?see ))?",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.!?;](?:\s|$)")
_EDGES: Final = " \"'`*“”‘’.,;:!?…-–—"
# A phrase cut to its first words must not end on one of these.
_DANGLING: Final = (
    " a an the of and or with in on at to by for from near is are was were that which who while its his her "
    "their this these as into onto toward towards behind beside next there has have been be being "
)
_EMPTY_PHRASE: Final = "Nothing could be described"


def strip_reasoning(text: str) -> str:
    """``text`` without the thoughts that reasoning models put between ``<think>`` and ``</think>``.

    Thoughts come first and the answer last; some templates swallow the opening mark, and a reply that ran
    into its length limit has no closing one.
    """
    ends = list(_REASONING_END.finditer(text))
    answer = text[ends[-1].end() :] if ends else text
    start = _REASONING_START.search(answer)
    return (answer[: start.start()] if start else answer).strip()


def clean_line(text: str, limit: int) -> str:
    """``text`` as one line of at most ``limit`` characters.

    Stretches of white space become one space. Control and formatting characters (among them those that
    reorder text on the screen), halves of surrogate pairs and private characters are left out, and so are orders to a
    terminal. A letter keeps a few of its marks: piled up without end, they are drawn over the rest of a page.
    """
    kept = "".join(map(_kept, _TERMINAL.sub("", text[:_RAW_LIMIT])))
    line = " ".join((kept if kept.isascii() else _few_marks(kept)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _kept(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} else character


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= _MARKS_LIMIT:
            kept.append(character)
    return "".join(kept)


def clean_description(text: str) -> str:
    """The vision model's prose as one paragraph; empty when there is nothing to read in it.

    A model that lost its way repeats one sign for ever, so fewer than three different letters are nothing.
    """
    line = clean_line(strip_reasoning(text), DESCRIPTION_LIMIT)
    letters = {character for character in line.casefold() if character.isalpha()}
    return line if len(letters) >= PHRASE_WORDS.start else ""


def clean_phrase(text: str, description: str) -> str:
    """A phrase of 3 to 8 words: ``text`` when it is one, else one made from it or from ``description``."""
    words = _words(text)
    if len(words) < PHRASE_WORDS.start:
        words = _words(_first_sentence(description))
    if len(words) < PHRASE_WORDS.start:
        words = _words(description)
    if not words:
        return _EMPTY_PHRASE
    if len(words) < PHRASE_WORDS.start:
        words += ["seen", "by", "the", "camera"]
    if len(words) >= PHRASE_WORDS.stop:
        words = words[: PHRASE_WORDS.stop - 1]
        while len(words) > PHRASE_WORDS.start and f" {words[-1].strip(_EDGES).casefold()} " in _DANGLING:
            words.pop()
    phrase = " ".join(words).strip(_EDGES)
    # ASCII only: elsewhere an upper-case letter may be several characters.
    return phrase[0].upper() + phrase[1:] if phrase[0].isascii() else phrase


def _words(text: str) -> list[str]:
    line = clean_line(text, DESCRIPTION_LIMIT).strip(_EDGES)
    short = (word[:_WORD_LIMIT] for word in line.split())
    return [word for word in short if any(map(str.isalnum, word))]


def _first_sentence(description: str) -> str:
    line = _LEAD_IN.sub("", clean_line(description, DESCRIPTION_LIMIT), count=1)
    return _SENTENCE_END.split(line, maxsplit=1)[0]


def clean_objects(objects: Iterable[Detection]) -> tuple[Detection, ...]:
    """At most 20 kinds of things, each once, in lower case, with counts from 1 to 99; no kind of none."""
    counts: dict[str, int] = {}
    for item in objects:
        label = clean_line(item.label, LABEL_LIMIT).lower()[:LABEL_LIMIT].strip()
        if label and item.count > 0:
            counts[label] = min(COUNT_LIMIT, counts.get(label, 0) + min(item.count, COUNT_LIMIT))
    return tuple(Detection(label, count) for label, count in list(counts.items())[:OBJECTS_LIMIT])


def clean_confidence(value: float) -> float:
    """A confidence from 0 to 1; models that were asked for a share often answer in per cent."""
    if not math.isfinite(value):
        return 0.0
    share = value / 100 if value >= 2 else value
    return min(1.0, max(0.0, share))
