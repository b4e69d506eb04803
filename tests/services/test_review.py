"""What people do with events: flags, notes, removal, one at a time and many at once; and the history of it all."""

import asyncio
import shutil
import time
from itertools import pairwise

import pytest

from securitycamd.db import history as history_rows
from securitycamd.db import removals as removal_rows
from securitycamd.domain.errors import ConflictError, InvalidError, NotFoundError, StorageUnavailableError
from securitycamd.domain.history import ENTRIES_KEPT, What
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.names import ConversionStatus, FileType
from securitycamd.domain.principal import TRUSTED_OPERATOR, Audience, Principal
from securitycamd.domain.retention import Reason
from securitycamd.services import review
from securitycamd.services.review import BulkAction, BulkResult, Change, clean_note
from tests.conftest import INSTANCE
from tests.services.conftest import Bench
from tests.services.shelf import Shelf

ANN = Principal("Ann", Audience.OPERATOR, frozenset({"camera_1"}))
STRANGER = Principal("someone", Audience.OPERATOR, frozenset({"camera_2"}))


@pytest.fixture
def shelf(bench: Bench) -> Shelf:
    return Shelf(bench)


async def told(bench: Bench, event_id: int) -> list[tuple[str, str, str]]:
    """What is kept of an event: what, who, detail."""
    entries = await history_rows.of_event(bench.shared.database, event_id)
    return [(entry.what, entry.who, entry.detail) for entry in entries]


# --- one event --------------------------------------------------------------------------------------------------------


async def test_what_is_left_out_stays(shelf: Shelf) -> None:
    change = shelf.bench.shared.review.change
    event_id = await shelf.put()
    event = await change(ANN, event_id, Change(reviewed=True, starred=True, note="The postman."))
    assert (event.reviewed, event.protected, event.note) == (True, True, "The postman.")
    assert await change(ANN, event_id, Change()) == event
    event = await change(ANN, event_id, Change(starred=False))
    assert (event.reviewed, event.protected, event.note) == (True, False, "The postman.")
    assert not (await change(ANN, event_id, Change(note=""))).note
    await shelf.check()
    assert await told(shelf.bench, event_id) == [
        (What.REVIEWED, "Ann", ""),
        (What.NOTED, "Ann", ""),
        (What.STARRED, "Ann", ""),
        (What.UNSTARRED, "Ann", ""),
        (What.NOTED, "Ann", ""),
    ]


async def test_what_is_so_already_is_no_history(shelf: Shelf) -> None:
    event_id = await shelf.put()
    await shelf.bench.shared.review.change(ANN, event_id, Change(reviewed=False, starred=False, note="  \r\n"))
    assert await told(shelf.bench, event_id) == []


async def test_only_who_may_see_an_event_changes_it(shelf: Shelf) -> None:
    event_id = await shelf.put()
    for principal, missing in ((STRANGER, event_id), (ANN, event_id + 1), (ANN, 2**70), (ANN, -1)):
        with pytest.raises(NotFoundError):
            await shelf.bench.shared.review.change(principal, missing, Change(reviewed=True))
    event = await shelf.bench.seen(event_id)
    assert not event.reviewed
    with pytest.raises(NotFoundError):
        await shelf.bench.shared.review.history(STRANGER, event)


async def test_what_is_being_removed_takes_no_change(shelf: Shelf) -> None:
    event_id = await shelf.put()
    await shelf.bench.shared.removal.mark([event_id], Reason.AGE)
    with pytest.raises(ConflictError):
        await shelf.bench.shared.review.change(ANN, event_id, Change(note="wait"))
    assert await told(shelf.bench, event_id) == []


def test_a_note_is_plain_text() -> None:
    assert clean_note(" a\r\nb\rc\x00\x1b[31m\u202e\td ") == "a\nb\nc[31m\td"
    assert clean_note("x" * 2000) == "x" * 2000
    with pytest.raises(InvalidError):
        clean_note("x" * 2001)


async def test_a_note_of_any_language_is_kept_whole(shelf: Shelf) -> None:
    event_id = await shelf.put()
    note = "Ü 😀 郵便" * 200
    assert (await shelf.bench.shared.review.change(ANN, event_id, Change(note=note))).note == note


