"""Every page and where it is; ``{event}`` and ``{camera}`` stand for one that is there."""

from typing import Final

PAGES: Final = {
    "events": "/",
    "event": "/events/{event}",
    "storage": "/retention",
    "strays": "/storage/strays",
    "docs": "/docs",
    "error": "/events/4000000000",
}
