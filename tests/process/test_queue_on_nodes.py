"""One line for several processes on one database: nobody works on more than the model server may have."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.nodes import beside
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.postgres]
SHORT = "ollama/slow-4@8"  # half a second
LONG = "ollama/slow-3000@10"


@pytest.fixture
def first(make_server: MakeServer, standin: StandIn) -> Iterator[ChatServer]:
    """Not yet started; without Redis, so that processes hear of each other by looking alone."""
    standin.reset()
    yield make_server(MAX_PARALLEL=2)
    standin.release()


def queued_places(events: list[Any]) -> list[int]:
    return [hint.data["position"] for hint in events if hint.name == "thread.run.queued"]


async def test_two_processes_together_keep_to_the_bound_of_a_model_server(
    first: ChatServer, people: People, standin: StandIn
) -> None:
    async with AsyncExitStack() as stack:
        servers = [stack.enter_context(server) for server in (first, beside(first))]
        clients = [
            await stack.enter_async_context(Client(server.url, people[name].token))
            for server in servers
            for name in ("ada", "bob")
        ]
        runs = await asyncio.gather(*(client.start(model=SHORT) for client in clients for _ in range(5)))
        for number, run in enumerate(runs):
            state = await clients[number // 5].ended(run["id"], within=60)
            assert state["run"]["status"] == "completed"
        assert (standin.stats()["peak"], standin.stats()["chats"]) == (2, 20)
        for run in runs:
            agreed_end(first, run["id"])


async def test_a_process_that_only_serves_shows_what_others_work_on_and_takes_nothing_over(
    first: ChatServer, people: People, standin: StandIn
) -> None:
    async with AsyncExitStack() as stack:
        web = stack.enter_context(beside(first, RUN_CAPACITY=0))
        ada = await stack.enter_async_context(Client(web.url, people["ada"].token))
        runs = [await ada.start(model=LONG) for _ in range(2)] + [await ada.start(model=SHORT) for _ in range(2)]
        await asyncio.sleep(2.5)
        assert standin.stats()["chats"] == 0  # nobody works yet, and the web process does not
        async with ada.events(runs[3]["id"]) as stream:
            while 4 not in queued_places(stream.transcript.hints):
                assert await stream.next() is not None
            assert stream.transcript.hints[-1].data["estimate_ms"] is None  # nothing is known of such a model server
            await asyncio.to_thread(first.start)
            while queued_places(stream.transcript.hints)[-1] != 2:
                assert await stream.next() is not None

            await asyncio.to_thread(first.kill)
            killed_at = time.monotonic()
            while time.monotonic() - killed_at < 5:  # leases run out after two
                statuses = [(await ada.look(run["id"]))["run"]["status"] for run in runs]
                assert statuses == ["in_progress", "in_progress", "queued", "queued"]
                await asyncio.sleep(0.2)
            assert standin.stats()["chats"] == 2

            with beside(first):
                # Those at work kept their places until somebody took them over; whatever becomes of them, they end.
                for run in runs[:2]:
                    await ada.cancel(run["id"])
                seen = await stream.until_end(within=40)
                for run in runs:
                    await ada.ended(run["id"], within=40)
        assert agreed_end(first, runs[3]["id"], seen).end.name == "thread.run.completed"
        assert standin.stats()["peak"] == 2
