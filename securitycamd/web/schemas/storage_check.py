"""Checks of the storage on the wire."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from securitycamd.services.storage_check import CheckReport, CheckState, FindingKind
from securitycamd.web.registry import Input, Reply


class CheckRepair(Input):
    """How to repair."""

    force: Annotated[bool, Field(description="also when more than a tenth of all footage would go from the books")] = (
        False
    )


class CheckFindingReply(Reply):
    """One thing that is wrong."""

    kind: FindingKind
    path: str
    event_id: int | None
    sentence: str


class CheckReply(Reply):
    """A check, while it runs and afterwards."""

    state: CheckState
    repair: bool
    force: bool
    started_at: datetime | None
    ended_at: datetime | None
    phase: Annotated[str, Field(description="`events`, `files`, `mending` or nothing")]
    events: Annotated[int, Field(description="looked at so far")]
    events_left_out: Annotated[
        int, Field(description="younger than 15 minutes, being removed, or of a camera in `skipped`")
    ]
    events_total: int
    files: Annotated[int, Field(description="found on the disk so far")]
    counts: Annotated[dict[FindingKind, int], Field(description="findings by kind")]
    mended: dict[FindingKind, int]
    left: Annotated[int, Field(description="findings that were not mended")]
    findings: Annotated[list[CheckFindingReply], Field(description="the first 500")]
    skipped: Annotated[
        list[str], Field(description="cameras whose folders cannot be judged now; what they hold is not counted")
    ]
    refused: Annotated[str | None, Field(description="why nothing was mended")]
    error: Annotated[str | None, Field(description="why the check could not be done")]


def check_reply(report: CheckReport, zone: ZoneInfo) -> dict[str, Any]:
    """A report as :class:`CheckReply` describes it."""
    return {
        "state": report.state,
        "repair": report.repair,
        "force": report.force,
        "started_at": report.started_at and report.started_at.astimezone(zone),
        "ended_at": report.ended_at and report.ended_at.astimezone(zone),
        "phase": report.phase,
        "events": report.events,
        "events_left_out": report.events_left_out,
        "events_total": report.events_total,
        "files": report.files,
        "counts": {kind: report.counts[kind] for kind in FindingKind},
        "mended": {kind: report.mended[kind] for kind in FindingKind},
        "left": report.left,
        "findings": [
            {
                "kind": finding.kind,
                "path": finding.path,
                "event_id": finding.event_id,
                "sentence": finding.sentence,
            }
            for finding in report.findings
        ],
        "skipped": list(report.skipped),
        "refused": report.refused,
        "error": report.error,
    }
