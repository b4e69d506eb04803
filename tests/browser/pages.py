"""Every page and where it is; ``{event}`` and ``{camera}`` stand for one that is there."""

from typing import Final

PAGES: Final = {
    "events": "/",
    "event": "/events/{event}",
    "cameras": "/cameras",
    "camera": "/cameras/{camera}",
    "live": "/live",
    "storage": "/retention",
    "strays": "/storage/strays",
    "logs": "/logs",
    "system": "/system",
    "describe again": "/system/describe-again",
    "live camera": "/live/{camera}",
    "digests": "/digests",
    "docs": "/docs",
    "error": "/events/4000000000",
}
