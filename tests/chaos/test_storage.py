"""Storage that is held, slow, full, copied, restarted or away while answers are written, and Redis that moves.

Proves F52, F53, F54, F56, F59, F64 and F65. Each ends with the positive control: the answer is there to its last
letter, and the next one is given without a restart.
"""

import asyncio
import os
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.chaos.proxy import Wires
from tests.chaos.shapes import PLANS, POSTGRES, Shape
from tests.support.agreement import agreed_end
from tests.support.client import Client, Stream
from tests.support.people import People
from tests.support.processes import Made, MakeServer
from tests.support.server import ChatServer
from tests.support.services import OwnRedis, missing_services
from tests.support.standin import StandIn
from tests.support.transcript import Transcript

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.timeout(300)]
FULL = os.environ.get("CHAOS") == "full"
NEEDS_SERVICES = pytest.mark.skipif(bool(missing_services()), reason=", ".join(missing_services()))
TOKENS = 150
MODEL = f"ollama/slow-{TOKENS}@50"  # three seconds
WHOLE = " ".join(f"t{number}" for number in range(TOKENS))


async def comes_to(stream: Stream, word: str) -> None:
    async with asyncio.timeout(30):
        while f"{word} " not in stream.transcript.content:
            assert await stream.next() is not None


async def assert_answers(client: Client) -> None:
    run = await client.start(model="ollama/slow-3@max")
    assert (await client.ended(run["id"]))["run"]["status"] == "completed"


