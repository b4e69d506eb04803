"""New events of one batch: one that cannot be kept is its caller's affair alone."""

import asyncio
from typing import Any

import pytest

from securitycamd.db import events as event_rows
from securitycamd.domain.errors import NotFoundError
from tests.services.conftest import CAMERA, Bench


async def test_a_camera_that_goes_meanwhile_is_its_own_events_404(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.register("camera_2")
    add, goes = event_rows.add, True

    async def late(*arguments: Any) -> Any:
        nonlocal goes
        if goes:
            goes = False
            await bench.sql("DELETE FROM cameras WHERE camera_id = 'camera_2'")
        return await add(*arguments)

    monkeypatch.setattr(event_rows, "add", late)
    kept, refused = await asyncio.gather(bench.event(CAMERA), bench.event("camera_2"), return_exceptions=True)
    assert isinstance(refused, NotFoundError)
    assert isinstance(kept, int)
    assert (await bench.seen(kept)).camera_id == CAMERA
    assert await bench.sql("SELECT n FROM tallies WHERE series = 'events' AND span = 'month'") == [(1,)]
