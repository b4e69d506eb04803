"""How commands put things into words and columns."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


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


def size(size_bytes: float) -> str:
    """Bytes in decimal units, as disks are sold: ``17.9 MB``."""
    value = float(size_bytes)
    for unit in _UNITS[:-1]:
        if value < (1000 if unit == "bytes" else 999.95):
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} {_UNITS[-1]}"
