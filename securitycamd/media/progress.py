"""How far FFmpeg is, from the lines that ``-progress pipe:1`` makes it write."""

from collections.abc import Callable
from typing import Final

# Whole a result is only once it was looked at.
ALMOST_WHOLE: Final = 0.99

OnShare = Callable[[float], None]


class Rising:
    """Passes a share on only when it is higher than all before: a second attempt is no step back."""

    def __init__(self, on_share: OnShare | None) -> None:
        self._on_share = on_share
        self._highest = 0.0

    def __call__(self, share: float) -> None:
        """Take the share that is done now, 0 to 1."""
        if share > self._highest:
            self._highest = share
            if self._on_share is not None:
                self._on_share(share)


class Progress:
    """Reads one of the numbers that FFmpeg tells, again and again, while it works.

    Args:
        key: the number's name: ``frame`` or ``total_size``.
        whole: what the number is at the end, about.
        on_share: is told the share of the whole job that is done.
        first: this share is done when FFmpeg begins.
        last: this share is done when the number is ``whole``.
    """

    def __init__(
        self, key: str, whole: int, on_share: OnShare, *, first: float = 0.0, last: float = ALMOST_WHOLE
    ) -> None:
        self._key = key.encode()
        self._whole = max(whole, 1)
        self._on_share = on_share
        self._first = first
        self._last = last
        self._rest = b""
        self.value = 0
        """The number, as told last."""

    def feed(self, piece: bytes) -> None:
        """Take output in pieces of any size."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            key, _, value = line.partition(b"=")
            if key.strip() == self._key and value.strip().isdigit():
                self.value = int(value)
                share = min(self.value / self._whole, 1.0)
                self._on_share(self._first + share * (self._last - self._first))
