"""What a run's single writer does when its log turns events away."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from conversations.services.run_lease import Claim
from streaming.engine.recorder import Recorder
from streaming.eventlog.base import EventLog, Fenced
from streaming.protocol.codec import Entry
from streaming.protocol.errors import StorageBusy
from streaming.protocol.events import MessageDelta

RUN = UUID(int=1)


class HeldLog:
    """A log whose batches become durable, or fail, when the test says so."""

    def __init__(self) -> None:
        self.batches: list[asyncio.Future[None]] = []

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        self.batches.append(asyncio.get_running_loop().create_future())
        return self.batches[-1]


def recorder_on(log: HeldLog, failures: list[BaseException]) -> Recorder:
    return Recorder(
        claim=Claim(run_id=RUN, number=1, head=3),
        head=3,
        event_log=cast(EventLog, log),
        hint=lambda run_id, text: None,
        failed=failures.append,
        interval=0.0,
        limit=1,
    )


async def two_deltas(recorder: Recorder) -> "asyncio.Task[Any]":
    for text in ("a", "b"):
        await recorder.record([MessageDelta(run_id=str(RUN), content=text)])
    settling = asyncio.ensure_future(recorder.settle())
    await asyncio.sleep(0)
    return settling


async def test_settling_raises_the_first_failure_not_the_fence_that_follows_it() -> None:
    log, failures = HeldLog(), list[BaseException]()
    settling = await two_deltas(recorder_on(log, failures))
    log.batches[0].set_exception(StorageBusy())
    log.batches[1].set_exception(Fenced())
    with pytest.raises(StorageBusy):
        await settling
    assert [type(fault) for fault in failures] == [StorageBusy]


async def test_settling_returns_when_the_last_batch_is_durable() -> None:
    log = HeldLog()
    settling = await two_deltas(recorder_on(log, []))
    log.batches[0].set_result(None)
    await asyncio.sleep(0)
    assert not settling.done()
    log.batches[1].set_result(None)
    await settling


async def test_a_cancelled_maker_leaves_the_batch_alone() -> None:
    log = HeldLog()
    settling = await two_deltas(recorder_on(log, []))
    settling.cancel()
    await asyncio.gather(settling, return_exceptions=True)
    assert not log.batches[1].cancelled()
