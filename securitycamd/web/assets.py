"""The static files as they are sent: read, compressed and named once, at start."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from securitycamd.resources import resource

STATIC_PREFIX: Final = "/static/"
RELEASE_LENGTH: Final = 12
# What these hold is compressed already.
_PACKED: Final = frozenset({".png", ".woff2", ".jpg", ".gz"})
# The system's own list differs from machine to machine.
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    **dict.fromkeys(("", ".md", ".toml", ".txt"), "text/plain"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    path: Path
    content_type: str
    tag: str
    """Names its content."""
    packed: bytes | None
    """Its content as gzip, where that is smaller."""


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them, by name; ``release`` names the content of all together.

    The release stands in the path, so that a module that imports its neighbour by a relative name gets the one of its
    own release, and each may be cached for ever.
    """

    files: Mapping[str, Asset]
    release: str

    def url(self, name: str) -> str:
        """The URL of a file.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self.files:
            raise KeyError(name)
        return f"{STATIC_PREFIX}{self.release}/{name}"

    def find(self, name: str) -> tuple[Asset | None, bool]:
        """The file of a name as it stands in a URL, and whether that names this release's content."""
        if name in self.files:
            return self.files[name], False
        release, _, rest = name.partition("/")
        # A page from before an upgrade asks with the old release: it gets what there is, not to be kept.
        is_release = len(release) == RELEASE_LENGTH and release.isalnum()
        return (self.files.get(rest) if is_release else None), release == self.release


def accepts_gzip(request: web.Request) -> bool:
    """Whether a reader takes gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "")


def read_assets() -> Assets:
    """Read and compress every static file: for the start, not for the loop."""
    folder = resource("static")
    files: dict[str, Asset] = {}
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        tag = hashlib.sha256(content).hexdigest()[:RELEASE_LENGTH]
        whole.update(f"{name}\0{tag}\0".encode())
        packed = None if path.suffix in _PACKED else gzip.compress(content, compresslevel=6, mtime=0)
        files[name] = Asset(path, _TYPES[path.suffix], tag, packed if packed and len(packed) < len(content) else None)
    return Assets(files, whole.hexdigest()[:RELEASE_LENGTH])


def asset_urls(assets: Assets | None = None) -> Callable[[str], str]:
    """A function from a static file's name to its URL; it raises ``KeyError`` for a file that is not there."""
    return (assets or read_assets()).url
