"""Does the storage root answer, and is there room?"""

from typing import Final

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.health.report import Finding, Level, Rule
from securitycamd.storage.files import Files

NAME: Final = "storage"
LOW_SHARE: Final = 0.05


def rule(files: Files) -> Rule:
    """The rule over this storage root."""

    async def check() -> Finding:
        try:
            disk = await files.disk()
        except (StorageUnavailableError, OSError):
            return Finding(
                NAME,
                Level.CRITICAL,
                "The footage storage does not answer.",
                "Check that the disk or share of storage.root is mounted and readable.",
            )
        free = disk.free_bytes / max(1, disk.total_bytes)
        text = f"{disk.free_bytes / 1e9:.1f} GB of {disk.total_bytes / 1e9:.1f} GB are free."
        if free < LOW_SHARE:
            return Finding(
                NAME, Level.WARNING, text, "Free some space: cameras cannot deliver to a full disk."
            )
        return Finding(NAME, Level.OK, text)

    return Rule(NAME, check)
