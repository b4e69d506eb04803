"""How many bytes, in words."""

from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


def size(size_bytes: float) -> str:
    """Bytes in decimal units, as disks are sold and browsers count: ``17.9 MB``."""
    value = float(size_bytes)
    for unit in _UNITS[:-1]:
        # 999.95 would round up to a fourth digit.
        if value < (1000 if unit == "bytes" else 999.95):
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} {_UNITS[-1]}"
