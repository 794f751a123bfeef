"""A time limit used again and again: it ends what hangs, and nothing else."""

import asyncio
from contextlib import suppress

import pytest

from streaming.patience import Patience, within


async def test_what_takes_too_long_is_ended():
    patience = Patience(0.02)
    with pytest.raises(TimeoutError), patience:
        await asyncio.Event().wait()


async def test_each_use_has_the_whole_time():
    patience = Patience(0.06)
    for _ in range(5):
        with patience:
            await asyncio.sleep(0.03)


async def test_time_between_two_uses_is_nobody_s():
    patience = Patience(0.02)
    with patience:
        pass
    await asyncio.sleep(0.05)
    with patience:
        await asyncio.sleep(0)


async def test_it_can_be_used_again_after_it_has_ended_something():
    patience = Patience(0.02)
    for _ in range(3):
        with pytest.raises(TimeoutError), patience:
            await asyncio.sleep(10)
    with patience:
        await asyncio.sleep(0)


async def test_who_is_cancelled_by_somebody_else_is_cancelled():
    patience = Patience(10)

    async def wait() -> None:
        with patience:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_somebody_else_s_cancellation_wins_over_the_limit():
    patience = Patience(0.02)
    late = asyncio.Event()

    async def wait() -> None:
        with patience:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # the limit's
                late.set()
                await asyncio.sleep(10)

    task = asyncio.create_task(wait())
    await late.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_was_cancelled_just_before_the_limit_is_cancelled():
    patience = Patience(0.02)

    async def wait() -> None:
        with patience:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)

    def cancel_and_overrun() -> None:  # the limit is reached in the same turn, before the task comes to know
        task.cancel()
        patience._since = float("-inf")
        patience._look()

    asyncio.get_running_loop().call_soon(cancel_and_overrun)
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()


async def test_a_fault_passes_through_and_leaves_no_timer():
    patience = Patience(10)
    with suppress(KeyError), patience:
        raise KeyError
    patience.close()
    assert patience._timer is None


async def test_an_event_is_waited_for_so_long_and_no_longer() -> None:
    event = asyncio.Event()
    assert await within(0.01, event) is False
    asyncio.get_running_loop().call_later(0.01, event.set)
    assert await within(5.0, event) is True
