"""Files of the storage as responses: conditions and ranges by RFC 9110, their bytes through the bounded file pool.

aiohttp's own ``FileResponse`` opens and reads in the loop's standard executor: a mount that hangs would hold its
threads for ever, and with them all that needs that executor. And there is no ``sendfile`` here on purpose: uvloop has
none, and where there is one it reads pages that are not in memory yet on the loop's own thread, which then waits for
the disk.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import ETag, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from securitycamd.domain.errors import UnavailableError
from securitycamd.storage.files import Files
from securitycamd.storage.reading import FileFacts, Reading, Stretch

log = structlog.get_logger(__name__)

ANY: Final = "*"
NANOSECONDS: Final = 10**9
# Not http_range of aiohttp: it takes an empty end for the whole file, and knows units in small letters only.
# No file has a length of more digits; more would be no number but work.
_RANGE: Final = re.compile(r"(?i:bytes)=[ \t]*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})[ \t]*")


async def open_file(
    request: web.Request, files: Files, relative: str, headers: Mapping[str, str]
) -> web.StreamResponse | None:
    """The response that sends a file, or says why it need not; ``None`` when there is no such file.

    Raises:
        InvalidError: the path is refused, or leads out of the storage.
        PermissionError: the file may not be read.
        StorageUnavailableError: the storage gave no answer in its time.
    """
    answers: list[_Answer] = []

    def wanted(facts: FileFacts) -> Stretch:
        answer = _Answer(request, facts)
        answers.append(answer)
        return Stretch() if request.method == hdrs.METH_HEAD else answer.stretch

    reading = await files.open_reading(relative, wanted)
    if reading is None:
        return None
    answer = answers[0]
    return _FileResponse(reading, answer.status, {**headers, **answer.headers}, answer.length)


class _Answer:
    """What a request that names conditions and a range gets of a file."""

    def __init__(self, request: web.Request, facts: FileFacts) -> None:
        self._request = request
        self._facts = facts
        self._tag = f"{facts.modified_ns:x}-{facts.size_bytes:x}"
        self.stretch = Stretch()
        self.length: int | None = 0
        """Of the body; ``None`` where there is none by its nature."""
        self.headers: dict[str, str] = {
            hdrs.ETAG: f'"{self._tag}"',
            hdrs.LAST_MODIFIED: _http_date(facts),
            hdrs.ACCEPT_RANGES: "bytes",
        }
        self.status = self._judge()

    def _judge(self) -> HTTPStatus:
        if self._has_changed():
            return HTTPStatus.PRECONDITION_FAILED
        if self._is_known():
            self.length = None
            return HTTPStatus.NOT_MODIFIED
        size = self._facts.size_bytes
        asked = self._asked() if self._range_counts() else None
        if asked is None:
            self.stretch, self.length = Stretch(0, size), size
            return HTTPStatus.OK
        start, stop = asked
        if start >= stop:
            return self._out_of_range()
        self.stretch, self.length = Stretch(start, stop - start), stop - start
        self.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{size}"
        return HTTPStatus.PARTIAL_CONTENT

    def _asked(self) -> tuple[int, int] | None:
        """Start and stop of the one part that is asked for, no part when it is not there; ``None`` for the whole.

        What RFC 9110 lets a server pass over is: units that nobody knows, several parts at once, what is no range.
        """
        found = _RANGE.fullmatch(self._request.headers.get(hdrs.RANGE, "").strip())
        if found is None or not (found["first"] or found["last"]):
            return None
        size = self._facts.size_bytes
        if not found["first"]:
            return max(0, size - int(found["last"])), size
        first, last = int(found["first"]), int(found["last"] or size)
        return None if found["last"] and last < first else (first, min(last + 1, size))

    def _out_of_range(self) -> HTTPStatus:
        self.headers[hdrs.CONTENT_RANGE] = f"bytes */{self._facts.size_bytes}"
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def _has_changed(self) -> bool:
        """If-Match, or without it If-Unmodified-Since: the asker wants only what they know."""
        tags, since = self._request.if_match, self._request.if_unmodified_since
        if tags is not None:
            return not self._is_one_of(tags, weak=False)
        return since is not None and not self._unchanged_since(since)

    def _is_known(self) -> bool:
        """If-None-Match, or without it If-Modified-Since: the asker has it already."""
        tags, since = self._request.if_none_match, self._request.if_modified_since
        if tags is not None:
            return self._is_one_of(tags, weak=True)
        return since is not None and self._unchanged_since(since)

    def _range_counts(self) -> bool:
        """If-Range: a part is wanted of the state that is known, and else the whole. Only GET knows parts."""
        if self._request.method != hdrs.METH_GET:
            return False
        told = self._request.headers.get(hdrs.IF_RANGE, "").strip()
        if not told:
            return True
        if told.startswith(('"', "W/")):
            return told == f'"{self._tag}"'
        try:
            return self._unchanged_since(parsedate_to_datetime(told))
        except (ValueError, OverflowError):
            return False

    def _is_one_of(self, tags: tuple[ETag, ...], *, weak: bool) -> bool:
        return any(tag.value == ANY or (tag.value == self._tag and (weak or not tag.is_weak)) for tag in tags)

    def _unchanged_since(self, moment: datetime) -> bool:
        # HTTP dates know whole seconds only.
        return self._facts.modified_ns // NANOSECONDS <= moment.timestamp()


def _http_date(facts: FileFacts) -> str:
    response = web.StreamResponse()
    response.last_modified = facts.modified_ns // NANOSECONDS
    return response.headers[hdrs.LAST_MODIFIED]


class _FileResponse(web.StreamResponse):
    """Sends what was opened, once its headers are complete."""

    def __init__(self, reading: Reading, status: int, headers: Mapping[str, str], length: int | None) -> None:
        super().__init__(status=status, headers=headers)
        self._reading = reading
        if length is None:
            # There is no body, which need not be said.
            self._length_check = False
        else:
            self.content_length = length

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        writer = await super().prepare(request)
        try:
            async for piece in self._reading.pieces():
                await self.write(piece)
        except (UnavailableError, OSError) as error:
            if isinstance(error, ConnectionError):
                raise
            # The length is said already: only the end of the connection tells that the rest does not come.
            log.warning("a file could not be sent to its end", path=request.path, reason=str(error))
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the file could not be read to its end") from error
        finally:
            self._reading.close()
        return writer
