"""What was never finished: our own temporaries and uploads, and agents' copies that were broken off."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from securitycamd.storage.changes import TEMPORARY
from securitycamd.storage.files import KINDS, Files
from securitycamd.storage.uploads import PARTIAL

OLD: Final = timedelta(days=1)
"""Younger ones may still be worked on, by us, by another daemon or by an agent."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that nobody goes on with."""

    path: str
    is_ours: bool
    """It may be removed; agents' files are theirs."""
    sentence: str


async def find_leftovers(files: Files, on_step: Callable[[], None]) -> AsyncIterator[Leftover]:
    """Walk over the share for them.

    Raises:
        StorageUnavailableError: not the right storage, or no answer.
    """
    before = (datetime.now(UTC) - OLD).timestamp()
    for camera_id in await files.cameras():
        for kind in KINDS:
            async for step in files.walk(camera_id, kind, wanted=_is_unfinished):
                for entry in step:
                    if entry.modified_at <= before:
                        yield _leftover(f"{camera_id}/{kind}/{entry.name}", entry.name)
                on_step()


def _is_unfinished(name: str) -> bool:
    return name.endswith(".tmp") or PARTIAL.match(name) is not None


def _leftover(path: str, name: str) -> Leftover:
    if TEMPORARY.match(name):
        return Leftover(path, is_ours=True, sentence="A temporary file of this server, older than a day.")
    if PARTIAL.match(name):
        return Leftover(path, is_ours=True, sentence="An upload that nobody went on with for a day.")
    return Leftover(path, is_ours=False, sentence="An agent began to copy it more than a day ago.")