async def test_changes_that_arrive_together_all_count(shelf: Shelf) -> None:
    ids = [await shelf.put() for _ in range(6)]
    change = shelf.bench.shared.review.change
    await asyncio.gather(
        *(change(ANN, event_id, Change(starred=starred)) for event_id in ids for starred in (True, False, True)),
        shelf.bench.shared.review.bulk(ANN, ids, BulkAction.REVIEW),
        shelf.bench.shared.review.bulk(ANN, ids[::-1], BulkAction.STAR),
    )
    await shelf.check()
    for event_id in ids:
        words = [what for what, _, _ in await told(shelf.bench, event_id)]
        assert words.count(What.REVIEWED) == 1
        # Each star follows its taking away: what changed nothing was not written down.
        stars = [word for word in words if word is not What.REVIEWED]
        assert all(a != b for a, b in pairwise(stars))
        assert (await shelf.bench.seen(event_id)).protected is (stars[-1] == What.STARRED)


# --- many at once -----------------------------------------------------------------------------------------------------


async def test_many_are_flagged_in_batches(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "BATCH", 2)
    await shelf.bench.register("camera_2")
    ids = [await shelf.put() for _ in range(5)]
    theirs = await shelf.put(camera_id="camera_2")
    bulk = shelf.bench.shared.review.bulk
    await shelf.bench.shared.review.change(ANN, ids[1], Change(starred=True))
    results = await bulk(ANN, [ids[4], ids[0], ids[0], theirs, ids[1], 2**40, ids[2]], BulkAction.STAR)
    assert list(results.items()) == [
        (ids[4], BulkResult.DONE),
        (ids[0], BulkResult.DONE),
        (theirs, BulkResult.NOT_FOUND),
        (ids[1], BulkResult.UNCHANGED),
        (2**40, BulkResult.NOT_FOUND),
        (ids[2], BulkResult.DONE),
    ]
    await shelf.check()
    assert [(await shelf.bench.seen(key)).protected for key in ids] == [True, True, True, False, True]
    assert not (await shelf.bench.seen(theirs)).protected
    assert await told(shelf.bench, ids[1]) == [(What.STARRED, "Ann", "")]
    await bulk(ANN, ids, BulkAction.UNSTAR)
    await shelf.check()
    await bulk(ANN, ids, BulkAction.REVIEW)
    assert all([(await shelf.bench.seen(key)).reviewed for key in ids])
    assert set((await bulk(ANN, ids, BulkAction.UNREVIEW)).values()) == {BulkResult.DONE}
    assert set((await bulk(ANN, ids, BulkAction.UNREVIEW)).values()) == {BulkResult.UNCHANGED}
    assert [what for what, _, _ in await told(shelf.bench, ids[0])] == [
        What.STARRED,
        What.UNSTARRED,
        What.REVIEWED,
        What.UNREVIEWED,
    ]


async def test_many_are_removed_but_what_must_stay_stays(shelf: Shelf, clip: bytes) -> None:
    bench = shelf.bench
    await bench.register("camera_2")
    ids = [await shelf.put() for _ in range(3)]
    starred, theirs, going = await shelf.put(starred=True), await shelf.put(camera_id="camera_2"), await shelf.put()
    busy = await bench.clip(clip)
    job = await bench.claim()
    await bench.shared.removal.mark([going], Reason.AGE)
    asked = [*ids, starred, theirs, going, busy]
    results = await bench.shared.review.bulk(ANN, asked, BulkAction.DELETE)
    assert results == dict.fromkeys(ids, BulkResult.DONE) | {
        starred: BulkResult.STARRED,
        theirs: BulkResult.NOT_FOUND,
        going: BulkResult.REMOVING,
        busy: BulkResult.BUSY,
    }
    assert await shelf.ids() == sorted([starred, theirs, going, busy])
    bench.shared.jobs.let_go(job)
    await bench.shared.jobs.give_back_lost()
    await bench.shared.retention.finish_marked()
    await bench.shared.review.bulk(ANN, [busy], BulkAction.DELETE)
    assert await shelf.ids() == sorted([starred, theirs])
    await shelf.check()
    assert set((await bench.shared.review.bulk(ANN, ids, BulkAction.DELETE)).values()) == {BulkResult.NOT_FOUND}


