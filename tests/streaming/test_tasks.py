"""Tasks have one owner, who ends them, also those that are hard of hearing."""

import asyncio

import pytest
from structlog.testing import capture_logs

from streaming import tasks
from streaming.tasks import TaskRegistry


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_all_are_ended_and_none_is_left() -> None:
    registry = TaskRegistry()
    spawned = [registry.spawn(for_ever(), name=str(number)) for number in range(3)]
    await asyncio.sleep(0)
    await registry.cancel_all()
    assert all(task.cancelled() for task in spawned)
    assert len(registry) == 0


async def test_who_swallows_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "HEARD_WITHIN", 0.05)

    async def deaf() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:  # as wait_for of Python 3.11 does at the wrong moment
            await for_ever()

    registry = TaskRegistry()
    task = registry.spawn(deaf(), name="the deaf one")
    await asyncio.sleep(0)
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            await registry.cancel_all()
    assert task.cancelled()
    assert [line["tasks"] for line in logs] == [["the deaf one"]]


async def test_who_ends_them_from_one_of_them_does_not_end_itself() -> None:
    registry = TaskRegistry()
    other = registry.spawn(for_ever(), name="other")
    ending = registry.spawn(registry.cancel_all(), name="ending")
    async with asyncio.timeout(5):
        await ending
    assert other.cancelled()


async def test_what_fails_while_it_ends_holds_nobody_up() -> None:
    async def fails() -> None:
        try:
            await for_ever()
        finally:
            raise RuntimeError("no")

    registry = TaskRegistry()
    registry.spawn(fails(), name="fails")
    await asyncio.sleep(0)
    await registry.cancel_all()
    assert len(registry) == 0


async def test_nobody_is_nobody() -> None:
    await TaskRegistry().cancel_all()
