"""Following, over a real log: what a reader gets, and when it is let go."""

import asyncio
from contextlib import aclosing

import pytest

from chatserver.accounts.models import User
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports.follow import follow
from streaming.transports.live import Live
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