async def test_what_there_is_no_time_for_goes_by_itself(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "DELETE_SECONDS", -1.0)
    ids = [await shelf.put() for _ in range(3)]
    results = await shelf.bench.shared.review.bulk(ANN, ids, BulkAction.DELETE)
    assert set(results.values()) == {BulkResult.REMOVING}
    assert await shelf.ids() == ids
    assert await shelf.bench.shared.retention.finish_marked() == 3
    assert await shelf.ids() == []
    await shelf.check()


async def test_without_the_storage_nothing_is_removed(shelf: Shelf) -> None:
    ids = [await shelf.put() for _ in range(2)]
    shutil.move(shelf.bench.root, shelf.bench.root.with_name("away"))
    with pytest.raises(StorageUnavailableError):
        await shelf.bench.shared.review.bulk(ANN, ids, BulkAction.DELETE)
    async with shelf.bench.shared.database.session() as session:
        assert await removal_rows.which_marked(session, ids) == set()
    # Flags need no storage.
    assert set((await shelf.bench.shared.review.bulk(ANN, ids, BulkAction.REVIEW)).values()) == {BulkResult.DONE}


async def test_five_hundred_take_no_longer_than_a_person_waits(bench: Bench) -> None:
    ids = [await bench.event() for _ in range(500)]
    started = time.monotonic()
    results = await bench.shared.review.bulk(ANN, ids, BulkAction.REVIEW)
    assert set(results.values()) == {BulkResult.DONE}
    # Measured 0.1 s; a busy machine may take its time, one transaction an event would take longer than this.
    assert time.monotonic() - started < 5


# --- history ----------------------------------------------------------------------------------------------------------


async def test_an_event_keeps_a_bounded_history_which_goes_with_it(shelf: Shelf) -> None:
    bench = shelf.bench
    event_id, other = await shelf.put(), await shelf.put()
    await bench.shared.review.change(ANN, other, Change(reviewed=True))
    for turn in range(ENTRIES_KEPT + 5):
        await bench.shared.review.change(ANN, event_id, Change(note=f"{turn}"))
    assert len(await told(bench, event_id)) == ENTRIES_KEPT
    assert len(await told(bench, other)) == 1
    await bench.shared.removal.delete(ANN, event_id)
    assert await bench.sql("SELECT DISTINCT event_id FROM event_history") == [(other,)]


async def test_what_agents_report_writes_nothing(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    await bench.report(event_id, FileType.IMAGE_A, "camera_1/pictures/a.jpg")
    assert await bench.sql("SELECT COUNT(*) FROM event_history") == [(0,)]


async def test_a_conversion_is_told_and_what_came_before_it(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    job = await bench.claim()
    await bench.shared.conversion.convert(job)
    ((what, who, detail),) = await told(bench, event_id)
    assert (what, who) == (What.CLIP_DONE, INSTANCE)
    assert detail.startswith("in ")
    entries = await bench.shared.review.history(TRUSTED_OPERATOR, await bench.seen(event_id))
    assert {entry.what for entry in entries} == {What.MOTION, What.REPORTED, What.CLIP_ARRIVED, What.CLIP_DONE}


async def test_a_failure_is_told_with_its_reason_and_so_is_who_had_it_tried_again(bench: Bench) -> None:
    event_id = await bench.clip(b"no video at all")
    await bench.shared.conversion.convert(await bench.claim())
    assert (await bench.seen(event_id)).mp4_conversion_status is ConversionStatus.FAILED
    await bench.shared.retries.retry(ANN, event_id, JobKind.REMUX)
    await bench.shared.jobs.fail_attempt(await bench.claim(), error="Something went wrong.")
    assert [(what, who == "Ann", detail) for what, who, detail in await told(bench, event_id)] == [
        (What.CLIP_FAILED, False, "The file is not H.264 video."),
        (What.CLIP_RETRIED, True, ""),
        (What.CLIP_DELAYED, False, "Something went wrong."),
    ]


async def test_what_was_given_back_untried_is_no_history(bench: Bench, clip: bytes) -> None:
    event_id = await bench.clip(clip)
    await bench.shared.jobs.release(await bench.claim(), delay_seconds=0, reason="The storage did not answer.")
    assert await told(bench, event_id) == []
