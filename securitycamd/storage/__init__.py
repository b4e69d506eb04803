"""The storage root: safe paths, a guard, and file calls that a hung mount cannot turn into a hung server."""

from securitycamd.storage.errors import GuardCondition, GuardState, StorageFullError, StorageLostError
from securitycamd.storage.files import Files, Usage
from securitycamd.storage.guard import StorageGuard, found_identity
from securitycamd.storage.paths import check_relative, resolve_inside
from securitycamd.storage.reading import FileFacts, Reading, Stretch
from securitycamd.storage.scan import FoundFile, find_for_event, scan, sweep_ready
from securitycamd.storage.uploads import Received, Upload

__all__ = [
    "FileFacts",
    "Files",
    "FoundFile",
    "GuardCondition",
    "GuardState",
    "Reading",
    "Received",
    "StorageFullError",
    "StorageGuard",
    "StorageLostError",
    "Stretch",
    "Upload",
    "Usage",
    "check_relative",
    "find_for_event",
    "found_identity",
    "resolve_inside",
    "scan",
    "sweep_ready",
]
