"""Who asks. Every service call that shows or changes footage takes the principal and honours it."""

from dataclasses import dataclass
from enum import IntEnum


class Audience(IntEnum):
    """Who a route is made for, from everyone to the few; also a principal's role."""

    PUBLIC = 0
    AGENT = 1
    VIEWER = 2
    OPERATOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, in which role, and which cameras they may see (``None``: all)."""

    name: str
    role: Audience
    cameras: frozenset[str] | None = None

    def may_see(self, camera_id: str) -> bool:
        """Whether footage, and words about footage, of this camera may be shown to them."""
        return self.cameras is None or camera_id in self.cameras

    def visible(self, wanted: str | None) -> frozenset[str] | None:
        """The cameras a query may touch when ``wanted`` is asked for; ``None`` means all of them."""
        if wanted is None:
            return self.cameras
        return frozenset({wanted}) if self.may_see(wanted) else frozenset()


TRUSTED_OPERATOR = Principal(name="trusted network", role=Audience.ADMIN)
"""The one principal until people can log in: whoever reaches us from a trusted network."""

NOBODY = Principal(name="anonymous", role=Audience.PUBLIC, cameras=frozenset())
DAEMON = Principal(name="daemon", role=Audience.ADMIN)
"""The daemon's own background work."""
