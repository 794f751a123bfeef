"""The one writer thread outlives every fault, and whoever waits for it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import OperationalError

from streaming.eventlog import writer
from streaming.eventlog.writer import Writer
from streaming.protocol.codec import Entry
from streaming.protocol.errors import InternalError, StorageBusy

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = UUID(int=1), UUID(int=2)


class Heard:
    def __init__(self) -> None:
        self.published: list[UUID] = []
        self.delayed: list[UUID] = []
        self.fault: Exception | None = None

    def publish(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        if self.fault is not None:
            raise self.fault
        self.published.append(run_id)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def thread(heard: Heard) -> AsyncIterator[Writer]:
    thread = Writer(patience=1.0)
    thread.start(heard.publish, delayed=heard.delayed.extend)
    yield thread
    await thread.stop()


async def write(thread: Writer, run_id: UUID) -> None:
    async with asyncio.timeout(5):
        await thread.append(run_id=run_id, number=1, entries=[Entry(1, "{}")])


async def test_a_fault_of_ours_ends_its_run_only(thread: Writer, heard: Heard) -> None:
    def commit(batches: Sequence[Any], **_: Any) -> list[Any]:
        if any(batch.run_id == ONE for batch in batches):
            raise TypeError("not for a database")
        return []

    with mock.patch.object(writer, "commit", commit):
        results = await asyncio.gather(write(thread, ONE), write(thread, TWO), return_exceptions=True)
    assert isinstance(results[0], InternalError)
    assert results[0].log_id
    assert results[1] is None
    assert heard.published == [TWO]


async def test_the_thread_goes_on_after_a_fault_outside_of_the_commit(thread: Writer) -> None:
    with mock.patch.object(writer, "joined", side_effect=RuntimeError()), pytest.raises(InternalError):
        await write(thread, ONE)
    with mock.patch.object(writer, "commit", return_value=[]):
        await write(thread, ONE)
    assert await thread.job(lambda: 7) == 7


async def test_a_reader_s_fault_does_not_keep_the_writers_waiting(thread: Writer, heard: Heard) -> None:
    heard.fault = RuntimeError()
    with mock.patch.object(writer, "commit", return_value=[]):
        await write(thread, ONE)


async def test_a_storage_that_is_away_is_waited_for_once_and_not_once_more_a_run(heard: Heard) -> None:
    thread = Writer(patience=0.2)
    thread.start(heard.publish, delayed=heard.delayed.extend)
    asked: list[bool] = []

    def commit(batches: Sequence[Any], *, perhaps_written: bool) -> list[Any]:
        asked.append(perhaps_written)
        raise OperationalError("away")

    try:
        with mock.patch.object(writer, "commit", commit):
            async with asyncio.timeout(5):
                runs = (thread.append(run_id=UUID(int=n), number=1, entries=[Entry(1, "{}")]) for n in range(50))
                results = await asyncio.gather(*runs, return_exceptions=True)
    finally:
        await thread.stop()
    assert {type(result) for result in results} == {StorageBusy}
    assert len(set(heard.delayed)) == len(heard.delayed)
    assert (asked[0], set(asked[1:])) == (False, {True}), "what may have been written must be known as such"


async def test_runs_whose_events_have_to_wait_are_named_once(thread: Writer, heard: Heard) -> None:
    tries = iter([OperationalError("locked"), OperationalError("locked"), None])

    def commit(*_: Any, **__: Any) -> list[Any]:
        if fault := next(tries):
            raise fault
        return []

    with mock.patch.object(writer, "commit", commit):
        await write(thread, ONE)
    assert heard.delayed == [ONE]


async def test_what_comes_in_one_turn_of_the_loop_is_one_commit(thread: Writer):
    commits: list[int] = []

    def commit(batches: Sequence[Any], **_: Any) -> list[Any]:
        commits.append(len(batches))
        return []

    runs = [UUID(int=number) for number in range(1, 21)]
    with mock.patch.object(writer, "commit", commit):
        await asyncio.gather(*(write(thread, run_id) for run_id in runs))
    assert commits == [20]


async def test_what_was_appended_just_before_the_end_is_written(heard: Heard):
    thread = Writer(patience=1.0)
    thread.start(heard.publish)
    with mock.patch.object(writer, "commit", return_value=[]):
        done = thread.append(run_id=ONE, number=1, entries=[Entry(1, "{}")])
        await thread.stop()
        await done
    assert heard.published == [ONE]
