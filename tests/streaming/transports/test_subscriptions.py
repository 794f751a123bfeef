"""The runs of one socket, over a real log and with a socket that a test holds still."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chatserver.accounts.models import User
from conversations.models import Run
from streaming.protocol.errors import InvalidRequest
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.tasks import TaskRegistry
from streaming.transports.attach import Wish
from streaming.transports.beginning import beginning_of
from streaming.transports.falling_behind import MOST_EVENTS
from streaming.transports.live import Live
from streaming.transports.subscriptions import SocketClosed, Subscriptions
from tests.support.bench import EngineBench, principal_of, running

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage())
PATIENCE = 20.0


class StillSocket:
    """Takes ``most`` frames, and then nothing before ``flow`` is set."""

    def __init__(self, *, most: int) -> None:
        self.most = most
        self.flow = asyncio.Event()
        self.closed = False
        self.frames: list[dict[str, Any]] = []

    async def send(self, text: str) -> None:
        if len(self.frames) >= self.most:
            await self.flow.wait()
        if self.closed:
            raise SocketClosed()
        self.frames.append(json.loads(text))

    @property
    def ids(self) -> list[int]:
        return [frame["id"] for frame in self.frames if "id" in frame]


class Socket:
    def __init__(self, bench: EngineBench, user: User, still: StillSocket) -> None:
        self.bench = bench
        self.still = still
        self.live = Live(principal_of(user))
        self.tasks = TaskRegistry()
        self.subscriptions = Subscriptions(
            engine=bench.engine, tasks=self.tasks, live=self.live, send=still.send, most=1
        )

    async def follow(self, run: Run, wish: Wish = "auto") -> None:
        start = await beginning_of(self.bench.engine, run, after=0, wish=wish)
        await self.subscriptions.begin(run, start)

    async def over(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.tasks):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def stopped_in_the_middle(
    user: User, settings: Any, *, words: int, wish: Wish
) -> AsyncIterator[tuple[Socket, Run]]:
    """A socket that has taken the first events of a run and then stopped, until that has said ``words`` more words."""
    settings.FLUSH_INTERVAL, settings.FLUSH_BYTES = 0, 1  # each word an event
    gate = asyncio.Event()
    async with running(user, [[[Text("first ")], gate, *[[Text("x")] for _ in range(words)], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        socket = Socket(bench, user, StillSocket(most=2))
        await socket.follow(run, wish)
        async with asyncio.timeout(PATIENCE):
            while len(socket.still.frames) < 2:
                await asyncio.sleep(0.01)
        gate.set()
        await bench.until(run, "thread.run.completed")
        yield socket, run
        await socket.tasks.cancel_all()


async def test_a_socket_too_far_behind_gets_one_snapshot_and_what_follows(user: User, settings: Any) -> None:
    async with stopped_in_the_middle(user, settings, words=MOST_EVENTS + 60, wish="auto") as (socket, run):
        assert socket.subscriptions.heads == {str(run.pk): MOST_EVENTS + 67}
        socket.still.flow.set()
        await socket.over()
    names = [frame["event"] for frame in socket.still.frames]
    assert names.count("thread.run.snapshot") == 1
    assert names[-1] == "thread.run.completed"
    snapshot = names.index("thread.run.snapshot")
    assert socket.still.ids[-1] - socket.still.frames[snapshot]["id"] == len(names) - 1 - snapshot
    assert (socket.live.ending, socket.subscriptions.heads) == (None, {})


async def test_one_that_wants_no_snapshot_is_closed_as_too_slow(user: User, settings: Any) -> None:
    async with stopped_in_the_middle(user, settings, words=MOST_EVENTS + 60, wish="never") as (socket, _):
        socket.still.flow.set()
        await socket.over()
    assert socket.live.ending == "too_slow"
    assert socket.still.ids == list(range(1, len(socket.still.ids) + 1))


async def test_a_socket_that_has_closed_ends_its_subscriptions_without_a_word(user: User, settings: Any) -> None:
    async with stopped_in_the_middle(user, settings, words=5, wish="auto") as (socket, _):
        socket.still.closed = True
        socket.still.flow.set()
        await socket.over()
    assert (socket.live.ending, len(socket.still.frames)) == (None, 2)


async def test_nothing_is_delivered_once_the_right_has_gone(user: User, settings: Any) -> None:
    async with stopped_in_the_middle(user, settings, words=50, wish="auto") as (socket, _):
        socket.live.end("not_authenticated")
        socket.still.flow.set()
        await socket.over()
    assert len(socket.still.frames) <= 3  # the one that was under way


async def test_acknowledgements_of_what_is_not_followed_mean_nothing(user: User, settings: Any) -> None:
    async with stopped_in_the_middle(user, settings, words=5, wish="auto") as (socket, run):
        socket.subscriptions.acknowledge(run.thread_id, 10**9)
        socket.subscriptions.acknowledge(run.pk, 1)
        with pytest.raises(InvalidRequest):
            socket.subscriptions.acknowledge(run.pk, 10**9)
        await socket.subscriptions.end(run.pk)
        socket.subscriptions.acknowledge(run.pk, 10**9)
    assert run.pk not in socket.subscriptions
