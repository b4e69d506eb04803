"""The storage root: safe paths, and file calls that a hung mount cannot turn into a hung server."""

from securitycamd.storage.files import Disk, Files, Usage
from securitycamd.storage.paths import check_relative, resolve_inside

__all__ = ["Disk", "Files", "Usage", "check_relative", "resolve_inside"]
