"""How commands put things into words and columns."""

from datetime import datetime
from zoneinfo import ZoneInfo


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Rows under a head, in columns."""
    lines = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def plain(text: object, *, lines: bool = False) -> str:
    """What cameras, agents and models say, without anything that begins a line or that a terminal would obey."""
    return "".join(each if each.isprintable() or (lines and each == "\n") else " " for each in str(text))


def local(moment: str, zone: ZoneInfo, *, timespec: str = "seconds") -> str:
    """A time that the API tells, as the site's clock and the pages say it: ``2025-10-28 14:30:22``."""
    return datetime.fromisoformat(moment).astimezone(zone).replace(tzinfo=None).isoformat(" ", timespec)
