"""How commands put things into words and columns."""

from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Rows under a head, in columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]


def size(size_bytes: float) -> str:
    """Bytes in decimal units, as disks are sold: ``17.9 MB``."""
    value = float(size_bytes)
    for unit in _UNITS[:-1]:
        if value < (1000 if unit == "bytes" else 999.95):
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} {_UNITS[-1]}"
