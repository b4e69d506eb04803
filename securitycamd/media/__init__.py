"""The only room that starts FFmpeg: a pool of processes, probing, remuxing."""

from securitycamd.media.pool import Media, MediaClosedError
from securitycamd.media.probe import ClipFacts, RunBlocking
from securitycamd.media.remux import RemuxedClip

__all__ = ["ClipFacts", "Media", "MediaClosedError", "RemuxedClip", "RunBlocking"]
