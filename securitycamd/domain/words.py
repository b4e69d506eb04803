"""Words: how texts are cut into them to be found again, what a person types to find them, and where the hits are.

A word is kept in a spelling of ASCII letters and digits, so that no server's idea of letters, of words too short or
too common to search for, or of operators stands between what was written and what is found:

- capitals, accents and widths do not count (``Straße`` and ``STRASSE`` are one word);
- what has other letters than ASCII's is written as four digits of base 36 a character after an underscore;
- short words, and those that MariaDB leaves out by default, end with underscores, which makes them like the others;
- scripts that set no spaces between words are cut into pairs of characters.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

WORD_LIMIT: Final = 19
"""Characters of a word that count."""
KEPT_LIMIT: Final = 60_000
"""Characters of all words of an event, as they are kept."""
TERMS_LIMIT: Final = 12
"""Terms of a search that count."""
TEXT_LIMIT: Final = 500
"""Characters of a search that are read."""
_PAD: Final = "___"
_SHORT: Final = 4
# InnoDB's list of words that it leaves out, those of four letters or more.
_LEFT_OUT: Final = frozenset({"about", "from", "that", "this", "what", "when", "where", "will", "with"})
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
# Kana, Han, and the scripts of South-East Asia that set no spaces.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


class Word(NamedTuple):
    """A word of a text: its spelling, and where it stands there."""

    spelling: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """Words that shall stand one after another; of a prefix the last one need only begin so."""

    spellings: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False

    @property
    def is_one_word(self) -> bool:
        """Whether it is a single whole word."""
        return len(self.spellings) == 1 and not self.is_prefix


@dataclass(frozen=True, slots=True)
class Search:
    """What a person typed, understood: events match that have every term, and none of those excluded."""

    terms: tuple[Term, ...] = ()
    ignored: tuple[str, ...] = ()
    """Parts that hold no letter or digit, or were too many."""

    @property
    def asks(self) -> bool:
        """Whether anything is searched for."""
        return bool(self.terms)

    @property
    def is_one_word(self) -> bool:
        """Whether it is a single whole word."""
        return len(self.terms) == 1 and self.terms == self.wanted and self.terms[0].is_one_word

    @property
    def wanted(self) -> tuple[Term, ...]:
        """The terms that must be there."""
        return tuple(term for term in self.terms if not term.is_excluded)


@lru_cache(maxsize=4096)
def _letters(character: str) -> str:
    """What of a character counts: lower case, no accents, compatible forms as one."""
    return "".join(each for each in unicodedata.normalize("NFKD", character).casefold() if each.isalnum())


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= _UNSPACED[0][0] and any(first <= code <= last for first, last in _UNSPACED)


def _encoded(letters: str, *, is_whole: bool) -> str:
    if not letters.isascii():
        digits = []
        for character in letters:
            code, group = ord(character), ""
            for _ in range(4):
                code, digit = divmod(code, 36)
                group = _DIGITS[digit] + group
            digits.append(group)
        return "_" + "".join(digits)
    if is_whole and (len(letters) < _SHORT or letters in _LEFT_OUT):
        return letters + _PAD
    return letters


_CHUNK: Final = re.compile(r"\S+")
_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+")


def words_in(text: str) -> Iterator[Word]:
    """The words of a text, in order; of scripts without spaces overlapping pairs of characters."""
    # No word reaches over a space. Most of what is written about footage is ASCII, and need not be gone through by
    # the character: a search marks its words in every text that it shows.
    for chunk in [(0, len(text))] if text.isascii() else [found.span() for found in _CHUNK.finditer(text)]:
        start, end = chunk
        if text[start:end].isascii():
            for found in _ASCII_WORD.finditer(text, start, end):
                yield Word(_encoded(found[0][:WORD_LIMIT].lower(), is_whole=True), found.start(), found.end())
        else:
            yield from spelled_out(text, start, end)


def spelled_out(text: str, start: int, end: int) -> Iterator[Word]:
    """The words of a stretch of a text that ends where a word does, whatever they are written in."""
    first = start
    run = ""
    for place, character in enumerate([*text[start:end], " "], start):
        if run and _is_mark(character):
            continue
        letters = _letters(character)
        if letters and not _is_unspaced(character):
            first = first if run else place
            run += letters
            continue
        if run:
            yield Word(_encoded(run[:WORD_LIMIT], is_whole=True), first, place)
            run = ""
        if letters:
            following = text[place + 1 : place + 2]
            pair = _letters(following) if following and _is_unspaced(following) else ""
            yield Word(_encoded(letters + pair, is_whole=True), place, place + (2 if pair else 1))


def index_text(parts: Sequence[str], month: str) -> str:
    """The words of texts as they are kept: each with the month, spaces between and around, a stop between the texts."""
    spelled = (" ".join(f"{word.spelling}_{month}" for word in words_in(part)) for part in parts)
    return f" {' . '.join(filter(None, spelled))} "[:KEPT_LIMIT]


_TYPED: Final = re.compile(r'(-?)"([^"]*)"?|(\S+)')


@lru_cache(maxsize=256)
def read_search(text: str) -> Search:
    """What a person typed, understood. No text is an error.

    Words must all be there; ``"in quotes"`` one after another; ``veh*`` is a beginning; ``-word`` must not be there.
    """
    terms: dict[Term, None] = {}
    ignored: list[str] = []
    for match in _TYPED.finditer(text[:TEXT_LIMIT]):
        minus, quoted, bare = match.groups()
        chunk = bare if quoted is None else quoted
        is_excluded = minus == "-" if quoted is not None else chunk.startswith("-")
        spellings = _spellings(chunk)
        if not spellings or len(terms) >= TERMS_LIMIT:
            if chunk.strip():
                ignored.append(match[0])
            continue
        is_prefix = quoted is None and chunk.endswith("*")
        if is_prefix or (len(spellings) == 1 and _is_single_unspaced(chunk)):
            spellings = (*spellings[:-1], _beginning(chunk))
            is_prefix = True
        terms[Term(spellings, is_prefix=is_prefix, is_excluded=is_excluded)] = None
    return Search(tuple(terms), tuple(ignored))


def _spellings(chunk: str) -> tuple[str, ...]:
    found = list(words_in(chunk))
    # The last character of a run of pairs stands by itself only where a run ends; what is typed may go on in the text.
    if len(found) > 1 and found[-1].end == found[-2].end:
        found.pop()
    return tuple(word.spelling for word in found)


def _is_single_unspaced(chunk: str) -> bool:
    letters = [character for character in chunk if _letters(character)]
    return len(letters) == 1 and _is_unspaced(letters[0])


def _beginning(chunk: str) -> str:
    """The last word of a chunk, as every word that begins so is written."""
    last = list(words_in(chunk))[-1]
    letters = "".join(map(_letters, chunk[last.start : last.end]))[:WORD_LIMIT]
    return _encoded(letters, is_whole=False)


# --- hits in a text --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text; ``is_hit``: it was searched for."""

    text: str
    is_hit: bool


