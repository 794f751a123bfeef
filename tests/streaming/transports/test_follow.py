"""Following, over a real log: what a reader gets, and when it is let go."""

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest

from chatserver.accounts.models import User
from streaming.eventlog.tailer import Tailer
from streaming.protocol.codec import Entry
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports.beginning import Beginning
from streaming.transports.follow import follow
from streaming.transports.live import Live
from streaming.transports.sse import stream_run
from tests.support.bench import principal_of, running

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage())


async def test_readers_of_ended_runs_leave_nothing_on_their_connection(user: User):
    live = Live(principal_of(user))
    async with running(user, [[[Text("Hello")], [STOP]]]) as bench:
        for _ in range(3):
            run = await bench.send()
            async with aclosing(
                follow(tailer=bench.engine.tailer, run_id=run.pk, after=0, heartbeat=1, live=live)
            ) as news:
                async for _ in news:
                    pass
        assert live._wakes == []
        assert bench.engine.tailer._channels == {}


@pytest.mark.parametrize(("reason", "gets_the_rest"), [("restart", True), ("not_authenticated", False)])
async def test_a_restart_takes_nothing_away_and_a_lost_right_everything(user: User, reason: str, gets_the_rest: bool):
    live = Live(principal_of(user))
    async with running(user, [[[Text("Hello")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        live.end(reason)  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            following = follow(tailer=bench.engine.tailer, run_id=run.pk, after=0, heartbeat=60, live=live)
            seen = [entry.id async for news in following for entry in news.entries]
    assert bool(seen) is gets_the_rest


class LossyLog:
    """Has lost events 3 to 6, and stands in for them with a snapshot."""

    ENTRIES = (
        *(Entry(number, f'{{"event":"thread.message.delta","id":{number}') for number in (1, 2)),
        Entry(6, '{"event":"thread.run.snapshot","id":6'),
        Entry(7, '{"event":"thread.message.delta","id":7'),
        Entry(8, '{"event":"thread.run.completed","id":8'),
    )

    async def read(self, *, run_id: UUID, after: int, **_: Any) -> list[Entry]:
        return [entry for entry in self.ENTRIES if entry.id > after]


async def test_what_a_log_has_lost_comes_as_a_snapshot_and_never_as_a_hole():
    log: Any = LossyLog()
    following = follow(tailer=Tailer(event_log=log), run_id=UUID(int=1), after=0, heartbeat=60)
    async with asyncio.timeout(5):
        seen = [
            ("snapshot", news.snapshot.id) if news.snapshot else [entry.id for entry in news.entries]
            async for news in following
        ]
    assert seen == [[1, 2], ("snapshot", 6), [7, 8]]


class LongLog:
    """Gives two events at a time."""

    async def read(self, *, run_id: UUID, after: int, **_: Any) -> list[Entry]:
        name = {8: "completed"}
        return [
            Entry(number, f'{{"event":"thread.run.{name.get(number, "in_progress")}","id":{number}')
            for number in range(after + 1, min(after + 3, 9))
        ]


async def test_who_reads_the_log_does_not_wait_for_another_who_has_stopped_in_it():
    log: Any = LongLog()
    tailer = Tailer(event_log=log)
    async with (
        asyncio.timeout(5),
        aclosing(follow(tailer=tailer, run_id=UUID(int=1), after=0, heartbeat=60)) as slow,
    ):
        assert [entry.id for entry in (await anext(slow)).entries] == [1, 2]  # and asks for no more
        following = follow(tailer=tailer, run_id=UUID(int=1), after=0, heartbeat=60)
        assert [entry.id async for news in following for entry in news.entries] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_snapshot_is_not_given_to_who_has_lost_the_right_to_it_meanwhile(user: User):
    live = Live(principal_of(user))
    async with running(user, [[[Text("Hello")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.run.completed")
        start = Beginning(mode="snapshot", head=3, after=3, wish="auto", snapshot='{"canary":1}')
        body = aiter(stream_run(bench.engine, run, live, start=start, names=False))
        await anext(body)  # the opening; who takes it takes their time
        live.end("not_authenticated")
        assert [data async for data in body] == []
