"""Memory as a small machine wants it: what the start used and does not need goes back, and threads share one heap."""

import ctypes
import gc
from typing import Final

_M_ARENA_MAX: Final = -8


def share_heap() -> None:
    """Have all threads allocate from one heap, as they mostly wait; call it before the first thread starts."""
    _call("mallopt", _M_ARENA_MAX, 1)


def settle_down() -> None:
    """Call it once, when the start is over.

    What was made until now stays: the collector need not look at it again, and then collects sooner what requests leave
    behind. And what compiling templates left free goes back to the system.
    """
    gc.collect()
    gc.freeze()
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    # The GNU C library has them; musl neither has nor needs them.
    if (function := getattr(ctypes.CDLL(None), name, None)) is not None:
        function(*arguments)
