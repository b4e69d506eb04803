"""Events with footage of any age and size, and what must hold between rows, files and counts at any moment."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securitycamd.db import events as event_rows
from securitycamd.db import footage
from securitycamd.domain.models import EventFilter
from securitycamd.domain.names import ConversionStatus, EventStatus
from securitycamd.domain.principal import TRUSTED_OPERATOR
from securitycamd.services.review import Change
from tests.services.conftest import CAMERA, Bench

PICTURE_BYTES = 100


@dataclass
class Shelf:
    """Puts events on a bench."""

    bench: Bench
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    made: int = 0

    async def put(
        self, *, days_ago: float = 0, size_bytes: int = 1000, camera_id: str = CAMERA, starred: bool = False
    ) -> int:
        """An event that has everything; its files take ``size_bytes`` together."""
        self.made += 1
        event, _ = await self.bench.shared.events.create(
            TRUSTED_OPERATOR,
            camera_id=camera_id,
            timestamp=self.now - timedelta(days=days_ago, microseconds=-self.made),
            motion_score=1.0,
            confidence_score=None,
        )
        name = f"{event.id}_20260301_100000"
        paths = {
            "image_a_path": f"{camera_id}/pictures/{name}_a.jpg",
            "image_b_path": f"{camera_id}/pictures/{name}_b.jpg",
            "thumbnail_path": f"{camera_id}/thumbs/{name}_thumb.jpg",
            "video_mp4_path": f"{camera_id}/videos/{name}_video.mp4",
        }
        for column, path in paths.items():
            self.bench.write(path, bytes(size_bytes - 3 * PICTURE_BYTES if "mp4" in column else PICTURE_BYTES))
        await event_rows.update(
            self.bench.shared.database,
            event.id,
            paths
            | {
                "status": EventStatus.COMPLETE,
                "mp4_conversion_status": ConversionStatus.COMPLETE,
                "ai_processed": True,
            },
        )
        await self.bench.shared.measuring.measure([event.id])
        if starred:
            await self.bench.shared.review.change(TRUSTED_OPERATOR, event.id, Change(starred=True))
        return event.id

    async def ids(self) -> list[int]:
        """The events that are there."""
        return sorted(int(event_id) for (event_id,) in await self.bench.sql("SELECT id FROM events"))

    def files(self) -> set[str]:
        """The footage that is there."""
        root = self.bench.root
        return {
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
        }

    async def run(self) -> int:
        """Carry the rules out to the end; how many events went."""
        gone = 0
        while step := await self.bench.shared.retention.expire_some():
            gone += step.events
        return gone

    async def check(self) -> None:
        """No mark is left, no row is without its files, no file without its row, and every count is exact."""
        marked = await self.bench.sql("SELECT event_id FROM removals")
        assert not marked, marked
        database = self.bench.shared.database
        events = list((await event_rows.by_ids(database, await self.ids())).values())
        known = {path for event in events for path in event.paths}
        assert self.files() == known, (self.files() - known, known - self.files())
        for camera_id, use in (await footage.uses(database, ["camera_1", "camera_2"])).items():
            mine = [event for event in events if event.camera_id == camera_id]
            assert use.size_bytes == sum(event.size_bytes for event in mine)
            assert use.size_bytes == sum(self.size_of(path) for event in mine for path in event.paths)
            assert use.protected_bytes == sum(event.size_bytes for event in mine if event.protected)
            assert await event_rows.count(database, EventFilter(frozenset({camera_id}))) == len(mine)
        assert await event_rows.count(database, EventFilter()) == len(events)

    def size_of(self, path: str) -> int:
        """Bytes of a file."""
        return (self.bench.root / path).stat().st_size


def write_outside(folder: Path) -> set[Path]:
    """Files that are not ours."""
    found = set()
    for name in ("pictures/x.jpg", "videos/x.mp4"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"theirs")
        found.add(path)
    return found
