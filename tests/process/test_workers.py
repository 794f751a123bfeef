"""``manage.py serve --workers N``: one address, several processes, and an end for all of them, whatever happens.

Proves F66 and F70 for worker processes, and that none of them is ever left behind.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.environment import ROOT, free_port, product_environment
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.redis_server import redis_server
from tests.support.server import ChatServer
from tests.support.services import OwnRedis

__all__ = ["redis_server"]
pytestmark = pytest.mark.process
ON_POSTGRES = pytest.mark.postgres
SLACK = 5.0


def workers_of(launcher: int) -> set[int]:
    """Its children, as the kernel has them."""
    found = Path(f"/proc/{launcher}/task/{launcher}/children").read_text()
    return {int(pid) for pid in found.split()}


def alive(pids: set[int]) -> set[int]:
    """Those that have not ended; what nobody has reaped yet has ended."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def until(condition: Callable[[], object], *, within: float) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def server(make_server: MakeServer, redis_server: OwnRedis) -> AsyncIterator[ChatServer]:
    server = make_server(workers=2, REDIS_URL=redis_server.url, DRAIN_GRACE=3)
    await asyncio.to_thread(server.start)
    await until(lambda: server.log.count("Application startup complete") >= 2, within=60)
    pids = workers_of(server.pid)
    yield server
    server.kill()
    for pid in alive(pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# --- the start -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("redis", ["", "redis://127.0.0.1:9/0"])
def test_what_several_processes_need_is_said_in_one_sentence(tmp_path: Path, redis: str) -> None:
    refused = subprocess.run(
        [sys.executable, "manage.py", "serve", "--workers", "2", "--port", str(free_port())],
        cwd=ROOT,
        env=product_environment(tmp_path / "data", REDIS_URL=redis),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "DATABASE_URL=postgres://" in refused.stderr
    assert "REDIS_URL=redis://" in refused.stderr


@ON_POSTGRES
async def test_both_serve_and_one_that_dies_is_replaced(server: ChatServer, people: People) -> None:
    assert len(workers_of(server.pid)) == 2
    async with Client(server.url, people["ada"].token) as ada:
        runs = [await ada.start(model="ollama/slow-3@max") for _ in range(3)]
        for run in runs:
            await ada.ended(run["id"])
            async with Client(server.url, people["ada"].token) as again:
                await again.replay(run["id"])
            agreed_end(server, run["id"])
    assert server.threads() == 1
    # Where it listens, what wakes it, and a line to each worker: no database, no Redis.
    assert server.open_sockets() == 1 + 2 + 2
    before = workers_of(server.pid)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    async with Client(server.url, people["ada"].token) as ada:
        for _ in range(20):
            assert (await ada.get("/livez")).status_code == 200
            await asyncio.sleep(0.02)
    await until(lambda: len(workers_of(server.pid)) == 2 and victim not in workers_of(server.pid), within=20)
    assert "a worker has ended and is started anew" in server.log
    await until(lambda: server.log.count("Application startup complete") >= 3, within=60)
    assert server.is_ready()


# --- the end -------------------------------------------------------------------------------------------------------


@ON_POSTGRES
async def test_all_streams_are_told_to_reconnect_and_all_processes_end(server: ChatServer, people: People) -> None:
    workers = workers_of(server.pid)
    async with Client(server.url, people["ada"].token) as ada:
        runs = [await ada.start(model="ollama/hang-mid") for _ in range(4)]
        begun_to_read = asyncio.Semaphore(0)
        streams = [asyncio.create_task(_follow(ada, runs[each % 4]["id"], begun_to_read)) for each in range(24)]
        sockets = [ada.socket() for _ in range(8)]
        for socket in sockets:
            await socket.__aenter__()
        for _ in streams:
            await begun_to_read.acquire()
        begun = time.monotonic()
        server.terminate(signal.SIGINT)
        code = await asyncio.to_thread(server.wait, within=3 + 3 + SLACK)
        took = time.monotonic() - begun
        assert {await socket.closed(within=1) for socket in sockets} <= {4012, 1012, 1001, 1006}
        ends = [await each for each in streams]
        assert all(ended or retried for ended, retried in ends), ends
    assert code == 0
    assert took < 3 + 3 + SLACK
    assert not alive(workers)


async def _follow(client: Client, run_id: str, begun: asyncio.Semaphore) -> tuple[bool, bool]:
    """Whether the run's end came, and whether the stream said when to come again."""
    async with client.events(run_id) as stream:
        await stream.until(1)
        begun.release()
        await stream.rest(within=30)
    return stream.transcript.ended, len(stream.parser.retries) > 1


@ON_POSTGRES
async def test_the_whole_group_may_be_told_as_service_managers_do(server: ChatServer, people: People) -> None:
    """The launcher and each worker get the signal; a worker takes the launcher's word for no second one."""
    workers = workers_of(server.pid)
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-40@30")
        async with ada.events(run["id"]) as stream:
            while "t5 " not in stream.transcript.content:
                await stream.next()
            for pid in (*workers, server.pid):
                os.kill(pid, signal.SIGTERM)
            seen = await stream.until_end(within=10)
        assert await asyncio.to_thread(server.wait, within=6 + SLACK) == 0
    assert agreed_end(server, run["id"], seen).end.name == "thread.run.completed"


@ON_POSTGRES
async def test_a_second_signal_ends_all_at_once(
    make_server: MakeServer, redis_server: OwnRedis, people: People
) -> None:
    server = make_server(workers=2, REDIS_URL=redis_server.url, DRAIN_GRACE=60)
    await asyncio.to_thread(server.start)
    async with Client(server.url, people["ada"].token) as ada:
        await ada.start(model="ollama/hang-mid")
        workers = workers_of(server.pid)
        server.terminate(signal.SIGINT)
        await asyncio.sleep(1)
        begun = time.monotonic()
        server.terminate(signal.SIGINT)
        await asyncio.to_thread(server.wait, within=4 + SLACK)
    assert time.monotonic() - begun < 4 + SLACK
    assert not alive(workers)


@ON_POSTGRES
async def test_workers_whose_launcher_is_killed_drain_and_end(server: ChatServer, people: People) -> None:
    workers = workers_of(server.pid)
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-40@30")
        async with ada.events(run["id"]) as stream:
            while "t5 " not in stream.transcript.content:
                await stream.next()
            server.kill()
            seen = await stream.until_end(within=10)
        await until(lambda: not alive(workers), within=3 + 3 + SLACK)
    assert agreed_end(server, run["id"], seen).end.name == "thread.run.completed"


@ON_POSTGRES
async def test_workers_that_cannot_start_end_the_launcher(make_server: MakeServer, redis_server: OwnRedis) -> None:
    server = make_server(workers=2, REDIS_URL=redis_server.url)
    server.launch()
    await until(lambda: server.log.count("worker started") == 2, within=60)
    workers = workers_of(server.pid)
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert await asyncio.to_thread(server.wait, within=10) == 1
    assert "could not start" in server.log
    assert not alive(workers)
