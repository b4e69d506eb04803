"""The only room that starts FFmpeg: a pool of processes; probing, remuxing, optimising, and stills."""

from securitycamd.media.optimise import OptimisationGivenUpError, OptimisedClip, OptimiserPreset
from securitycamd.media.pool import Media, MediaClosedError
from securitycamd.media.probe import ClipFacts, RunBlocking
from securitycamd.media.remux import RemuxedClip
from securitycamd.media.stills import Still

__all__ = [
    "ClipFacts",
    "Media",
    "MediaClosedError",
    "OptimisationGivenUpError",
    "OptimisedClip",
    "OptimiserPreset",
    "RemuxedClip",
    "RunBlocking",
    "Still",
]
