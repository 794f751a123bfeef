"""Fixtures for tests that start processes. A conftest takes them all: ``from tests.support.processes import *``."""

import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.client import Client
from tests.support.databases import PostgresServer, name_in, postgres_server
from tests.support.people import People, Person, settle
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn

__all__ = [
    "_maker",
    "ada",
    "bob",
    "compatible",
    "daphne_server",
    "made",
    "make_server",
    "people",
    "postgres",
    "pytest_runtest_makereport",
    "server",
    "standin",
    "uvicorn_server",
]

# Short, so that tests need not wait; long enough for a busy machine.
QUICK: dict[str, Any] = {
    "HEARTBEAT": 0.5,
    "RETRY_DELAY": 0.1,
    "UPSTREAM_CONNECT": 2,
    "UPSTREAM_FIRST_BYTE": 60,
    "UPSTREAM_IDLE": 60,
    "DRAIN_GRACE": 2,
    "MAX_STREAMS": 100,
}
# Tools are offered to models only that are known to call them.
TOOL_CALLERS = ("parallel-tools", "unknown-tool", "bad-arguments", "loop-tools", "repeat-tools", "guarded-tools")
# Where no lock says that whoever holds a lease is dead, it has to run out.
QUICK_LEASES = {"LEASE_BEAT": 0.5, "LEASE_EXPIRY": 2}
MakeServer = Callable[..., ChatServer]


@dataclass(frozen=True)
class Made:
    """What every server begins with a copy of; ``template`` is the address of a database, on PostgreSQL."""

    data_dir: Path
    template: str
    people: People


class _Maker:
    def __init__(self, make: MakeServer) -> None:
        self._make = make
        self.made: list[ChatServer] = []

    def __call__(self, **options: Any) -> ChatServer:
        self.made.append(self._make(**options))
        return self.made[-1]


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    with StandIn("--listed", *TOOL_CALLERS) as standin:
        yield standin


@pytest.fixture(scope="session")
def compatible() -> Iterator[OpenAIStandIn]:
    """An OpenAI-compatible server; whoever wants a server that knows it sets OPENAI_BASE_URL."""
    with OpenAIStandIn("--listed", *TOOL_CALLERS) as standin:
        yield standin


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer | None]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer | None) -> Made:
    """A migrated database with people in it, to be copied."""
    if postgres is None:
        return _made_by_the_first(tmp_path_factory)
    directory = tmp_path_factory.mktemp("made") / "data"
    directory.mkdir()
    url = postgres.create()
    return Made(directory, url, settle(directory, **_where(url)))


def _made_by_the_first(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A directory for all workers of a session: to migrate takes as long as many tests. On PostgreSQL each worker has a
    server of its own.
    """
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"
    directory.mkdir(exist_ok=True)
    known = directory / "people.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            (directory / "data").mkdir()
            people = settle(directory / "data")
            known.write_text(json.dumps({name: asdict(person) for name, person in people.items()}))
    people = {name: Person(**facts) for name, facts in json.loads(known.read_text()).items()}
    return Made(directory / "data", "", people)


@pytest.fixture(scope="session")
def people(made: Made) -> People:
    return made.people


@pytest.fixture(scope="session")
def _maker(
    made: Made, standin: StandIn, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer | None
) -> Callable[..., ChatServer]:
    def make(**options: Any) -> ChatServer:
        data_dir = tmp_path_factory.mktemp("server") / "data"
        shutil.copytree(made.data_dir, data_dir)
        where = _where(postgres.create(template=name_in(made.template))) if postgres else {}
        return ChatServer(data_dir, **{"OLLAMA_BASE_URL": standin.base_url, **QUICK, **where, **options})

    return make


def _where(url: str) -> dict[str, Any]:
    return {"DATABASE_URL": url, **QUICK_LEASES} if url else {}


@pytest.fixture
def make_server(_maker: MakeServer) -> Iterator[MakeServer]:
    """``make_server(kind=…, HEARTBEAT=…)``: a server of the test's own, not yet started; killed at its end."""
    maker = _Maker(_maker)
    yield maker
    for server in maker.made:
        server.kill()


@pytest.fixture(scope="session")
def uvicorn_server(_maker: MakeServer) -> Iterator[ChatServer]:
    """One for all tests that leave it as it was."""
    with _maker() as server:
        yield server


@pytest.fixture(scope="session")
def daphne_server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(kind="daphne") as server:
        yield server


@pytest.fixture
def server(uvicorn_server: ChatServer) -> ChatServer:
    return uvicorn_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of a server's log beside the failure of a test that used it."""
    report = yield
    for name, value in getattr(item, "funcargs", {}).items() if report.failed else ():
        for server in value.made if isinstance(value, _Maker) else [value]:
            if isinstance(server, ChatServer):
                report.sections.append((f"log of {name} ({server.kind})", server.log[-6000:]))
    return report


@pytest_asyncio.fixture
async def ada(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as client:
        yield client


@pytest_asyncio.fixture
async def bob(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["bob"].token) as client:
        yield client
