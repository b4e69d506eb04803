"""Counts of events by camera and category, as they are kept: for totals, for day strips, and to find what is rare."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, func, select

from securitycamd.db import events, tallies
from securitycamd.db.engine import Database, Row, Transaction
from securitycamd.db.event_index import kind_series
from securitycamd.db.statements import Query, one_of
from securitycamd.db.tables import tallies as tally_table
from securitycamd.db.values import time_in, time_out
from securitycamd.domain.names import Category
from securitycamd.domain.times import EARLIEST, LATEST, Span

_T = tally_table.c
Session = Database | Transaction
Kind = tuple[str, str | None]
"""A camera and a category; ``None``: not looked at yet."""
DAYS_LIMIT: Final = 62
"""Shorter spans are summed by day, longer ones by month."""
EVERY_CATEGORY: Final[tuple[str | None, ...]] = (None, *sorted(Category))

_IN_SPAN: Final = (
    one_of(_T.series, "series"),
    _T.span == bindparam("span"),
    _T.start >= bindparam("start"),
    _T.start < bindparam("end"),
)
_SUMS: Final = Query(select(_T.series, func.sum(_T.n)).where(*_IN_SPAN).group_by(_T.series).having(func.sum(_T.n) > 0))
_CATEGORY_OF: Final = func.substring_index(_T.series, "|", -1)
_BY_START: Final = Query(
    select(_T.start, _CATEGORY_OF, func.sum(_T.n)).where(*_IN_SPAN).group_by(_T.start, _CATEGORY_OF)
)
_AT: Final = Query(
    select(_T.start, _CATEGORY_OF, func.sum(_T.n))
    .where(one_of(_T.series, "series"), _T.span == bindparam("span"), one_of(_T.start, "starts"))
    .group_by(_T.start, _CATEGORY_OF)
)
Counts = dict[datetime, dict[str, int]]
"""By the start of an hour or a day, then by category or "pending"."""


async def at_most(
    session: Session, cameras: Iterable[str], categories: Iterable[str | None], span: Span
) -> tuple[dict[Kind, int], int]:
    """Of each kind that occurs in the span, how many events at most; and of all events. Whole days or months."""
    cameras = list(cameras)
    names: dict[str, Kind] = {
        kind_series(camera_id, category): (camera_id, category) for category in categories for camera_id in cameras
    }
    if not names:
        return {}, 0
    start, end = span.start or EARLIEST, span.end or LATEST
    step = "day" if (end - start).days < DAYS_LIMIT else "month"
    rows = await session.rows(
        _SUMS,
        series=[*names, events.series(None)],
        span=step,
        start=time_out(tallies.floor(start, step)),
        end=time_out(end),
    )
    found = {series: int(n) for series, n in rows}
    everything = found.pop(events.series(None), 0)
    return {names[series]: n for series, n in found.items()}, everything


async def by_start(
    session: Session, cameras: Sequence[str] | None, step: str, start: datetime, end: datetime
) -> Counts:
    """Events of these cameras (``None``: all) by hour or day of UTC, from ``start`` to before ``end``."""
    if cameras is not None and not cameras:
        return {}
    limits = {"span": step, "start": time_out(start), "end": time_out(end)}
    return _counts(await session.rows(_BY_START, series=_series(cameras), **limits))


async def at_hours(session: Session, cameras: Sequence[str] | None, starts: Sequence[datetime]) -> Counts:
    """The same for hours that need not follow each other."""
    if not starts or (cameras is not None and not cameras):
        return {}
    moments = [time_out(start) for start in starts]
    return _counts(await session.rows(_AT, series=_series(cameras), span="hour", starts=moments))


def _series(cameras: Sequence[str] | None) -> list[str]:
    names = [""] if cameras is None else cameras
    return [kind_series(camera_id, category) for category in EVERY_CATEGORY for camera_id in names]


# A few hundred starts, each with its categories, in every strip that is shown.
_start_in: Final = lru_cache(maxsize=4096)(time_in)


def _counts(rows: Iterable[Row]) -> Counts:
    found: Counts = {}
    for at, category, n in rows:
        if int(n):
            found.setdefault(_start_in(at), {})[category] = int(n)
    return found
