"""Hands notices to whoever wants them: the rules of notifications, once there are some."""

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from securitycamd.domain.notices import Notice

log = structlog.get_logger(__name__)
KEPT: Final = 50
Taker = Callable[[Notice], None]


class Notices:
    """Notices of this daemon's life, the newest last; takers get each as it comes, and must not wait or raise."""

    def __init__(self) -> None:
        self.recent: deque[Notice] = deque(maxlen=KEPT)
        self._takers: list[Taker] = []

    def subscribe(self, taker: Taker) -> None:
        """Have ``taker`` called with every notice from now on."""
        self._takers.append(taker)

    def tell(self, notice: Notice) -> None:
        """Offer a notice."""
        self.recent.append(notice)
        log.info("notice", kind=notice.kind, title=notice.title)
        for taker in self._takers:
            taker(notice)