def assert_busy(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_busy"), answer.text
    assert answer.json()["error"]["retryable"] is True
    assert int(answer.headers["Retry-After"]) >= 1


def assert_whole(server: ChatServer, run_id: str, *seen: Transcript) -> None:
    history = agreed_end(server, run_id, *seen)
    assert (history.end.name, history.content) == ("thread.run.completed", WHOLE)
    for transcript in seen:
        assert transcript.texts == history.texts


# --- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker() as server:
        yield server


@contextmanager
def write_lock(server: ChatServer) -> Iterator[None]:
    """Held by another process, as a shell with an open transaction holds it."""
    path = server.data_dir / "chat.sqlite3"
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


async def test_a_file_that_somebody_writes_to_is_a_pause_and_readers_read_on(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream:
        await comes_to(stream, "t5")
        with write_lock(server):
            until = time.monotonic() + 3
            reading = asyncio.create_task(stream.rest(within=60))
            while time.monotonic() < until:
                assert (await ada.get("/api/v1/threads")).status_code == 200
                assert (await ada.look(run["id"]))["run"]["status"] == "in_progress"
                assert stream.transcript.last <= len(server.logged(run["id"])), "seen, and not committed"
                await asyncio.sleep(0.05)
            paused_at = len(server.logged(run["id"]))
        seen = await reading
    assert seen.last > paused_at
    assert any(hint.data["phase"] == "waiting_for_storage" for hint in seen.hints)
    assert_whole(server, run["id"], seen)


@pytest.mark.skipif(not FULL, reason="takes a minute; make chaos")
async def test_a_file_that_is_held_for_too_long_ends_the_run_and_nobody_saw_more_than_there_is(
    ada: Client, server: ChatServer
) -> None:
    run = await ada.start(model="ollama/slow-100000@50")
    async with ada.events(run["id"]) as stream:
        await comes_to(stream, "t5")
        reading = asyncio.create_task(stream.rest(within=120))
        with write_lock(server):
            until = time.monotonic() + 50
            assert_busy(await ada.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=60))
            while time.monotonic() < until:
                assert (await ada.get("/api/v1/threads")).status_code == 200
                assert stream.transcript.last <= len(server.logged(run["id"])), "seen, and not committed"
                await asyncio.sleep(0.2)
        seen = await reading
    history = agreed_end(server, run["id"], seen)
    assert history.end.name == "thread.run.failed"
    assert history.one("error").data["code"] == "storage_busy"
    await assert_answers(ada)


async def test_where_every_commit_waits_most_of_a_second_batches_grow_and_others_are_served(
    ada: Client, bob: Client, server: ChatServer
) -> None:
    over = threading.Event()

    def hold_and_let_go() -> None:
        while not over.is_set():
            with write_lock(server):
                time.sleep(0.8)
            time.sleep(0.25)  # SQLite looks every tenth of a second whether it is free

    holder = threading.Thread(target=hold_and_let_go)
    holder.start()
    try:
        begun = time.monotonic()
        run = await ada.start(model=MODEL)
        other = await bob.start(model="ollama/slow-20@20")
        async with ada.events(run["id"]) as stream:
            reading = asyncio.create_task(stream.rest(within=60))
            seen = await bob.replay(other["id"])
            assert (await bob.get("/api/v1/threads")).status_code == 200
            whole = await reading
    finally:
        over.set()
        holder.join()
    assert agreed_end(server, other["id"], seen).content == " ".join(f"t{number}" for number in range(20))
    assert_whole(server, run["id"], whole)
    # Some seventy events, each by itself, would be as many seconds: they are committed together.
    assert whole.last > 30
    assert time.monotonic() - begun < 20


async def test_a_copy_is_taken_and_the_file_rewritten_while_answers_stream(
    ada: Client, server: ChatServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    def copy_and_vacuum() -> None:
        with closing(sqlite3.connect(server.data_dir / "chat.sqlite3", timeout=30)) as database:
            for number in range(4):
                with closing(sqlite3.connect(tmp_path / f"copy-{number}.sqlite3")) as copy:
                    database.backup(copy)
                    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    assert copy.execute("SELECT count(*) FROM conversations_run").fetchone()[0] > 0
                database.execute("VACUUM")

    p95 = await _copied_while_it_streams(ada, server, copy_and_vacuum)
    record_property("p95 between two events in seconds, while copied", p95)


async def _copied_while_it_streams(client: Client, server: ChatServer, copy: Callable[[], None]) -> float:
    """Three answers; none fails, none loses a letter. The 95th percentile of the time from one event to the next."""
    runs = [await client.start(model=MODEL) for _ in range(3)]
    times: list[float] = []

    async def read(run_id: str) -> Transcript:
        async with client.events(run_id) as stream:
            last = time.monotonic()
            while (event := await stream.next()) is not None:
                if event.name == "thread.message.delta":
                    times.append(time.monotonic() - last)
                    last = time.monotonic()
            return stream.transcript

    *seen, _ = await asyncio.gather(*(read(run["id"]) for run in runs), asyncio.to_thread(copy))
    for run, transcript in zip(runs, seen, strict=True):
        assert_whole(server, run["id"], transcript)
    return statistics.quantiles(times, n=20)[-1]


# --- a disk without room --------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few MiB; mounting one needs root."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 65_536)


async def test_a_full_disk_fails_the_run_by_name_and_what_is_stored_can_be_read(
    small_disk: Path, made: Made, people: People, standin: StandIn
) -> None:
    data_dir = small_disk / "data"
    shutil.copytree(made.data_dir, data_dir)
    server = ChatServer(data_dir, OLLAMA_BASE_URL=standin.base_url, FLUSH_INTERVAL=10)
    server.log_file = made.data_dir.parent / "full-disk.log"  # which is on a disk with room
    ballast = small_disk / "ballast"
    with server:
        async with Client(server.url, people["ada"].token) as ada:
            run = await ada.start(model="ollama/slow-100000@500")
            async with ada.events(run["id"]) as stream:
                await comes_to(stream, "t5")
                fill(ballast)
                reading = asyncio.create_task(stream.rest(within=120))
                async with asyncio.timeout(60):
                    while "disk is full" not in server.log:
                        await asyncio.sleep(0.1)
                look = await ada.look(run["id"])
                assert look["messages"][0]["content"] == "Hello"
                assert stream.transcript.last <= len(server.logged(run["id"])), "seen, and not committed"
                refused = await ada.post("/api/v1/threads", {"title": "x" * 200}, timeout=60)
                assert refused.status_code in (201, 503), refused.text  # a page may have been left
                await asyncio.sleep(22)  # the writer's patience: then it is no pause any more
                ballast.unlink()
                seen = await reading
            history = agreed_end(server, run["id"], seen)
            assert history.end.name == "thread.run.failed"
            assert history.one("error").data["code"] == "storage_full"
            assert seen.texts == history.texts
            await assert_answers(ada)
    assert server.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shape() -> Iterator[Shape]:
    with Shape(PLANS["postgres"]) as shape:
        yield shape


@pytest_asyncio.fixture
async def there(shape: Shape) -> AsyncIterator[Client]:
    """Ada at the server on PostgreSQL."""
    async with Client(shape.nodes[0].server.url, shape.people["ada"].token) as client:
        yield client


@NEEDS_SERVICES
async def test_postgres_is_restarted_and_killed_in_mid_run_and_costs_no_event(shape: Shape, there: Client) -> None:
    assert shape.postgres is not None
    run = await there.start(model=MODEL)
    async with there.events(run["id"]) as stream, there.socket() as socket:
        await socket.subscribe(run["id"])
        await comes_to(stream, "t10")
        await asyncio.to_thread(shape.postgres.restart)
        await comes_to(stream, "t60")
        await asyncio.to_thread(shape.postgres.kill)
        await asyncio.to_thread(shape.postgres.start)
        over_sse, over_socket = await stream.until_end(within=40), await socket.end_of(run["id"], within=40)
    assert_whole(shape.nodes[0].server, run["id"], over_sse, over_socket)


@NEEDS_SERVICES
async def test_while_postgres_is_away_it_is_said_and_then_all_goes_on(shape: Shape, there: Client) -> None:
    assert shape.postgres is not None
    server = shape.nodes[0].server
    run = await there.start(model=MODEL)
    async with there.events(run["id"]) as stream:
        await comes_to(stream, "t10")
        await asyncio.to_thread(shape.postgres.stop)
        away_since, reading = time.monotonic(), asyncio.create_task(stream.rest(within=60))
        assert_busy(await there.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=60))
        assert not await asyncio.to_thread(server.is_ready)
        await asyncio.sleep(max(0.0, away_since + 8 - time.monotonic()))
        await asyncio.to_thread(shape.postgres.start)
        seen = await reading
    assert any(hint.data["phase"] == "waiting_for_storage" for hint in seen.hints)
    assert_whole(server, run["id"], seen)
    assert (await there.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=60)).status_code == 200


