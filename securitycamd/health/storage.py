"""Is the storage root the right one, does it answer, and is there room?"""

from typing import Final

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.storage import StorageService
from securitycamd.storage.files import Files

NAME: Final = "storage"
LOW_SHARE: Final = 0.05


def rule(files: Files, storage: StorageService) -> Rule:
    """The rule over this storage root."""

    async def check() -> Finding:
        state = storage.guard.state
        if not state.is_ok:
            return Finding(NAME, Level.CRITICAL, state.sentence, state.remedy)
        odd = storage.guard.camera_states
        if odd:
            names = ", ".join(sorted(odd))
            first = next(iter(odd.values()))
            return Finding(NAME, Level.CRITICAL, f"{names}: {first.sentence}", first.remedy)
        try:
            disk = await files.disk()
        except StorageUnavailableError as error:
            return Finding(NAME, Level.CRITICAL, str(error), "Check the disk or share that storage.root is on.")
        free = disk.free_bytes / max(1, disk.total_bytes)
        text = f"{disk.free_bytes / 1e9:.1f} GB of {disk.total_bytes / 1e9:.1f} GB are free."
        if free < LOW_SHARE:
            return Finding(NAME, Level.WARNING, text, "Free some space: cameras cannot deliver to a full disk.")
        return Finding(NAME, Level.OK, text)

    return Rule(NAME, check)
