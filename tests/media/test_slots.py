import asyncio

import pytest

from securitycamd.media.slots import Slots


class Holder:
    """A task that holds a slot until told to let go."""

    def __init__(self, slots: Slots) -> None:
        self._holds = False
        self._let_go = asyncio.Event()
        self.task = asyncio.create_task(self._hold(slots))

    async def _hold(self, slots: Slots) -> None:
        async with slots.hold():
            self._holds = True
            await self._let_go.wait()
        self._holds = False

    def holds(self) -> bool:
        return self._holds

    async def let_go(self) -> None:
        self._let_go.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def start(slots: Slots, count: int) -> list[Holder]:
    holders = [Holder(slots) for _ in range(count)]
    await settle()
    return holders


async def test_no_more_than_size_and_first_come_first_served() -> None:
    slots = Slots(2)
    holders = await start(slots, 4)
    assert [h.holds() for h in holders] == [True, True, False, False]
    assert (slots.taken, slots.waiting) == (2, 2)
    await holders[1].let_go()
    await settle()
    assert [h.holds() for h in holders] == [True, False, True, False]
    for holder in holders:
        await holder.let_go()
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_growing_lets_the_waiting_in_at_once() -> None:
    slots = Slots(1)
    holders = await start(slots, 3)
    slots.resize(3)
    await settle()
    assert all(h.holds() for h in holders)
    for holder in holders:
        await holder.let_go()


async def test_shrinking_takes_nothing_away_but_gives_nothing_out() -> None:
    slots = Slots(3)
    holders = await start(slots, 4)
    slots.resize(1)
    assert slots.taken == 3
    await holders[0].let_go()
    await holders[1].let_go()
    await settle()
    assert not holders[3].holds()
    await holders[2].let_go()
    await settle()
    assert holders[3].holds()
    await holders[3].let_go()
    assert slots.taken == 0


async def test_giving_up_the_wait_leaves_the_others_their_turn() -> None:
    slots = Slots(1)
    holders = await start(slots, 3)
    holders[1].task.cancel()
    await settle()
    assert slots.waiting == 1
    await holders[0].let_go()
    await settle()
    assert holders[2].holds()
    await holders[2].let_go()


async def test_a_slot_given_to_one_who_is_cancelled_in_the_same_turn_is_not_lost() -> None:
    slots = Slots(1)
    holders = await start(slots, 2)
    slots.resize(2)  # gives the second its slot...
    holders[1].task.cancel()  # ...before it could run
    await settle()
    assert (slots.taken, slots.waiting) == (1, 0)
    await holders[0].let_go()
    assert slots.taken == 0


async def test_an_error_in_the_block_gives_the_slot_back() -> None:
    slots = Slots(1)
    with pytest.raises(KeyError):
        async with slots.hold():
            raise KeyError
    assert slots.taken == 0


async def test_the_waiting_can_be_sent_away() -> None:
    slots = Slots(1)
    first, second = await start(slots, 2)
    slots.fail_waiting(RuntimeError("closing"))
    with pytest.raises(RuntimeError, match="closing"):
        await second.task
    await first.let_go()
    assert (slots.taken, slots.waiting) == (0, 0)


@pytest.mark.parametrize("size", [0, -1])
async def test_there_is_at_least_one(size: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Slots(size)
    with pytest.raises(ValueError, match="at least one"):
        Slots(1).resize(size)
