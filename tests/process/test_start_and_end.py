"""From the first breath of a process to its last: who may start, and how everybody is sent home."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.environment import ROOT, free_port, product_environment
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.process_on_both]
ONE_ON_SQLITE = pytest.mark.skipif(bool(POSTGRES), reason="the lock on the data directory is SQLite's")
ANY_SERVER = ["uvicorn", "daphne"] if POSTGRES else ["uvicorn", "daphne", "runserver"]
SLACK = 4  # seconds that a busy machine may add; a server that waits for its streams would take for ever


def serve(data_dir: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """``manage.py serve`` where it is expected to refuse."""
    return subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", str(free_port())],
        cwd=ROOT,
        env=product_environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# --- the start -----------------------------------------------------------------------------------------------------


def test_an_empty_database_is_refused_with_the_command_that_helps(tmp_path: Path) -> None:
    refused = serve(tmp_path / "data")
    assert refused.returncode == 1
    assert "manage.py migrate" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@ONE_ON_SQLITE
def test_a_second_server_on_the_same_data_is_refused_in_one_sentence(uvicorn_server: ChatServer) -> None:
    refused = serve(uvicorn_server.data_dir)
    assert refused.returncode != 0
    assert "Another chatserver process uses" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert uvicorn_server.is_ready()


@ONE_ON_SQLITE
def test_a_refused_second_server_leaves_the_first_ones_setup_link_alone(uvicorn_server: ChatServer) -> None:
    serve(uvicorn_server.data_dir)
    link = uvicorn_server.setup_link()
    assert link is not None
    assert httpx.get(link, trust_env=False).status_code == 200


def test_a_bad_setting_is_refused_in_one_sentence(uvicorn_server: ChatServer) -> None:
    refused = serve(uvicorn_server.data_dir, HEARTBEAT="often")
    assert refused.returncode != 0
    assert refused.stderr.strip() == "HEARTBEAT is 'often'; write a number."


def test_the_first_start_prints_the_link_that_makes_an_administrator(uvicorn_server: ChatServer) -> None:
    link = uvicorn_server.setup_link()
    assert link is not None
    assert link.startswith(f"{uvicorn_server.url}/accounts/setup/?code=")
    assert uvicorn_server.log.count(link.partition("code=")[2]) == 1


@ONE_ON_SQLITE
@pytest.mark.parametrize("kind", ["daphne", "runserver"])
async def test_a_second_server_of_another_kind_does_nothing_and_logs_why(uvicorn_server: ChatServer, kind: str) -> None:
    second = ChatServer(uvicorn_server.data_dir, kind=kind)  # type: ignore[arg-type]
    second.launch()
    try:
        async with Client(second.url, None) as client:
            for _ in range(200):
                try:
                    answer = await client.get("/api/v1/models")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    break
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert str(uvicorn_server.data_dir) not in answer.text
        assert "Another chatserver process uses" in second.log
        assert "Traceback" not in second.log
        assert uvicorn_server.is_ready()
    finally:
        second.kill()


# --- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ANY_SERVER)
async def test_an_idle_server_ends_at_once(make_server: MakeServer, kind: str) -> None:
    server = make_server(kind=kind, DRAIN_GRACE=20).start()
    server.terminate()
    code = server.wait(within=5)
    assert code in ({0} if kind == "uvicorn" else {0, -signal.SIGTERM})
    assert "Traceback" not in server.log


@ONE_ON_SQLITE
@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_server_that_has_ended_leaves_all_it_knows_in_one_file(
    make_server: MakeServer, people: People, tmp_path: Path, kind: str
) -> None:
    server = make_server(kind=kind).start()
    async with Client(server.url, people["ada"].token) as ada:
        threads = {await ada.new_thread() for _ in range(3)}
    server.terminate()
    assert server.wait(within=10) == 0
    copy = shutil.copy(server.data_dir / "chat.sqlite3", tmp_path / "copy.sqlite3")
    with closing(sqlite3.connect(copy)) as database:
        found = {str(UUID(identifier)) for (identifier,) in database.execute("SELECT id FROM conversations_thread")}
    assert threads <= found


@pytest.mark.parametrize("kind", ANY_SERVER)
async def test_a_running_answer_is_finished_and_its_streams_get_their_end(
    make_server: MakeServer, people: People, standin: StandIn, kind: str
) -> None:
    server = make_server(kind=kind, DRAIN_GRACE=15).start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as socket:
        run = await ada.start(model="ollama/gated-5")
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            await socket.until(lambda: "t4" in socket.runs[run["id"]].content, within=5)
            server.terminate()
            await _draining(ada)
            for path, body in (
                ("/api/chat", {"message": "Hello"}),
                (f"/api/v1/threads/{run['thread_id']}/runs", {"content": "Hello"}),
            ):
                refused = await ada.post(path, body)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
                assert int(refused.headers["retry-after"]) >= 1
            ready = await ada.get("/readyz")
            assert ready.status_code == 503
            standin.release()
            over_sse = await stream.until_end()
            over_socket = await socket.end_of(run["id"])
        assert await socket.closed(within=5) in (4012, 1012, 1001, 1006)
        code = await asyncio.to_thread(server.wait, within=5)
    assert code in ({0} if kind == "uvicorn" else {0, -signal.SIGTERM})
    history = agreed_end(server, run["id"], over_sse, over_socket)
    assert history.end.name == "thread.run.completed"
    assert history.texts == over_sse.texts == over_socket.texts
    assert history.content == " ".join(f"t{i}" for i in range(10))


@pytest.mark.parametrize("kind", ANY_SERVER)
async def test_an_answer_that_does_not_end_in_time_goes_on_at_the_next_start(
    make_server: MakeServer, people: People, standin: StandIn, kind: str
) -> None:
    server = make_server(kind=kind, DRAIN_GRACE=1).start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as socket:
        run = await ada.start(model="ollama/goes-on-5")
        await socket.subscribe(run["id"])
        async with ada.events(run["id"]) as stream:
            await socket.until(lambda: "t4" in socket.runs[run["id"]].content, within=5)
            begun = time.monotonic()
            server.terminate()
            over_sse = await stream.rest(within=5)
            assert 500 <= stream.parser.retries[1] <= 5000
            over_socket = socket.runs[run["id"]]
        code = await asyncio.to_thread(server.wait, within=4 + SLACK)
        assert time.monotonic() - begun < 1 + 3 + SLACK
        assert await socket.closed(within=1) in (4012, 1012, 1001, 1006)
    assert code in ({0} if kind == "uvicorn" else {0, -signal.SIGTERM})
    assert not over_sse.ended
    assert standin.stats()["active"] == 0
    server.start()
    async with Client(server.url, people["ada"].token) as ada:
        rest = await ada.replay(run["id"], after=over_sse.last)
    history = agreed_end(server, run["id"], over_sse, over_socket)
    assert (history.end.name, history.content) == ("thread.run.completed", " ".join(f"t{i}" for i in range(10)))
    assert rest.events[0].name == "thread.run.in_progress"
    assert rest.events[0].data["attempt"] == 2


async def test_streams_that_outlive_the_drain_are_told_to_come_back(make_server: MakeServer, people: People) -> None:
    """A run that waits for a worker has no end to give to its readers when the server goes."""
    server = make_server(RUN_CAPACITY=1, DRAIN_GRACE=0.5).start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as socket:
        first = await ada.start(model="ollama/goes-on-5")
        queued = await ada.start(model="ollama/slow-5@max")
        await socket.subscribe(queued["id"])
        async with ada.events(queued["id"]) as stream:
            await stream.until(3)
            await socket.reaches(queued["id"], 3)
            server.terminate()
            seen = await stream.rest(within=5)
            assert await socket.closed(within=5) == 4012
        assert stream.parser.retries[0] == 2000
        assert 500 <= stream.parser.retries[1] <= 5000
        assert await asyncio.to_thread(server.wait, within=4 + SLACK) == 0
    server.start()
    async with Client(server.url, people["ada"].token) as ada:
        rest = await ada.replay(queued["id"], after=seen.last)
    assert agreed_end(server, first["id"]).end.name == "thread.run.completed"
    assert seen.texts + rest.texts == server.logged(queued["id"])
    assert agreed_end(server, queued["id"]).end.name == "thread.run.completed"


async def test_a_second_signal_ends_the_server_without_waiting(make_server: MakeServer, people: People) -> None:
    server = make_server(DRAIN_GRACE=30).start()
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/goes-on-5")
        async with ada.events(run["id"]) as stream:
            await stream.until(5)
            server.terminate(signal.SIGINT)
            await _draining(ada)
            server.terminate(signal.SIGINT)
            await asyncio.to_thread(server.wait, within=5)
    server.start()
    assert _all_ended(server, within=5)
    assert agreed_end(server, run["id"]).end.name == "thread.run.completed"


async def test_many_streams_are_all_told(make_server: MakeServer, people: People) -> None:
    server = make_server(DRAIN_GRACE=1, MAX_STREAMS=100).start()
    async with Client(server.url, people["ada"].token) as ada:
        runs = [await ada.start(model="ollama/goes-on-5") for _ in range(10)]

        following = asyncio.Semaphore(0)

        async def follow(run_id: str) -> int:
            async with ada.events(run_id) as stream:
                await stream.until(4)
                following.release()
                assert not (await stream.rest()).ended
                return stream.parser.retries[-1]

        followers = [asyncio.create_task(follow(run["id"])) for run in runs for _ in range(5)]
        for _ in followers:
            await following.acquire()
        begun = time.monotonic()
        server.terminate()
        assert len(set(await asyncio.gather(*followers))) > 10  # or they would all come back at one moment
        assert await asyncio.to_thread(server.wait, within=4 + SLACK) == 0
        assert time.monotonic() - begun < 1 + 3 + SLACK
    assert server.active_runs() == 10
    server.start()
    assert await asyncio.to_thread(_all_ended, server, within=10)
    for run in runs:
        assert agreed_end(server, run["id"]).end.name == "thread.run.completed"


async def _draining(client: Client) -> None:
    for _ in range(100):
        if (await client.get("/readyz")).status_code == 503:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the server does not drain")


def _all_ended(server: ChatServer, *, within: float) -> bool:
    deadline = time.monotonic() + within
    while server.active_runs():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
