"""A file on its way to the server over HTTP: whole, or from where an earlier try came to its end."""

import base64
import hashlib
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final

from securitycamd.domain.names import FileType

PIECE_BYTES: Final = 64 * 1024


class Delivery(StrEnum):
    """How an agent's files come to the server."""

    SHARE = "share"
    UPLOAD = "upload"


class LineBrokenError(ConnectionResetError):
    """The simulated line broke in the middle of a body."""


class Upload:
    """What requests say of one file, and how far it has come."""

    def __init__(self, event_id: int, file_type: FileType, content: bytes, video_duration: float | None) -> None:
        self.path = f"/events/{event_id}/files/{file_type}"
        self.target = self.path if video_duration is None else f"{self.path}?video_duration={video_duration}"
        self._content = content
        self._start = 0
        self._digest = base64.b64encode(hashlib.sha256(content).digest()).decode()

    @property
    def headers(self) -> dict[str, str]:
        """Of the next try."""
        size = len(self._content)
        found = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - self._start),
            "Content-Digest": f"sha-256=:{self._digest}:",
        }
        if self._start:
            found["Content-Range"] = f"bytes {self._start}-{size - 1}/{size}"
        return found

    def received(self, status: int, answer: object) -> None:
        """Go on from where the server says; anew when it does not say."""
        told = answer.get("received_bytes") if isinstance(answer, dict) and status == 200 else None
        # All of it being there, but without its name: no part is left to be sent.
        self._start = told if isinstance(told, int) and 0 < told < len(self._content) else 0

    async def pieces(self, cut_at: int = 0) -> AsyncIterator[bytes]:
        """What the next try sends; with ``cut_at`` no more than so many bytes of the file.

        Raises:
            LineBrokenError: there it ended.
        """
        at = self._start
        end = min(cut_at, len(self._content)) if cut_at else len(self._content)
        while at < end:
            piece = self._content[at : min(at + PIECE_BYTES, end)]
            yield piece
            at += len(piece)
        if cut_at:
            raise LineBrokenError("the line broke")
