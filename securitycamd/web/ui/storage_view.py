"""From a retention report to what ``storage.html`` prints. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final

from securitycamd.domain.models import Camera
from securitycamd.domain.retention import CameraForecast, Reason, Use
from securitycamd.domain.retention_plan import PlannedDay
from securitycamd.domain.sizes import size
from securitycamd.services.retention import RetentionReport
from securitycamd.web.ui.contexts import Fact, Site
from securitycamd.web.ui.frame import frame
from securitycamd.web.ui.storage_contexts import CameraUse, DiskShare, GoingDay, GoingRow, ShareKind, StorageContext
from securitycamd.web.ui.words import MANY_DAYS, count, counted, span

DAYS_SHOWN: Final = 7
"""Days of going that the page lists; the API and the command line tell of more."""
ROWS_SHOWN: Final = 12


def storage_context(
    report: RetentionReport, cameras: Sequence[Camera], *, site: Site, notice: str | None = None
) -> StorageContext:
    """The page about storage.

    Args:
        report: what is kept and what goes.
        cameras: all that the reader may see.
        site: zone and name.
        notice: what is wrong with the storage now.
    """
    names = {camera.camera_id: camera.name for camera in cameras}
    used = sum(use.size_bytes for use in report.used.values())
    return StorageContext(
        frame=frame("Storage", "storage", cameras=cameras, site=site, now=report.at),
        summary=f"{size(used)} of footage" + (f" · {size(report.disk.free_bytes)} free" if report.disk else ""),
        warnings=(*([notice] if notice else []), *(_named(warning, names) for warning in report.warnings)),
        disk_shares=tuple(_shares(report)),
        outlook=tuple(_outlook(report)),
        uses=tuple(_uses(report, names)),
        going=tuple(_going(report, names)),
        nothing_goes="Nothing: retention is switched off."
        if not report.enabled
        else "Nothing in the coming two weeks, if footage goes on coming as it did.",
        rules=tuple(_rules(report, names)),
    )


def _named(sentence: str, names: Mapping[str, str]) -> str:
    camera_id, _, rest = sentence.partition(" ")
    return f"{names.get(camera_id, camera_id)} {rest}"


def _shares(report: RetentionReport) -> Iterable[DiskShare]:
    disk = report.disk
    if disk is None or disk.total_bytes <= 0:
        return
    used = sum(use.size_bytes for use in report.used.values())
    starred = sum(use.protected_bytes for use in report.used.values())
    other = max(0, disk.total_bytes - disk.free_bytes - used)
    start = 0.0
    parts: tuple[tuple[ShareKind, str, int], ...] = (
        ("footage", "Footage", used - starred),
        ("starred", "Starred", starred),
        ("other", "Other files", other),
        ("free", "Free", disk.free_bytes),
    )
    for kind, label, size_bytes in parts:
        width = min(100 - start, 100 * size_bytes / disk.total_bytes)
        if size_bytes > 0 or kind == "footage":
            yield DiskShare(kind, f"{label} {size(size_bytes)}", round(start, 2), round(width, 2))
        start += width


def _outlook(report: RetentionReport) -> Iterable[Fact]:
    ahead = report.forecast
    yield Fact("Comes a day", size(round(ahead.bytes_a_day)))
    if ahead.days_until_floor == 0:
        yield Fact("Full", "now: the oldest goes for the newest")
    elif ahead.days_until_floor is not None:
        yield Fact("Full in", _days(ahead.days_until_floor))
    elif report.disk is not None:
        yield Fact("Full", "never at this rate" if ahead.bytes_a_day else "nothing comes")
    if ahead.days_kept is not None:
        yield Fact("Footage then reaches back", _days(ahead.days_kept))
    if report.saved_bytes:
        yield Fact("Saved by smaller clips", size(report.saved_bytes))
    if any(camera.promise_days is not None for camera in ahead.cameras):
        yield Fact("Promised days", "fit" if ahead.promise_kept else "do not fit")


def _uses(report: RetentionReport, names: Mapping[str, str]) -> Iterable[CameraUse]:
    most = max((use.size_bytes for use in report.used.values()), default=0) or 1
    for camera in report.forecast.cameras:
        use = report.used[camera.camera_id]
        yield CameraUse(
            name=names.get(camera.camera_id, camera.camera_id),
            amount=size(use.size_bytes),
            percent=round(100 * use.size_bytes / most, 1),
            protected_percent=round(100 * use.protected_bytes / most, 1),
            notes=" · ".join(_notes(camera, use)),
        )


def _notes(camera: CameraForecast, use: Use) -> Iterable[str]:
    yield f"{size(round(camera.bytes_a_day))} a day"
    if use.protected_bytes:
        yield f"{size(use.protected_bytes)} starred"
    if camera.days_kept is not None:
        yield f"will reach back {_days(camera.days_kept)}"
    if not camera.promise_kept:
        yield f"{_days(camera.promise_days or 0)} are promised"


def _going(report: RetentionReport, names: Mapping[str, str]) -> Iterable[GoingDay]:
    today = report.at.date()
    days = [(on, list(items)) for on, items in groupby(report.planned, key=lambda item: item.on)]
    for on, items in days[:DAYS_SHOWN]:
        rows = [_row(item, report, names, today) for item in items[:ROWS_SHOWN]]
        left = items[ROWS_SHOWN:]
        if left:
            rows.append(
                GoingRow(f"{count(len(left))} more", "later days", size(sum(item.size_bytes for item in left)), "")
            )
        total = size(sum(item.size_bytes for item in items))
        yield GoingDay(f"{'Now' if on == today else _sentence(_day(on, today))}: {total}", tuple(rows))


def _row(item: PlannedDay, report: RetentionReport, names: Mapping[str, str], today: date) -> GoingRow:
    events = counted(item.events, "event")
    amount = f"{events}, {size(item.size_bytes)}" if item.events else size(item.size_bytes)
    return GoingRow(
        camera_name=names.get(item.camera_id, item.camera_id),
        footage_of=f"{'part of ' if item.partly else ''}{_day(item.day, today)}",
        amount=f"about {amount}" if item.partly else amount,
        reason=_reason(item, report),
    )


def _reason(item: PlannedDay, report: RetentionReport) -> str:
    rules = report.rules
    match item.reason:
        case Reason.AGE:
            return f"older than {_days(rules.age_of(item.camera_id) or 0)}"
        case Reason.CAMERA_SIZE:
            return f"this camera may take {size(rules.bytes_of(item.camera_id) or 0)}"
        case Reason.SIZE:
            return f"all cameras together may take {size(rules.everywhere.max_bytes or 0)}"
        case Reason.FREE_SPACE:
            floor = rules.free_floor_bytes if report.disk is None else rules.floor_of(report.disk)
            return f"{size(floor)} of the disk stay free"


def _rules(report: RetentionReport, names: Mapping[str, str]) -> Iterable[str]:
    rules = report.rules
    if not report.enabled:
        yield "Retention is switched off (retention.enabled): no footage goes by itself."
    age, most = rules.everywhere.max_age_days, rules.everywhere.max_bytes
    yield f"Events go after {_days(age)}." if age else "No age at which events go."
    if most:
        yield f"All cameras together may take {size(most)}; beyond, the oldest events go."
    for camera_id in sorted(rules.cameras or {}):
        own = []
        if (days := rules.age_of(camera_id)) != age:
            own.append(f"events go after {_days(days)}" if days else "no age at which events go")
        if limit := rules.bytes_of(camera_id):
            own.append(f"it may take {size(limit)}")
        if own:
            yield f"{names.get(camera_id, camera_id)}: {', and '.join(own)}."
    floor = rules.free_floor_bytes if report.disk is None else rules.floor_of(report.disk)
    if floor:
        yield f"{size(floor)} of the disk stay free: before it is full, the oldest events go."
    yield "Starred events never go."
    yield f"Log lines go after {report.log_days} days." if report.log_days else "Log lines are kept for ever."


def _days(days: float) -> str:
    if days < 2:
        hours = round(days * 24)
        return "1 hour" if hours == 1 else f"{hours} hours"
    if days >= MANY_DAYS:
        return span(86400 * days)
    return f"{count(days)} days" if days >= 10 or days == int(days) else f"{days:.1f} days"


_NEAR: Final = {-1: "tomorrow", 0: "today", 1: "yesterday"}


def _day(day: date, today: date) -> str:
    near = _NEAR.get((today - day).days)
    return near or f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if day.year != today.year else "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
