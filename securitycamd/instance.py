"""The daemon's state folder: one running daemon each, and a name that outlives restarts."""

import fcntl
import os
import re
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

_NAME = re.compile(r"[0-9a-f]{16}")


class InstanceError(Exception):
    """The state folder cannot be used; the message says what to do."""


class Instance:
    """Holds the state folder while the daemon runs.

    ``name`` is unique to the folder: leases under it can only be an earlier life's, so a start may give them back at
    once. The kernel drops the lock with the process, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.name = ""
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # Not flock(): children have that, too, until they have come to their own program, and would hold the folder
            # for a moment after a kill.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.name = self._read_name()
        except BlockingIOError:
            os.close(self._lock)
            raise InstanceError(f"another securitycamd runs with the state folder {self.folder}") from None
        except OSError as error:
            raise InstanceError(f"the state folder {self.folder} cannot be used: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def _read_name(self) -> str:
        path = self.folder / "instance"
        if path.exists() and _NAME.fullmatch(name := path.read_text(encoding="ascii").strip()):
            return name
        name = secrets.token_hex(8)
        fresh = path.with_suffix(".new")
        fresh.write_text(name, encoding="ascii")
        fresh.replace(path)
        return name
