"""Kept counts: how many rows a series has in a month, a day, an hour or a minute.

They move in the transaction that adds or removes the rows, so a total, and the place of any page, costs the same at
a thousand rows and at ten million. A stretch of time is counted from coarse spans inside and fine ones at its edges;
what is left at the edges is counted for real by the caller.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, or_, select

from securitycamd.db.engine import Database, Transaction
from securitycamd.db.statements import Query, insert_text, one_of
from securitycamd.db.tables import tallies
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.times import EARLIEST

_T = tallies.c
ADD: Final = insert_text(
    "tallies", ("series", "span", "start", "n"), suffix="ON DUPLICATE KEY UPDATE n = n + VALUES(n)"
)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The spans in which a kind of row is counted, coarsest first."""

    spans: tuple[str, ...]


EVENT_LADDER: Final = Ladder(("month", "day", "hour"))
LOG_LADDER: Final = Ladder(("day", "hour", "minute"))


def floor(moment: datetime, span: str) -> datetime:
    """The start of the span that ``moment`` lies in."""
    match span:
        case "minute":
            return moment.replace(second=0, microsecond=0)
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "day":
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        case "month":
            return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    raise ValueError(span)


def after(start: datetime, span: str) -> datetime:
    """The start of the span that follows the one which starts at ``start``."""
    if span == "month":
        return floor(start + timedelta(days=31), "month")
    return start + timedelta(**{f"{span}s": 1})


def ceiling(moment: datetime, span: str) -> datetime:
    """The first start of a span at or after ``moment``."""
    start = floor(moment, span)
    return start if start == moment else after(start, span)


async def add(transaction: Transaction, ladder: Ladder, counts: Iterable[tuple[str, datetime, int]]) -> None:
    """Move the counts of ``(series, moment, rows)``; negative for rows that go."""
    sums: dict[tuple[str, str, datetime], int] = {}
    for series, moment, rows in counts:
        for span in ladder.spans:
            key = (series, span, floor(moment, span))
            sums[key] = sums.get(key, 0) + rows
    await transaction.insert_many(
        ADD,
        # In one order everywhere, so that two transactions wait for each other instead of deadlocking.
        [
            {"series": series, "span": span, "start": time_out(start), "n": rows}
            for (series, span, start), rows in sorted(sums.items())
        ],
    )


def _since(ladder: Ladder) -> Query:
    coarse, middle, fine = ladder.spans
    return Query(
        select(func.coalesce(func.sum(_T.n), 0)).where(
            one_of(_T.series, "series"),
            or_(
                and_(_T.span == coarse, _T.start >= bindparam("coarse")),
                and_(_T.span == middle, _T.start >= bindparam("middle"), _T.start < bindparam("coarse")),
                and_(_T.span == fine, _T.start >= bindparam("fine"), _T.start < bindparam("middle")),
            ),
        )
    )


_SINCE: Final = {ladder: _since(ladder) for ladder in (EVENT_LADDER, LOG_LADDER)}


async def since(
    session: Transaction | Database, ladder: Ladder, series: Iterable[str], moment: datetime | None
) -> tuple[int, datetime]:
    """Rows at or after ``moment`` (``None``: all rows), but for those before the returned edge.

    The caller counts the rows between ``moment`` and the edge, less than one finest span, itself.
    """
    start = moment or EARLIEST
    # Coarser edges from finer ones, so that each span's stretch ends where the coarser one's begins.
    fine = ceiling(start, ladder.spans[2])
    middle = ceiling(fine, ladder.spans[1])
    coarse = ceiling(middle, ladder.spans[0])
    row = await session.row(
        _SINCE[ladder],
        series=list(series),
        coarse=time_out(coarse),
        middle=time_out(middle),
        fine=time_out(fine),
    )
    return (int(row[0]) if row else 0), (fine if moment is not None else EARLIEST)


def _place() -> Query:
    rows = func.sum(_T.n)
    newest_first = (
        select(
            _T.start,
            (func.sum(rows).over(order_by=_T.start.desc()) - rows).label("newer"),
            rows.label("here"),
        )
        .where(
            one_of(_T.series, "series"),
            _T.span == bindparam("span"),
            _T.start >= bindparam("start"),
            _T.start < bindparam("end"),
        )
        .group_by(_T.start)
        .having(rows > 0)
        .subquery()
    )
    return Query(
        select(newest_first.c.start, newest_first.c.newer)
        .where(newest_first.c.newer <= bindparam("rank"))
        .where(newest_first.c.newer + newest_first.c.here > bindparam("rank"))
    )


_PLACE: Final = _place()


async def place(
    session: Transaction | Database, ladder: Ladder, series: Iterable[str], rank: int
) -> tuple[datetime, int] | None:
    """Where the row number ``rank`` (0: the newest) is: before the returned moment, after skipping so many rows.

    ``None`` when there are fewer rows.
    """
    names = list(series)
    # The coarsest span of the earliest row starts before it.
    start, end = floor(EARLIEST, ladder.spans[0]), datetime.max.replace(tzinfo=EARLIEST.tzinfo)
    for span in ladder.spans:
        values: dict[str, Any] = {"start": time_out(start), "end": time_out(end), "span": span, "rank": rank}
        row = await session.row(_PLACE, series=names, **values)
        if row is None:
            return None
        start = time_in(row[0])
        end = after(start, span)
        rank -= int(row[1])
    return end, rank
