"""Is the storage root the right one, does it answer, and is there room?"""

from collections.abc import Callable
from typing import Final

from securitycamd.domain.errors import StorageUnavailableError
from securitycamd.domain.retention import Disk
from securitycamd.domain.sizes import size
from securitycamd.health.report import Finding, Level, Rule
from securitycamd.services.storage import StorageService
from securitycamd.storage.files import Files

NAME: Final = "storage"
LOW_SHARE: Final = 0.05
"""Less free than this is little, where no rule keeps space free."""
FULL_SHARE: Final = 0.0025
FULL_BYTES: Final = 50_000_000
"""Less than this, and than :data:`FULL_SHARE` of a small disk: the next clip finds no room."""


def rule(files: Files, storage: StorageService, floor_of: Callable[[Disk], int]) -> Rule:
    """The rule over this storage root; ``floor_of`` tells what retention keeps free, 0 for nothing."""

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
        return _room(disk, floor_of)

    return Rule(NAME, check)


def _room(disk: Disk, floor_of: Callable[[Disk], int]) -> Finding:
    text = f"{size(disk.free_bytes)} of {size(disk.total_bytes)} are free."
    if disk.free_bytes <= min(FULL_BYTES, disk.total_bytes * FULL_SHARE):
        return Finding(
            NAME,
            Level.CRITICAL,
            f"The disk is full: {text}",
            "Free some space now: cameras cannot deliver, and no clip can be made playable.",
        )
    # A disk that is used up to its floor is as it should be, however small the floor is beside the disk.
    floor = floor_of(disk)
    if disk.free_bytes >= (floor / 2 if floor else disk.total_bytes * LOW_SHARE):
        return Finding(NAME, Level.OK, text)
    if not floor:
        return Finding(NAME, Level.WARNING, text, "Free some space: cameras cannot deliver to a full disk.")
    text = f"{size(disk.free_bytes)} of {size(disk.total_bytes)} are free; {size(floor)} should be."
    return Finding(NAME, Level.WARNING, text, "Old footage is going; if this stays, see what else fills the disk.")
