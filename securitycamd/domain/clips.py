"""What can be wrong with a clip, told apart because each wants another answer."""

from enum import StrEnum
from typing import ClassVar

from securitycamd.domain.errors import DomainError


class ClipFault(StrEnum):
    """Why a clip could not be made playable."""

    MISSING_YET = "missing yet"
    """Not on the share so far; the agent may still be copying."""
    MISSING = "missing"
    """Not on the share long after it was reported."""
    NOT_H264 = "not H.264"
    EMPTY = "empty"
    """Zero bytes: its copy never began, or the disk it came from was full."""
    CUT_SHORT = "cut short"
    """Nothing playable in it: it ends before its first whole picture."""
    HUNG = "FFmpeg hung"
    """FFmpeg made no end within its time and was stopped."""
    FFMPEG = "FFmpeg failed"
    """FFmpeg itself could not run or write: no memory, no space, a crash."""

    @property
    def may_pass(self) -> bool:
        """Whether another attempt can succeed without anybody doing anything."""
        return self in {ClipFault.MISSING_YET, ClipFault.HUNG, ClipFault.FFMPEG}


class ClipError(DomainError):
    """A clip could not be made playable; the sentence is for people, the fault for the queue."""

    status: ClassVar[int] = 422
    title: ClassVar[str] = "Clip not playable"

    def __init__(self, fault: ClipFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


FAULT_SENTENCES: dict[ClipFault, str] = {
    ClipFault.MISSING_YET: "The clip is not on the share yet.",
    ClipFault.MISSING: "The clip never arrived on the share.",
    ClipFault.NOT_H264: "The file is not H.264 video.",
    ClipFault.EMPTY: "The file that the camera sent is empty: 0 bytes.",
    ClipFault.CUT_SHORT: "The clip ends before its first whole picture.",
    ClipFault.HUNG: "Converting the clip took too long and was stopped.",
    ClipFault.FFMPEG: "FFmpeg could not write the clip.",
}
