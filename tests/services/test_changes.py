"""The hub: what is told, to whom, and what becomes of those who are slow or come back."""

import pytest

from securitycamd.domain.changes import Change, What
from securitycamd.services.changes import (
    KEPT,
    PENDING_LIMIT,
    WATCHERS_LIMIT,
    ChangeHub,
    TooManyWatchersError,
)


def changed(event_id: int) -> Change:
    return Change(What.CHANGED, event_id)


def test_what_repeats_is_told_once_and_new_stays_new() -> None:
    hub = ChangeHub()
    with hub.watch() as watcher:
        hub.publish([Change(What.NEW, 1, "camera_1"), changed(2), changed(1), changed(2)])
        hub.progress(2, 0.5)
        told = watcher.take(hub.start).changes
    assert {change.event_id: change.what for change in told} == {1: What.NEW, 2: What.CHANGED}
    assert {change.event_id: change.progress for change in told} == {1: None, 2: 0.5}
    assert next(change for change in told if change.event_id == 1).camera_id == "camera_1"


def test_gone_is_gone() -> None:
    hub = ChangeHub()
    with hub.watch() as watcher:
        hub.publish([Change(What.NEW, 1, "camera_1"), Change(What.GONE, 1, "camera_1")])
        assert [change.what for change in watcher.take(hub.start).changes] == [What.GONE]


def test_cameras_and_events_do_not_hide_each_other() -> None:
    hub = ChangeHub()
    with hub.watch() as watcher:
        hub.publish([Change(What.CAMERA, camera_id="camera_1"), Change(What.CAMERA, camera_id="camera_2"), changed(1)])
        assert len(watcher.take(hub.start).changes) == 3


def test_who_comes_back_is_told_what_they_missed() -> None:
    hub = ChangeHub()
    with hub.watch() as watcher:
        hub.publish([changed(1)])
        mark = watcher.take(hub.start).mark
    hub.publish([changed(2), changed(3)])
    with hub.watch(mark) as watcher:
        news = watcher.take(hub.start)
    assert [change.event_id for change in news.changes] == [2, 3]
    assert not news.is_everything
    with hub.watch(news.mark) as watcher:
        assert watcher.take(hub.start).changes == ()


@pytest.mark.parametrize(
    "mark", ["", "x", "00000000-1", "{start}-", "{start}-99", "{start}--1", "{start}-" + "9" * 900]
)
def test_a_mark_that_says_nothing_here_means_looking_at_everything(mark: str) -> None:
    hub = ChangeHub()
    hub.publish([changed(1)])
    with hub.watch(mark.format(start=hub.start)) as watcher:
        assert watcher.take(hub.start).is_everything


def test_who_was_away_too_long_looks_at_everything() -> None:
    hub = ChangeHub()
    with hub.watch() as watcher:
        mark = watcher.take(hub.start).mark
    hub.publish([changed(number) for number in range(KEPT + 1)])
    with hub.watch(mark) as watcher:
        assert watcher.take(hub.start).is_everything


def test_who_is_slow_costs_no_more_than_a_bounded_set() -> None:
    hub = ChangeHub()
    with hub.watch() as slow, hub.watch() as quick:
        hub.publish([changed(number) for number in range(PENDING_LIMIT)])
        assert len(quick.take(hub.start).changes) == PENDING_LIMIT
        hub.publish([changed(-1)])
        assert [change.event_id for change in quick.take(hub.start).changes] == [-1]
        news = slow.take(hub.start)
        assert news.is_everything
        assert news.changes == ()
        hub.publish([changed(5)])
        assert [change.event_id for change in slow.take(hub.start).changes] == [5]


async def test_there_is_room_for_so_many_and_the_stop_lets_all_go() -> None:
    hub = ChangeHub()
    contexts = [hub.watch() for _ in range(WATCHERS_LIMIT)]
    watchers = [context.__enter__() for context in contexts]
    with pytest.raises(TooManyWatchersError), hub.watch():
        pass
    hub.close()
    assert all([await watcher.wait(1) and watcher.is_closed for watcher in watchers])
    for context in contexts:
        context.__exit__(None, None, None)
    assert hub.watchers == 0
    with pytest.raises(TooManyWatchersError), hub.watch():
        pass
