"""What is known of the words of a search before the first event is read: how often they occur, month by month."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from securitycamd.db import tallies
from securitycamd.db.engine import Database, Transaction
from securitycamd.db.event_index import month_of, word_series
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.times import EARLIEST, LATEST, Span
from securitycamd.domain.words import Search, Term

_T = tally_table.c
Session = Database | Transaction
BEGINNINGS_LIMIT: Final = 3_000
"""So many counts of words that begin alike are read; of more only that they are many is known."""
WORDS_LIMIT: Final = 60
"""So many words that begin alike are asked for one by one."""
MANY: Final = 10**6

_MONTHS: Final = (_T.span == "month", _T.start >= bindparam("start"), _T.start < bindparam("end"), _T.n > 0)
_OF_WORDS: Final = Query(select(_T.series, _T.start, _T.n).where(one_of(_T.series, "series"), *_MONTHS))
_BEGINNING: Final = Query(
    select(_T.series, _T.start, _T.n)
    .where(_T.series >= bindparam("first"), _T.series < bindparam("last"), *_MONTHS)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of UTC, and what leads to its hits."""

    start: datetime
    at_most: int
    """Events that may match."""
    match: str
    """What the full-text index is asked for."""

    @property
    def end(self) -> datetime:
        """The start of the next one."""
        return tallies.after(self.start, "month")


@dataclass(slots=True)
class _Spoken:
    """In one month: how many events have a word, or a word that begins so; and those words."""

    n: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, series: str, n: int) -> None:
        self.n += n
        self.words.append(series.partition("|")[2])
        if len(self.words) > WORDS_LIMIT:
            self.n = MANY


_Counts = dict[tuple[str, bool], dict[datetime, _Spoken]]
"""By word and whether it is only a beginning, then by month."""


async def months(session: Session, search: Search, span: Span) -> list[Month]:
    """The months in which every wanted word of the search occurs, oldest first."""
    limits = {
        "start": time_out(tallies.floor(span.start or EARLIEST, "month")),
        "end": time_out(span.end or LATEST),
    }
    counts: _Counts = {key: defaultdict(_Spoken) for key in _keys(search.wanted)}
    whole = {word_series(word): (word, is_beginning) for word, is_beginning in counts if not is_beginning}
    if whole:
        for series, start, n in await session.rows(_OF_WORDS, series=list(whole), **limits):
            counts[whole[series]][time_in(start)].add(series, int(n))
    for (word, is_beginning), found in counts.items():
        if is_beginning:
            # Behind every letter, digit and underscore.
            first, last = word_series(word), word_series(f"{word}~")
            rows = await session.rows(_BEGINNING, first=first, last=last, limit=BEGINNINGS_LIMIT, **limits)
            for series, start, n in rows:
                found[time_in(start)].add(series, int(n) if len(rows) < BEGINNINGS_LIMIT else MANY)
    if not counts:
        return []
    common = set.intersection(*(set(found) for found in counts.values()))
    return [_month(start, counts) for start in sorted(common)]


def _keys(terms: Iterable[Term]) -> set[tuple[str, bool]]:
    keys: set[tuple[str, bool]] = set()
    for term in terms:
        *whole, last = term.spellings
        keys |= {(word, False) for word in whole} | {(last, term.is_prefix)}
    return keys


def _month(start: datetime, counts: _Counts) -> Month:
    rarest = min((found[start] for found in counts.values()), key=lambda spoken: spoken.n)
    return Month(start, rarest.n, " ".join(f"{word}_{month_of(start)}" for word in rarest.words[:WORDS_LIMIT]))