@NEEDS_SERVICES
@pytest.mark.skipif(not FULL, reason="takes more than a minute; make chaos")
async def test_while_postgres_is_away_for_a_minute_memory_is_bounded_and_the_run_ends_cleanly(
    shape: Shape, there: Client
) -> None:
    assert shape.postgres is not None
    server = shape.nodes[0].server
    run = await there.start(model="ollama/slow-1000000@2000")
    async with there.events(run["id"]) as stream:
        await comes_to(stream, "t10")
        before = server.memory()
        reading = asyncio.create_task(stream.rest(within=120))
        await asyncio.to_thread(shape.postgres.stop)
        await asyncio.sleep(60)
        assert server.memory() - before < 40 * 1024 * 1024
        await asyncio.to_thread(shape.postgres.start)
        seen = await reading
    history = agreed_end(server, run["id"], seen)
    assert (history.end.name, history.one("error").data["code"]) == ("thread.run.failed", "storage_busy")
    await assert_answers(there)


@NEEDS_SERVICES
async def test_a_dump_is_taken_and_tables_are_rewritten_while_answers_stream(
    shape: Shape, there: Client, record_property: Callable[[str, object], None]
) -> None:
    def dump_and_vacuum() -> None:
        assert shape.postgres is not None
        for _ in range(2):
            dumped = shape.postgres.dump(shape.url)
            assert b"CREATE TABLE public.conversations_run " in dumped
            shape.database.spoil("VACUUM (FULL, ANALYZE)")

    p95 = await _copied_while_it_streams(there, shape.nodes[0].server, dump_and_vacuum)
    record_property("p95 between two events in seconds, while dumped", p95)


@NEEDS_SERVICES
async def test_a_database_that_never_answers_again_keeps_no_process_from_ending(shape: Shape, there: Client) -> None:
    (node,) = shape.nodes
    assert node.database is not None
    run = await there.start(model="ollama/goes-on-200@50")
    async with there.events(run["id"]) as stream:
        await comes_to(stream, "t10")
        await asyncio.to_thread(node.database.forget)
        await asyncio.sleep(0.5)
        node.server.terminate()
        asked = time.monotonic()
        await asyncio.to_thread(node.server.wait, within=40)
        assert time.monotonic() - asked < 1 + 10 + 5  # DRAIN_GRACE, what an end may take, and a busy machine
    assert "the process does not end by itself and is ended" in node.server.log
    await asyncio.to_thread(node.server.start)
    state = await there.ended(run["id"], within=60)
    assert state["run"]["status"] == "completed"
    assert state["messages"][-1]["content"] == " ".join(f"t{number}" for number in range(200))
    agreed_end(node.server, run["id"], stream.transcript)


# --- Redis ----------------------------------------------------------------------------------------------------------


@NEEDS_SERVICES
async def test_redis_at_another_address_is_found_and_an_answer_loses_nothing_by_it() -> None:
    with Wires() as wires, OwnRedis() as first, OwnRedis() as second:
        wire = wires.to(first.port)
        with Shape(POSTGRES, REDIS_URL=f"redis://127.0.0.1:{wire.port}/0") as shape:
            server = shape.nodes[0].server
            async with Client(server.url, shape.people["ada"].token) as ada:
                run = await ada.start(model=MODEL)
                async with ada.events(run["id"]) as stream:
                    await comes_to(stream, "t10")
                    wire.target = second.port
                    await asyncio.to_thread(first.kill)
                    seen = await stream.until_end(within=40)
                assert_whole(server, run["id"], seen)
                async with asyncio.timeout(20):
                    while (await ada.get("/readyz")).json()["status"] != "ready":
                        await asyncio.sleep(0.1)
        assert wire.accepted > 1
