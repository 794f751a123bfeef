"""A send that waits, whatever the log is made of and whoever does not come back."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Message, Run
from conversations.services.run_waiting import change_waiting
from streaming.protocol.commands import Send
from streaming.protocol.errors import ThreadBusy
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports import sending
from tests.support.bench import EngineBench, principal_of, running
from tests.support.redis_server import NEEDS_REDIS, redis_server

__all__ = ["redis_server"]

pytestmark = pytest.mark.django_db(transaction=True)
STOP = [Finish(reason="stop", usage=Usage())]


async def send(bench: EngineBench, run: Run, content: str, if_busy: Any) -> Run:
    command = Send(content=content, model="scripted/model", if_busy=if_busy)
    opened = await sending.send(bench.engine, principal_of(bench.user), run.thread_id, command, key=None, body={})
    return opened.run


@pytest.mark.parametrize("log", ["database", "memory", pytest.param("redis", marks=NEEDS_REDIS)])
async def test_it_is_followed_through_on_every_log(
    user: User, settings: Any, log: str, request: pytest.FixtureRequest
) -> None:
    settings.EVENT_LOG = log
    if log == "redis":
        settings.REDIS_URL = request.getfixturevalue("redis_server").url
    gate = asyncio.Event()
    async with running(user, [[[Text("One.")], gate, STOP], [[Text("Two.")], STOP]]) as bench:
        first = await bench.send()
        await bench.until(first, "thread.message.delta")
        run = await send(bench, first, "And then?", "enqueue")
        watching = asyncio.ensure_future(bench.watch(run))
        await bench.until(run, "thread.run.created")
        await sync_to_async(change_waiting)(run=run, content="And what then?")
        gate.set()
        seen = await watching
        assert [entry.id for entry in seen.entries] == list(range(1, len(seen.entries) + 1))
        assert seen.names[:5] == [
            *("thread.run.created", "thread.run.updated", "thread.message.created", "thread.message.created"),
            "thread.run.in_progress",
        ]
        assert (seen.names[-1], seen.text) == ("thread.run.completed", "Two.")
        told = seen.events[-1].run  # type: ignore[attr-defined]
        assert (told.waiting, told.request, bool(told.user_message_id and told.assistant_message_id)) == (
            *(False, None, True),
        )
        asked = [(message.role, message.content) for message in bench.provider.requests[-1].messages]
        assert asked == [("user", "hello"), ("assistant", "One."), ("user", "And what then?")]


async def test_who_interrupts_and_is_refused_after_all_sets_the_queue_going(user: User, monkeypatch: Any) -> None:
    gate = asyncio.Event()
    async with running(user, [[[Text("One.")], gate, STOP], [[Text("Two.")], STOP]]) as bench:
        first = await bench.send()
        await bench.until(first, "thread.message.delta")
        run = await send(bench, first, "And then?", "enqueue")

        async def too_late(runs: Any, deadline: float) -> None:
            await interrupt(runs, deadline)
            raise ThreadBusy()

        interrupt = sending._interrupt
        monkeypatch.setattr(sending, "_interrupt", too_late)
        with pytest.raises(ThreadBusy):
            await send(bench, first, "Stop that.", "interrupt")
        assert (await bench.watch(run)).names[-1] == "thread.run.completed"
        assert not await Message.objects.filter(content="Stop that.").aexists()


async def test_it_begins_when_the_model_server_fails_the_one_before(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [[[Text("One.")], gate], [[Text("Two.")], STOP]]) as bench:
        first = await bench.send()
        await bench.until(first, "thread.message.delta")
        run = await send(bench, first, "And then?", "enqueue")
        gate.set()  # and nothing more: the turn has no end
        assert (await bench.watch(first)).names[-1] == "thread.run.failed"
        assert (await bench.watch(run)).text == "Two."
        (await bench.stored(run)).agree()