def marked(text: str, search: Search, *, limit: int = 0) -> tuple[Piece, ...]:
    """The text in pieces, with the hits marked; cut to about ``limit`` characters (0: whole) around the first hit."""
    hits = _hits(text, search)
    start, end = _cut(text, hits, limit)
    pieces: list[Piece] = []

    def put(piece: str, *, is_hit: bool) -> None:
        if piece:
            pieces.append(Piece(piece, is_hit))

    place = start
    if start:
        put("…", is_hit=False)
    for first, last in hits:
        if first < place or last > end:
            continue
        put(text[place:first], is_hit=False)
        put(text[first:last], is_hit=True)
        place = last
    put(text[place:end], is_hit=False)
    if end < len(text):
        put("…", is_hit=False)
    return tuple(pieces)


def _hits(text: str, search: Search) -> list[tuple[int, int]]:
    words = list(words_in(text))
    found = sorted(
        (words[place].start, words[place + len(term.spellings) - 1].end)
        for term in search.wanted
        for place in _places(words, term)
    )
    merged: list[tuple[int, int]] = []
    for first, last in found:
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _places(words: Sequence[Word], term: Term) -> list[int]:
    """Where a term begins among the words of a text."""
    places = list(range(len(words) - len(term.spellings) + 1))
    for number, spelling in enumerate(term.spellings):
        if term.is_prefix and number == len(term.spellings) - 1:
            places = [place for place in places if words[place + number].spelling.startswith(spelling)]
        else:
            places = [place for place in places if words[place + number].spelling == spelling]
    return places


def _cut(text: str, hits: list[tuple[int, int]], limit: int) -> tuple[int, int]:
    if not limit or len(text) <= limit:
        return 0, len(text)
    first = hits[0][0] if hits else 0
    start = max(0, min(first - limit // 4, len(text) - limit))
    end = min(len(text), start + limit)
    # At the edges of words.
    while 0 < start < first and text[start - 1 : start + 1].isalnum():
        start += 1
    while end < len(text) and text[end - 1 : end + 1].isalnum() and not any(a < end <= b for a, b in hits[:1]):
        end -= 1
    return start, max(end, start)
