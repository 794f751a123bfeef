"""What was opened for a run is given back when it has ended, however it ended."""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.process_on_both, pytest.mark.timeout(600)]
AT_ONCE = 10
SLACK = 2
LEFT, STOPPED = (1400, 600) if os.environ.get("CHAOS") == "full" else (40, 20) if POSTGRES else (200, 100)


class Held:
    """What a server holds now: descriptors, threads, tasks, connections to the model server and to PostgreSQL."""

    def __init__(self, server: ChatServer, standin: StandIn) -> None:
        stats = standin.stats()
        self.of = {
            "files": server.open_files(),
            "threads": server.threads(),
            "upstream": stats["active"] + stats["connections"],
        }
        if server.kind == "uvicorn":
            self.of["tasks"] = tasks(server)
        if POSTGRES:
            sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            self.of["database"] = server.rows(sql)[0]["n"]

    def is_no_more_than(self, other: "Held") -> bool:
        return all(number <= other.of[name] + SLACK for name, number in self.of.items())


def tasks(server: ChatServer) -> int:
    """Of its event loop, as the server counts them."""
    file = server.data_dir / "tasks.txt"
    file.unlink(missing_ok=True)
    server.terminate(signal.SIGUSR2)
    deadline = time.monotonic() + 10
    while not file.exists():
        assert time.monotonic() < deadline, "the server does not count"
        time.sleep(0.01)
    return len(file.read_text().splitlines())


async def leave(client: Client, *, over_socket: bool) -> str:
    """Start an answer and leave in the middle of it."""
    body = {"message": "Hello", "model": "ollama/slow-8@40"}
    async with client.stream("POST", "/api/chat/stream", body=body) as stream:
        seen = await stream.until(5)
    run_id: str = seen.events[0].data["run_id"]
    if over_socket:
        async with client.socket() as socket:
            await socket.subscribe(run_id)
            socket.cut()
    return run_id


async def stop(client: Client) -> str:
    body = {"message": "Hello", "model": "ollama/hang-mid"}
    async with client.stream("POST", "/api/chat/stream", body=body) as stream:
        seen = await stream.until(5)
        run_id: str = seen.events[0].data["run_id"]
        await client.cancel(run_id)
        await stream.until_end()
    return run_id


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_after_many_left_and_many_stopped_answers_nothing_is_left_open(
    make_server: MakeServer, people: People, standin: StandIn, kind: str
) -> None:
    server = make_server(kind=kind, DJANGO_SETTINGS_MODULE="tests.support.counted_settings").start()
    left, stopped = (LEFT, STOPPED) if kind == "uvicorn" else (20, 10)
    async with Client(server.url, people["ada"].token) as ada:
        warm = [leave(ada, over_socket=True) for _ in range(AT_ONCE)] + [stop(ada) for _ in range(AT_ONCE)]
        await _in_turn(warm)
        await _quiet(ada, server, standin)
        baseline = await asyncio.to_thread(Held, server, standin)
        if kind == "uvicorn":
            assert baseline.of["tasks"] > 3, "it does not count"
        runs = await _in_turn([leave(ada, over_socket=number % 4 == 0) for number in range(left)])
        runs += await _in_turn([stop(ada) for _ in range(stopped)])
        await _quiet(ada, server, standin)
        deadline = time.monotonic() + 5
        while not (now := await asyncio.to_thread(Held, server, standin)).is_no_more_than(baseline):
            assert time.monotonic() < deadline, (now.of, baseline.of)
            await asyncio.sleep(0.1)
    statuses = server.rows("SELECT status, count(*) AS n FROM conversations_run GROUP BY status")
    assert {row["status"]: row["n"] for row in statuses} == {
        "completed": left + AT_ONCE,
        "cancelled": stopped + AT_ONCE,
    }
    assert len(set(runs)) == left + stopped


async def _in_turn(work: Sequence[Coroutine[Any, Any, str]]) -> list[str]:
    """All of it, some at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Coroutine[Any, Any, str]) -> str:
        async with room:
            return await each

    return list(await asyncio.gather(*map(one, work)))


async def _quiet(client: Client, server: ChatServer, standin: StandIn) -> None:
    """Wait until no run is active, the model server serves nobody, and our own connections are closed."""
    async with asyncio.timeout(20):
        while server.active_runs() or standin.stats()["active"]:
            await asyncio.sleep(0.1)
    await client.http.aclose()
    await asyncio.sleep(0.3)
    client.http = Client(client.url, client.token).http
