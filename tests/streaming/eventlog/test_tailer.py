"""Readers hear of what no wake-up ever told: what another reader finds by itself, and what the poll finds."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from streaming.eventlog.tailer import Subscription, Tailer
from streaming.protocol.codec import Entry

RUN = UUID(int=1)


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(number, f"{{{number}}}") for number in range(first, last + 1)]


class Log:
    """Four events, of which nobody is told."""

    async def read(self, *, run_id: UUID, after: int, **_: Any) -> list[Entry]:
        return entries(after + 1, 4)

    async def news(self, heads: Mapping[UUID, int]) -> tuple[dict[UUID, list[Entry]], Collection[UUID]]:
        return {run_id: entries(head + 1, 4) for run_id, head in heads.items() if head < 4}, ()


@pytest.fixture
def tailer() -> Tailer:
    log: Any = Log()
    return Tailer(event_log=log)


async def waits_at_two(tailer: Tailer, subscription: Subscription) -> None:
    tailer.published(RUN, entries(1, 2))
    await subscription.something_new()
    assert subscription.recent(2) == []


async def is_told(subscription: Subscription) -> None:
    async with asyncio.timeout(5):
        await subscription.something_new()
    assert subscription.recent(2) is None, "the log has what the recent events have not"


async def test_a_reader_who_reads_the_log_wakes_those_who_wait(tailer: Tailer) -> None:
    with tailer.subscribe(RUN) as waiting, tailer.subscribe(RUN):
        await waits_at_two(tailer, waiting)
        assert await tailer.read(RUN, 2) == entries(3, 4)
        await is_told(waiting)


async def test_a_reader_who_begins_further_on_wakes_those_who_wait(tailer: Tailer) -> None:
    with tailer.subscribe(RUN) as waiting, tailer.subscribe(RUN) as late:
        await waits_at_two(tailer, waiting)
        late.recent(4)
        assert tailer.head(RUN) == 4
        await is_told(waiting)


async def test_what_everybody_has_wakes_nobody(tailer: Tailer) -> None:
    with tailer.subscribe(RUN) as waiting, tailer.subscribe(RUN) as other:
        await waits_at_two(tailer, waiting)
        assert other.recent(1) == entries(2, 2)
        assert other.recent(2) == []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await waiting.something_new()


async def test_the_poll_makes_a_lost_wake_up_good() -> None:
    log: Any = Log()
    tailer = Tailer(event_log=log, interval=0.01)
    with tailer.subscribe(RUN) as waiting:
        await waits_at_two(tailer, waiting)
        poll = asyncio.create_task(tailer.poll_for_ever())
        try:
            async with asyncio.timeout(5):
                await waiting.something_new()
        finally:
            poll.cancel()
            with suppress(asyncio.CancelledError):
                await poll
        assert waiting.recent(2) == entries(3, 4)


async def test_a_reader_knows_whether_there_is_more_before_it_waits(tailer: Tailer) -> None:
    with tailer.subscribe(RUN) as subscription:
        tailer.published(RUN, entries(1, 2))
        assert [subscription.has_more(cursor) for cursor in (0, 1, 2)] == [True, True, False]
        tailer.hint(RUN, "{}")
        assert subscription.has_more(2)
