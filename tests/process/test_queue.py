"""A model server that may have two runs at once, and a line before it: on one process, through its ends."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn
from tests.support.transcript import Transcript

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
SHORT = "ollama/slow-8@8"  # a second
GATED = "ollama/gated-2"


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(MAX_PARALLEL=2) as server:
        yield server


@pytest.fixture(autouse=True)
async def _counts_anew(standin: StandIn) -> AsyncIterator[None]:
    await asyncio.to_thread(standin.reset)
    yield
    await asyncio.to_thread(standin.release)


def places(seen: Transcript) -> list[int]:
    return [hint.data["position"] for hint in seen.hints if hint.name == "thread.run.queued"]


def runs_of(server: ChatServer) -> list[dict[str, Any]]:
    return server.rows("SELECT * FROM conversations_run ORDER BY created_at, id")


async def at_work(standin: StandIn, count: int) -> None:
    await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == count, timeout=20)


async def all_ended(client: Client, runs: list[dict[str, Any]]) -> list[str]:
    return [(await client.ended(run["id"], within=60))["run"]["status"] for run in runs]


async def test_those_who_wait_see_their_places_go_down_to_nothing_on_both_transports(
    ada: Client, standin: StandIn
) -> None:
    before = [await ada.start(model=GATED) for _ in range(2)]
    await at_work(standin, 2)
    runs = [await ada.start(model=SHORT) for _ in range(4)]
    last = runs[-1]["id"]
    async with ada.events(last) as stream, ada.socket() as socket:
        await socket.subscribe(last)
        while 4 not in places(stream.transcript):
            assert await stream.next() is not None
        await asyncio.to_thread(standin.release)
        over_sse, over_socket = await stream.until_end(within=60), await socket.end_of(last, within=60)
    for seen in (over_sse, over_socket):
        told = places(seen)
        assert told[0] == 4
        assert all(earlier >= later for earlier, later in pairwise(told)), told
        assert seen.end.name == "thread.run.completed"
        # Once it has begun, nobody says that it waits.
        assert seen.names.index("thread.run.in_progress") > 0
    timing = over_sse.end.data["timing"]
    assert 0 < timing["queue_ms"] <= timing["first_token_ms"] <= timing["duration_ms"]
    estimates = [hint.data["estimate_ms"] for hint in over_sse.hints if hint.name == "thread.run.queued"]
    assert all(each is None or each >= 1000 for each in estimates)
    assert await all_ended(ada, [*before, *runs]) == ["completed"] * 6
    assert standin.stats()["peak"] == 2


async def test_one_question_does_not_wait_behind_another_person_s_many(
    ada: Client, bob: Client, standin: StandIn
) -> None:
    many = [await ada.start(model=GATED) for _ in range(8)]
    try:
        await at_work(standin, 2)
        one = await bob.start(model=SHORT)
        await ada.cancel(many[0]["id"])
        # One place is free. What waited there before would not give it back.
        assert (await bob.ended(one["id"], within=60))["run"]["status"] == "completed"
    finally:
        for run in reversed(many):
            await ada.cancel(run["id"])
    await all_ended(ada, many)
    assert standin.stats()["peak"] == 2


async def test_who_waits_can_be_stopped_at_once_and_those_behind_move_up(ada: Client, standin: StandIn) -> None:
    held = [await ada.start(model=GATED) for _ in range(2)]
    await at_work(standin, 2)
    runs = [await ada.start(model=SHORT) for _ in range(3)]
    async with ada.events(runs[-1]["id"]) as stream:
        while 3 not in places(stream.transcript):
            assert await stream.next() is not None
        stopped = await ada.cancel(runs[0]["id"])
        assert (stopped.status_code, stopped.json()["run"]["status"]) == (200, "cancelled")
        while places(stream.transcript)[-1] != 2:
            assert await stream.next() is not None
    assert standin.stats()["chats"] == 2  # what was stopped has never been asked
    for run in [*held, *runs]:
        await ada.cancel(run["id"])
    await all_ended(ada, [*held, *runs])


async def test_a_bound_that_is_changed_while_it_runs_counts_from_then_on(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    held = [await ada.start(model=GATED) for _ in range(5)]
    await at_work(standin, 2)
    try:
        assert server.spoil("UPDATE conversations_modelserver SET max_parallel = 4 WHERE name = 'ollama'") == 1
        await at_work(standin, 4)
        # The demonstration is a model server of its own: the other's line does not hold it up.
        answer = await ada.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=30)
        assert answer.status_code == 200
    finally:
        server.spoil("UPDATE conversations_modelserver SET max_parallel = NULL")
        for run in held:
            await ada.cancel(run["id"])
    await all_ended(ada, held)


async def test_a_send_beyond_what_may_wait_is_refused_and_a_later_one_is_not(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    server = make_server(MAX_PARALLEL=1, MAX_WAITING=2).start()
    async with Client(server.url, people["ada"].token) as ada:
        held = await ada.start(model=GATED)
        await at_work(standin, 1)
        waiting = [await ada.start(model=SHORT) for _ in range(2)]
        body = {"message": "Hello", "model": SHORT}
        refused = await ada.post("/api/chat", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_waiting")
        assert int(refused.headers["Retry-After"]) > 0
        await ada.cancel(waiting[0]["id"])
        await ada.start(model=SHORT)
        assert held["id"]


@pytest.mark.parametrize("end", ["SIGTERM", "kill -9"])
async def test_a_full_line_outlives_the_process_and_its_bound_holds(
    make_server: MakeServer, people: People, standin: StandIn, end: str
) -> None:
    server = make_server(MAX_PARALLEL=2, DRAIN_GRACE=0.2).start()
    async with Client(server.url, people["ada"].token) as ada:
        held = [await ada.start(model="ollama/slow-30@10") for _ in range(2)]
        await at_work(standin, 2)
        waiting = [await ada.start(model=SHORT) for _ in range(5)]
        gone = await ada.cancel(waiting.pop()["id"])
        assert gone.json()["run"]["status"] == "cancelled"
    if end == "kill -9":
        await asyncio.to_thread(server.kill)
    else:
        server.terminate(signal.SIGTERM)
        await asyncio.to_thread(server.wait, within=30)
    stored = {row["status"] for row in runs_of(server)}
    assert "queued" in stored
    await asyncio.to_thread(server.start)
    async with Client(server.url, people["ada"].token) as ada:
        assert await all_ended(ada, waiting) == ["completed"] * 4
        assert set(await all_ended(ada, held)) <= {"completed", "incomplete"}
    assert standin.stats()["peak"] == 2
    begun = [row["started_at"] for row in runs_of(server) if row["status"] == "completed"]
    assert None not in begun
