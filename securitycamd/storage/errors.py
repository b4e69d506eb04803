"""What the storage room raises beside the domain's own errors; each is one of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from securitycamd.domain.errors import ConflictError, DomainError, InvalidError, StorageUnavailableError


class GuardCondition(StrEnum):
    """What the guard found where the footage should be."""

    OK = "ok"
    MISSING = "missing"
    """No marker: not mounted, or something else is."""
    WRONG = "wrong"
    """A marker, but not ours: another disk, another server's footage."""
    UNREACHABLE = "unreachable"
    """No answer, or not asked yet."""


@dataclass(frozen=True, slots=True)
class GuardState:
    """What was found, as a sentence, and what a person can do about it (empty when all is well)."""

    condition: GuardCondition
    sentence: str
    remedy: str = ""
    found: str | None = None
    """The identity that a wrong root marker names."""

    @property
    def is_ok(self) -> bool:
        """Whether the footage may be touched."""
        return self.condition is GuardCondition.OK


class StorageLostError(StorageUnavailableError):
    """The storage root, or the folder of ``camera_id``, is not what it should be; nothing was changed."""

    def __init__(self, state: GuardState, camera_id: str | None = None) -> None:
        super().__init__(state.sentence)
        self.state = state
        self.camera_id = camera_id


class StorageFullError(StorageUnavailableError):
    """There is no room on the file system, or in the quota."""

    title: ClassVar[str] = "Storage full"
    retry_after_seconds: ClassVar[int] = 30

    def __init__(self) -> None:
        super().__init__("The footage storage is full; try again when space was freed.")


class UploadOffsetError(ConflictError):
    """The upload cannot go on from there; ``received_bytes`` is where it can."""

    title: ClassVar[str] = "Upload does not continue there"

    def __init__(self, received_bytes: int) -> None:
        super().__init__(f"{received_bytes} bytes of this file are here; continue from there, or start anew.")
        self.received_bytes = received_bytes


class UploadTooLargeError(DomainError):
    """The file has more than ``limit_bytes``."""

    status: ClassVar[int] = 413
    title: ClassVar[str] = "File too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"Files of this type may have at most {limit_bytes} bytes.")
        self.limit_bytes = limit_bytes


class UploadDigestError(InvalidError):
    """What arrived is not what was sent; nothing of it was kept."""

    def __init__(self) -> None:
        super().__init__("Content-Digest", "is not that of the bytes that arrived; send the file again")
