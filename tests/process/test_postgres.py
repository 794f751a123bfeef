"""What PostgreSQL can do to a server: end its connections, hold it up, take nobody in."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.databases import PostgresServer, name_in
from tests.support.processes import Made, MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.postgres]
TOKENS = 150
MODEL = f"ollama/slow-{TOKENS}@50"  # three seconds
WHOLE = " ".join(f"t{i}" for i in range(TOKENS))

END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


@pytest.fixture(scope="module")
def role(postgres: PostgresServer) -> Iterator[str]:
    """Whom the server connects as; superusers know no limits."""
    name = f"chat_test_{secrets.token_hex(6)}"
    postgres.execute(f'CREATE ROLE "{name}" LOGIN')
    yield name
    postgres.execute(f'DROP OWNED BY "{name}"')
    postgres.execute(f'DROP ROLE "{name}"')


@pytest.fixture(scope="module")
def database(postgres: PostgresServer, made: Made, role: str) -> Iterator[str]:
    """Where tests come in, as a superuser."""
    url = postgres.create(template=name_in(made.template))
    with psycopg.connect(url, autocommit=True) as admin:
        for what in ("TABLES", "SEQUENCES"):
            admin.execute(f'GRANT ALL ON ALL {what} IN SCHEMA public TO "{role}"')
    yield url
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(END_ALL, [role])
        admin.execute(f'DROP OWNED BY "{role}"')


@pytest.fixture(scope="module")
def server(_maker: MakeServer, database: str, role: str) -> Iterator[ChatServer]:
    parts = urlsplit(database)
    url = urlunsplit(parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port or 5432}"))
    server = _maker(DATABASE_URL=url, DATABASE_POOL=16, DATABASE_LOCK_TIMEOUT=1, DATABASE_STATEMENT_TIMEOUT=5)
    with server:
        yield server


@asynccontextmanager
async def admin_of(database: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as admin:
        yield admin


@asynccontextmanager
async def held(database: str, lock: str) -> AsyncIterator[None]:
    """A table, held by somebody else."""
    async with admin_of(database) as admin, admin.transaction():
        await admin.execute(f"LOCK TABLE {lock} MODE")
        yield


def assert_busy(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_busy"), answer.text
    assert answer.json()["error"]["retryable"] is True
    assert int(answer.headers["Retry-After"]) >= 1


async def test_connections_that_are_ended_in_mid_run_cost_no_event(
    ada: Client, server: ChatServer, database: str, role: str
) -> None:
    run = await ada.start(model=MODEL)
    ended = 0
    async with ada.events(run["id"]) as stream, ada.socket() as socket, admin_of(database) as admin:
        await socket.subscribe(run["id"])
        for moment in ("t5 ", "t40 ", "t41 ", "t90 "):
            while moment not in stream.transcript.content:
                assert await stream.next() is not None
            ended += (await admin.execute(END_ALL, [role])).rowcount
        over_sse, over_socket = await stream.until_end(within=30), await socket.end_of(run["id"], within=30)
    history = agreed_end(server, run["id"], over_sse, over_socket)
    assert history.end.name == "thread.run.completed"
    assert ended >= 3
    assert history.content == WHOLE
    assert over_sse.texts == over_socket.texts == history.texts


async def test_a_database_that_is_held_for_a_while_is_a_pause_and_readers_read_on(
    ada: Client, server: ChatServer, database: str
) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream:
        while "t5 " not in stream.transcript.content:
            assert await stream.next() is not None
        async with held(database, "conversations_runevent IN EXCLUSIVE"):
            assert_busy(await ada.post("/api/chat", {"message": "Hello", "model": "demo/demo"}))
            look = await ada.look(run["id"])
            assert look["run"]["status"] == "in_progress"
            assert look["head"] == len(server.logged(run["id"]))
        seen = await stream.until_end(within=30)
    history = agreed_end(server, run["id"], seen)
    assert (history.content, history.texts) == (WHOLE, seen.texts)
    assert any(hint.data["phase"] == "waiting_for_storage" for hint in seen.hints)


async def test_requests_that_use_up_the_pool_are_told_when_and_live_runs_go_on(
    ada: Client, server: ChatServer, database: str, standin: StandIn
) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream:
        while "t5 " not in stream.transcript.content:
            assert await stream.next() is not None
        async with held(database, "accounts_apitoken IN ACCESS EXCLUSIVE"):
            asking = [asyncio.create_task(ada.get("/api/v1/threads", timeout=60)) for _ in range(12)]
            before = len(server.logged(run["id"]))
            await stream.until(before + 5)
            for answer in await asyncio.gather(*asking):
                assert_busy(answer)
        assert len(server.logged(run["id"])) > before
        seen = await stream.until_end(within=30)
    history = agreed_end(server, run["id"], seen)
    assert (history.end.name, history.content) == ("thread.run.completed", WHOLE)


async def test_a_server_that_takes_no_more_clients_is_waited_for(
    ada: Client, server: ChatServer, database: str, role: str
) -> None:
    run = await ada.start(model=MODEL)
    async with ada.events(run["id"]) as stream, admin_of(database) as admin:
        while "t5 " not in stream.transcript.content:
            assert await stream.next() is not None
        await admin.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT 0')
        try:
            await admin.execute(END_ALL, [role])
            assert_busy(await ada.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=60))
        finally:
            await admin.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT -1')
        seen = await stream.until_end(within=30)
    history = agreed_end(server, run["id"], seen)
    assert (history.end.name, history.content) == ("thread.run.completed", WHOLE)
    assert seen.texts == history.texts
    assert (await ada.post("/api/chat", {"message": "Hello", "model": "demo/demo"}, timeout=60)).status_code == 200
